# SPDX-License-Identifier: MIT
"""SIGTERM: the daemon finishes what it can, hands back the rest, and ends with 0 within its grace."""
import signal
import time

import pytest

from support.check import everything_once, hr, invariant
from support.orders import encode, order, orders
from support.scripts import Scripts

SLOW = {"sink": {"mysql": {"batch": {"rows": 20}}}, "limits": {"concurrency": 4},
        "retry": {"attempts": 1}}
LONG_LEASE = {"source": {"redis_list": {"lease": "10m"}}}
GRACE = {"shutdown": {"grace": "2s"}}


@pytest.fixture
def mariadb(new_mariadb):
    return new_mariadb(unique=False)


def stopped(daemon, within):
    """SIGTERM; 0 within the grace, plus a little for a loaded machine."""
    before = time.monotonic()
    assert daemon.stop() == 0, daemon.tail()
    assert time.monotonic() - before < within + 3


def nothing_held(redis):
    """No batch of a daemon that ended waits for its lease: each may be taken at once, uncounted."""
    s = Scripts(redis.client, "orders")
    invariant(redis.client, "orders")
    owned = {id.decode() for id in redis.client.hkeys(s.key("own"))}
    assert owned == {x.id for x in s.expired()}
    assert all(x.clean for x in s.expired())


def test_sigterm_under_load_loses_doubles_and_costs_nothing(redis, mariadb, headraced):
    pushed = orders(10_000)
    daemon = headraced(redis, mariadb, job={**SLOW, **LONG_LEASE}, main=GRACE)
    redis.client.rpush("orders", *pushed)
    for mark in (100, 1500, 3500, 6000, 8000):
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        stopped(daemon, 2)
        nothing_held(redis)
        assert redis.client.zcard(hr("orders", "delayed")) == 0, "no attempt was used"
        daemon.start()
    daemon.until_drained(redis, timeout=30)
    everything_once(redis, mariadb, pushed)


def test_sigterm_when_idle(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb, job=SLOW)
    daemon.until(daemon.healthy, what="healthy")
    stopped(daemon, 0)
    assert redis.client.keys("*") == []


def test_items_whose_batch_was_begun_are_released_not_given_back(redis, mariadb, headraced):
    """A transaction was begun: only the ledger can tell what became of it, so the id stays."""
    pushed = orders(20)
    daemon = headraced(redis, mariadb, job={**SLOW, **LONG_LEASE}, main=GRACE)
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("SELECT * FROM orders FOR UPDATE")
        redis.client.rpush("orders", *pushed)
        daemon.until(lambda: redis.client.hlen(hr("orders", "own")) == 1 and mariadb.in_transaction() > 0,
                     what="a transaction with a batch, not the making of the ledger's table")
        stopped(daemon, 2)
        lock.rollback()
    nothing_held(redis)
    assert redis.client.hlen(hr("orders", "own")) == 1 and redis.client.llen("orders") == 0
    daemon.start().until_drained(redis, timeout=30)
    everything_once(redis, mariadb, pushed)


def test_what_was_never_begun_goes_back_to_the_list_in_order(redis, mariadb, headraced):
    """MariaDB is away, so no transaction was begun with what was claimed."""
    pushed = orders(50)
    redis.client.rpush("orders", *pushed)
    mariadb.stop()
    daemon = headraced(redis, mariadb, job={**SLOW, **LONG_LEASE, "limits": {"concurrency": 1}}, main=GRACE)
    daemon.until(lambda: redis.client.hlen(hr("orders", "own")) > 0 or not daemon.healthy(),
                 what="a batch in hand, or none taken without a sink")
    stopped(daemon, 2)
    assert redis.client.lrange("orders", 0, -1) == pushed
    assert redis.client.keys("*:hr:*") == []
    mariadb.start()
    daemon.start().until_drained(redis, timeout=30)
    everything_once(redis, mariadb, pushed)


def test_retries_in_hand_keep_their_attempts(redis, mariadb, headraced):
    mariadb.execute("CREATE TRIGGER strange BEFORE INSERT ON orders FOR EACH ROW BEGIN"
                    " IF NEW.customer_id = 13 THEN"
                    " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 4242, MESSAGE_TEXT = 'strange'; END IF; END")
    item = encode({**order(5, 3), "customer_id": 13})
    job = {"retry": {"attempts": 4, "backoff": {"first": "50ms", "max": "50ms"}}}
    daemon = headraced(redis, mariadb, job=job, main=GRACE)
    redis.client.rpush("orders", item)
    for _ in range(3):
        daemon.until(lambda: redis.client.keys("*:hr:*"), what="the item on its way")
        stopped(daemon, 2)
        daemon.start()
    daemon.until_drained(redis)
    letter, = everything_once(redis, mariadb, [item], dead=1).letters
    assert letter["attempts"] == 4


@pytest.mark.parametrize("away", ["redis", "mariadb", "both"])
def test_sigterm_while_a_server_is_frozen(redis, mariadb, headraced, away):
    """It cannot hand back to a Redis that does not answer; it ends all the same, and the lease does
    the rest."""
    pushed = orders(3_000)
    daemon = headraced(redis, mariadb, job=SLOW, main={
        **GRACE, "servers": {"queue": {"redis": {"timeouts": {"command": "1s"}}},
                             "shop": {"mysql": {"timeouts": {"query": "1s"}}}}})
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    frozen = [s for s, name in ((redis, "redis"), (mariadb, "mariadb")) if away in (name, "both")]
    for server in frozen:
        server.freeze()
    try:
        before = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.wait(timeout=20)
        assert time.monotonic() - before < 6
    finally:
        for server in frozen:
            server.thaw()
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("noticed", [False, True], ids=["just frozen", "known to be frozen"])
def test_sigterm_when_idle_and_redis_is_frozen(redis, mariadb, headraced, noticed):
    """Nothing is held, so nothing has to be told to Redis: one command may still be on its way."""
    daemon = headraced(redis, mariadb, job=SLOW, main={
        "servers": {"queue": {"redis": {"timeouts": {"connect": "4s", "command": "4s"}}}}})
    daemon.until(daemon.healthy, what="healthy")
    redis.freeze()
    try:
        if noticed:
            daemon.until(lambda: not daemon.healthy(), what="the frozen server noticed")
        before = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(timeout=20) == 0
        assert time.monotonic() - before < 4 + 1
    finally:
        redis.thaw()
    assert redis.client.keys("*") == []


def test_a_second_sigterm_changes_nothing(redis, mariadb, headraced):
    pushed = orders(3_000)
    daemon = headraced(redis, mariadb, job=SLOW, main=GRACE)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    nothing_held(redis)
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_pause_lets_batches_finish_and_holds_claims(redis, mariadb, headraced):
    pushed = orders(5_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    daemon.pause()
    daemon.until(lambda: redis.client.hlen(hr("orders", "own")) == 0, what="nothing in hand")
    assert daemon.status()["state"] == "paused"
    rows = mariadb.count("orders")
    assert rows + redis.client.llen("orders") == 5_000, "neither lost nor claimed meanwhile"
    daemon.resume()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_two_daemons_share_a_list_and_one_may_leave(redis, mariadb, headraced):
    pushed = orders(8_000)
    one = headraced(redis, mariadb, job={**SLOW, **LONG_LEASE}, main=GRACE, instance="one")
    two = headraced(redis, mariadb, job={**SLOW, **LONG_LEASE}, main=GRACE, instance="two")
    redis.client.rpush("orders", *pushed)
    two.until(lambda: mariadb.count("orders") > 1_000, what="1,000 rows")
    stopped(one, 2)
    two.until_drained(redis, timeout=30)
    everything_once(redis, mariadb, pushed)
