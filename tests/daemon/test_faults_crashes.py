# SPDX-License-Identifier: MIT
"""headraced dies, freezes or vanishes: with exactly_once nothing is lost, doubled or stuck.

The table has no unique key here, so that a doubled order would be two rows.
"""
import random
import signal

import pytest

from support.check import everything_once, hr, nothing_lost
from support.headraced import POISON, POISONOUS, has_fault_points
from support.orders import orders
from support.process import until
from support.scripts import Scripts, preload, sha1, sink_print
from support.servers import COMMIT, ONCE

SMALL = {"sink": {"mysql": {"batch": {"rows": 20}}}, "limits": {"concurrency": 4}}


@pytest.fixture
def mariadb(new_mariadb):
    return new_mariadb(unique=False)


def small(**changes):
    return {**SMALL, **changes}


def own(redis, key="orders"):
    return redis.client.hlen(hr(key, "own"))


def killed_along(daemon, mariadb, kills, total, rng):
    """SIGKILL at seeded marks of progress; a successor starts at once each time."""
    marks = sorted(rng.sample(range(1, total - total // 20), kills))
    for mark in marks:
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        daemon.restart()


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_9_over_20000_items(redis, mariadb, headraced, seed):
    pushed = orders(20_000)
    daemon = headraced(redis, mariadb, job=small())
    redis.client.rpush("orders", *pushed)
    killed_along(daemon, mariadb, 15, len(pushed), random.Random(seed))
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_kill_9_with_at_least_once_loses_nothing(redis, mariadb, headraced):
    pushed = orders(10_000)
    daemon = headraced(redis, mariadb, job=small(delivery="at_least_once"))
    redis.client.rpush("orders", *pushed)
    killed_along(daemon, mariadb, 10, len(pushed), random.Random(3))
    daemon.until_drained(redis)
    assert not nothing_lost(redis, mariadb, pushed).letters


def test_kill_9_with_a_unique_key_and_at_least_once_makes_no_dead_letter(redis, new_mariadb, headraced):
    """After a crash, 1062 means: already in."""
    mariadb = new_mariadb(unique=True)
    pushed = orders(5_000)
    daemon = headraced(redis, mariadb, job=small(delivery="at_least_once"))
    redis.client.rpush("orders", *pushed)
    killed_along(daemon, mariadb, 8, len(pushed), random.Random(4))
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_what_was_in_when_its_batch_was_cut_makes_no_dead_letter_either(redis, new_mariadb, headraced):
    """Its owners died after their commits, as often as crash_limit says: the parts of a cut batch have
    no owner before us, but their rows are in."""
    mariadb, pushed = new_mariadb(unique=True), orders(20)
    daemon = headraced(redis, mariadb, job=small(delivery="at_least_once", retry={"crash_limit": 1}))
    s = Scripts(redis.client, "orders", sink=sink_print(redis, mariadb, daemon))
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis)
    daemon.kill()
    redis.client.rpush("orders", *pushed)
    s.claim("%032x" % 9, token="gone", lease=1)
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("script", ["claim", "ack"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_a_request_to_redis(redis, mariadb, headraced, new_proxy, script, moment):
    """before: the request never arrives; after: it is carried out, and the reply meets a dead daemon."""
    proxy, pushed = new_proxy(redis), orders(500)
    preload(redis.client)
    daemon = headraced(proxy, mariadb, job=small())
    at_request = proxy.lose_request if moment == "before" else proxy.on_request
    at_request(sha1(script), action=lambda: daemon.signal(signal.SIGKILL))
    redis.client.rpush("orders", *pushed)
    until(lambda: not daemon.running or daemon.drained(redis.client), what="the kill, or an empty list")
    daemon.kill()
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_a_takeover(redis, mariadb, headraced, new_proxy, moment):
    proxy, pushed = new_proxy(redis), orders(200)
    preload(redis.client)
    daemon = headraced(proxy, mariadb, job=small())
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLES orders WRITE")
        redis.client.rpush("orders", *pushed)
        daemon.until(lambda: own(redis) > 0, what="a claimed batch")
        daemon.kill()
    at_request = proxy.lose_request if moment == "before" else proxy.on_request
    at_request(sha1("takeover"), action=lambda: daemon.signal(signal.SIGKILL))
    daemon.start(wait=False)
    until(lambda: not daemon.running, what="the kill")
    daemon.kill()
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("rows, commit", [(20, COMMIT), (5, ONCE)], ids=["apart", "at-once"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_its_commit(redis, mariadb, headraced, new_proxy, moment, rows, commit):
    proxy, pushed = new_proxy(mariadb), orders(500)
    daemon = headraced(redis, proxy, job=small(sink={"mysql": {"batch": {"rows": rows}}}))
    at_request = proxy.lose_request if moment == "before" else proxy.on_request
    at_request(commit, action=lambda: daemon.signal(signal.SIGKILL))
    redis.client.rpush("orders", *pushed)
    until(lambda: not daemon.running or daemon.drained(redis.client), what="the kill")
    daemon.kill()
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_successor_takes_its_predecessors_batches_at_once(redis, mariadb, headraced):
    """Nobody waits for a lease of ten minutes."""
    pushed = orders(200)
    daemon = headraced(redis, mariadb, job=small(
        source={"redis_list": {"server": "queue", "key": "orders", "lease": "10m"}}))
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLES orders WRITE")
        redis.client.rpush("orders", *pushed)
        daemon.until(lambda: own(redis) > 0, what="a claimed batch")
        daemon.kill()
    daemon.start().until_drained(redis, timeout=30)
    everything_once(redis, mariadb, pushed)


def test_another_instance_takes_over_when_the_lease_is_over(redis, mariadb, headraced):
    pushed = orders(200)
    one = headraced(redis, mariadb, job=small(), instance="one")
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLES orders WRITE")
        redis.client.rpush("orders", *pushed)
        one.until(lambda: own(redis) > 0, what="a claimed batch")
        one.kill()
    two = headraced(redis, mariadb, job=small(), instance="two")
    two.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    assert two.metric("headrace_leases_recovered_total", job="orders") > 0


def test_frozen_beyond_its_lease_and_continued(redis, mariadb, headraced):
    """Frozen with an open transaction: its ledger row holds the key until the server closes the idle
    session. The second daemon waits for that and inserts; the first wakes and must not commit."""
    pushed = orders(400)
    one = headraced(redis, mariadb, job=small(), instance="one")
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("SELECT * FROM orders FOR UPDATE")  # the gap of an empty table: inserts wait
        redis.client.rpush("orders", *pushed)
        one.until(lambda: own(redis) > 0 and mariadb.in_transaction() > 0, what="a transaction of the first daemon")
        one.freeze()
        lock.rollback()
    two = headraced(redis, mariadb, job=small(), instance="two")
    two.until_drained(redis)
    one.thaw()
    more = orders(400, seed=9)
    redis.client.rpush("orders", *more)
    one.until_drained(redis)
    everything_once(redis, mariadb, pushed + more)


@pytest.mark.parametrize("n, commit", [(20, COMMIT), (5, ONCE)], ids=["apart", "at-once"])
def test_frozen_between_commit_and_acknowledgement(redis, mariadb, headraced, new_proxy, n, commit):
    """The ledger tells the second daemon that the rows are in."""
    proxy, pushed = new_proxy(mariadb), orders(n)
    one = headraced(redis, proxy, job=small(), instance="one")
    proxy.on_request(commit, lambda: one.signal(signal.SIGSTOP))
    redis.client.rpush("orders", *pushed)
    one.until(lambda: proxy.pending == 0 and mariadb.count("orders") == n, what="the rows")
    two = headraced(redis, proxy, job=small(), instance="two")
    two.until_drained(redis)
    assert two.metric("headrace_ledger_hits_total", job="orders") == 1
    one.thaw()
    one.until(one.healthy, what="the first daemon well again")
    everything_once(redis, mariadb, pushed)


def test_frozen_again_and_again(redis, mariadb, headraced):
    pushed = orders(6_000)
    redis.client.rpush("orders", *pushed)
    pair = [headraced(redis, mariadb, job=small(), instance=name) for name in ("one", "two")]
    rng = random.Random(5)
    for mark in range(500, 5_500, 1000):
        pair[0].until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        victim, other = rng.sample(pair, 2)
        victim.freeze()
        held = set(redis.client.hkeys(hr("orders", "own")))
        other.until(lambda: not held & set(redis.client.hkeys(hr("orders", "own"))),
                    what="the frozen daemon's batches done by the other")
        victim.thaw()
    pair[0].until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_host_vanishes_in_mid_transaction(redis, mariadb, headraced, new_proxy):
    """Its connections stay open at MariaDB, silent; what it held is not stuck for the 8 hours that a
    server's defaults allow."""
    proxy, pushed = new_proxy(mariadb), orders(200)
    one = headraced(redis, proxy, job=small(), instance="one")
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("SELECT * FROM orders FOR UPDATE")
        redis.client.rpush("orders", *pushed)
        one.until(lambda: own(redis) > 0 and mariadb.in_transaction() > 0, what="an open transaction")
        proxy.vanish()
        one.kill()
        lock.rollback()
    two = headraced(redis, proxy, job=small(), instance="two")
    two.until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("seed, delivery", [
    (1, "exactly_once"), (2, "exactly_once"), (3, "at_least_once")])
def test_daemon_redis_and_mariadb_all_killed(redis, mariadb, headraced, seed, delivery):
    """Each of them every now and then, in random order, sometimes together. No innocent item dies:
    a server's outage counts no crash."""
    rng, pushed = random.Random(seed), orders(8_000)
    daemon = headraced(redis, mariadb, job=small(delivery=delivery))
    redis.client.rpush("orders", *pushed)
    for mark in sorted(rng.sample(range(100, 7_500), 9)):
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        victims = rng.sample([daemon, redis, mariadb], rng.choice((1, 1, 2, 3)))
        for victim in victims:
            victim.kill()
        for victim in sorted(victims, key=lambda v: v is daemon):
            victim.start()
    daemon.until_drained(redis)
    if delivery == "exactly_once":
        everything_once(redis, mariadb, pushed)
    else:
        assert not nothing_lost(redis, mariadb, pushed).letters


def test_aborted_as_by_the_watchdog(redis, mariadb, headraced):
    pushed = orders(3_000)
    daemon = headraced(redis, mariadb, job=small())
    redis.client.rpush("orders", *pushed)
    for mark in (300, 1200, 2000):
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        daemon.abort()
        daemon.start()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_an_instance_name_is_locked(redis, mariadb, headraced):
    """The second daemon of one runtime directory and name must not take the first one's batches."""
    one = headraced(redis, mariadb)
    one.child, first = None, one.child
    try:
        one.start(wait=False)
        assert one.wait() == 75
        assert "each needs a name of its own, the setting instance" in one.tail()
    finally:
        one.kill()
        one.child = first
    assert one.alive()


@pytest.mark.skipif(has_fault_points(), reason="this build has fault points")
def test_fault_points_are_not_in_a_production_build(redis, mariadb, headraced):
    item = orders(1)[0].replace(b'"note":"', b'"note":"' + POISON)
    daemon = headraced(redis, mariadb, env=POISONOUS)
    redis.client.rpush("orders", item)
    daemon.until_drained(redis)
    everything_once(redis, mariadb, [item])
