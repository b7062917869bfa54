# SPDX-License-Identifier: MIT
"""What a network does on the way to Redis or to MariaDB: connections half-open, cut, in pieces, and
single messages lost. Nothing is lost, doubled or stuck, and no item pays."""
import random

import pytest

from support.check import everything_once
from support.orders import orders
from support.scripts import preload, sha1
from support.servers import COMMIT, ONCE

SLOW = {"sink": {"mysql": {"batch": {"rows": 20}}}, "retry": {"attempts": 1}}
FEW = {"sink": {"mysql": {"batch": {"rows": 5}}}, "retry": {"attempts": 1}}
LONG_LEASE = {"source": {"redis_list": {"lease": "10m"}}}
IMPATIENT = {"servers": {
    "queue": {"redis": {"timeouts": {"connect": "500ms", "command": "1s"}}},
    "shop": {"mysql": {"timeouts": {"connect": "500ms", "query": "1s"}}}}}


@pytest.fixture
def mariadb(new_mariadb):
    return new_mariadb(unique=False)  # doubled orders are rows to be counted


@pytest.fixture(params=["redis", "mariadb"])
def way(request, redis, mariadb, new_proxy):
    """The proxy before one of the two servers, and what a daemon takes for (redis, mariadb)."""
    if request.param == "redis":
        proxy = new_proxy(redis)
        return proxy, (proxy, mariadb)
    proxy = new_proxy(mariadb)
    return proxy, (redis, proxy)


def test_a_half_open_connection(redis, mariadb, headraced, way):
    (proxy, servers), pushed = way, orders(3_000)
    daemon = headraced(*servers, job=SLOW, main=IMPATIENT)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    proxy.stall()
    before = proxy.connections
    daemon.until(lambda: proxy.connections > before, what="another connection tried")
    proxy.resume()
    proxy.cut()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_every_reply_in_pieces_of_one_byte(redis, mariadb, headraced, way):
    (proxy, servers), pushed = way, orders(60)
    proxy.split(1)
    daemon = headraced(*servers, job=SLOW)
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis, timeout=120)
    everything_once(redis, mariadb, pushed)


def test_connections_cut_at_random(redis, mariadb, headraced, way):
    (proxy, servers), pushed, rng = way, orders(4_000), random.Random(6)
    daemon = headraced(*servers, job=SLOW)
    redis.client.rpush("orders", *pushed)
    for mark in sorted(rng.sample(range(50, 3_800), 25)):
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        proxy.cut()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


# One reply lost, one request lost, at each script and at the commit. A lease of ten minutes shows
# that nothing waits for it: whatever was carried out unseen is found again at once.

FATES = pytest.mark.parametrize("fate", ["lose_reply", "lose_request"])


@FATES
@pytest.mark.parametrize("script", ["claim", "ack"])
def test_r4_a_lost_message_strands_nothing(redis, mariadb, headraced, new_proxy, script, fate):
    proxy, pushed = new_proxy(redis), orders(400)
    preload(redis.client)
    daemon = headraced(proxy, mariadb, job={**SLOW, **LONG_LEASE})
    getattr(proxy, fate)(sha1(script), times=3)
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis, timeout=30)
    daemon.until(lambda: proxy.pending == 0, what="all losses seen")
    everything_once(redis, mariadb, pushed)


def test_dead_letters_and_retries_are_not_doubled_by_a_repeated_acknowledgement(
        redis, mariadb, headraced, new_proxy):
    proxy = new_proxy(redis)
    preload(redis.client)
    pushed = orders(20) + [b"not json %d" % i for i in range(5)]
    daemon = headraced(proxy, mariadb, job=SLOW)
    proxy.lose_reply(sha1("ack"), times=2)
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis)
    daemon.until(lambda: proxy.pending == 0, what="all losses seen")
    everything_once(redis, mariadb, pushed, dead=5)


@FATES
@pytest.mark.parametrize("job, commit", [(SLOW, COMMIT), (FEW, ONCE)], ids=["apart", "at-once"])
def test_r5_a_commit_whose_reply_never_comes(redis, mariadb, headraced, new_proxy, fate, job, commit):
    """Committed or not: the next transaction's ledger row tells."""
    proxy, pushed = new_proxy(mariadb), orders(200)
    daemon = headraced(redis, proxy, job={**job, **LONG_LEASE})
    getattr(proxy, fate)(commit, times=5)
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis)
    assert proxy.pending == 0
    everything_once(redis, mariadb, pushed)
    hits = daemon.metric("headrace_ledger_hits_total", job="orders")
    assert hits >= 1 if fate == "lose_reply" else hits == 0
