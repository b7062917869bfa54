# SPDX-License-Identifier: MIT
"""A statement that takes longer than a transaction may: smaller transactions, and in the end the item
that is too slow all alone; never for ever, and never an item that only met a lock or an outage."""
import signal

import pytest

from support.check import everything_once, hr
from support.orders import encode, order, orders
from support.process import until
from support.scripts import preload, sha1

ONE_ATTEMPT = {"retry": {"attempts": 1}}
SHORT = {"limits": {"timeout": "1s"}}


def sleeping(mariadb, seconds, when="TRUE"):
    mariadb.execute("CREATE TRIGGER slow BEFORE INSERT ON orders FOR EACH ROW BEGIN"
                    f" IF {when} THEN DO SLEEP({seconds}); END IF; END")


def job(**changes):
    return {**SHORT, **ONE_ATTEMPT, **changes}


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_batch_that_is_too_slow_goes_in_by_smaller_ones(redis, new_mariadb, headraced, delivery):
    """3 s for a batch that may take 1 s, though no row takes long: no attempt is used."""
    mariadb, pushed = new_mariadb(unique=False), orders(120)
    sleeping(mariadb, 0.03)
    daemon = headraced(redis, mariadb, job=job(delivery=delivery))
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: "limits.timeout" in daemon.status()["reason"], what="the reason")
    assert not daemon.healthy()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    daemon.until(daemon.healthy, what="healthy again")
    assert daemon.metric("headrace_leases_recovered_total", job="orders") >= 10, "children of a split"


def test_what_nobody_keeps_goes_in_by_smaller_batches_too(redis, mariadb, headraced):
    """At most once, Redis has forgotten the items; what is cut is the batch in hand."""
    pushed, slow = orders(50), encode({**order(5, 3), "customer_id": 13})
    pushed.insert(20, slow)
    sleeping(mariadb, "IF(NEW.customer_id = 13, 5, 0.03)")
    daemon = headraced(redis, mariadb, job=job(delivery="at_most_once"))
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: redis.client.llen("orders:dead") == 1, what="the slow item dead")
    daemon.until(lambda: mariadb.count("orders") == 50, what="the others in")
    daemon.until(daemon.healthy, what="healthy again")
    letter, = everything_once(redis, mariadb, pushed, dead=1).letters
    assert letter["error"]["class"] == "transient" and letter["attempts"] == 1
    assert daemon.metric("headrace_items_finished_total", outcome="ok") == 50
    assert daemon.metric("headrace_items_finished_total", outcome="dead") == 1


def test_what_is_claimed_adapts_to_what_fits(redis, mariadb, headraced):
    """After the first batches of 100 that were too slow, none of that size is tried again."""
    pushed = orders(200)
    sleeping(mariadb, 0.03)
    daemon = headraced(redis, mariadb, job=job(limits={"timeout": "1s", "concurrency": 1}))
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis, timeout=90)
    everything_once(redis, mariadb, pushed)
    assert daemon.log.count("it is cut into smaller ones") == 1
    mariadb.execute("DROP TRIGGER slow")
    redis.client.rpush("orders", *orders(2_000, seed=2))
    daemon.until(lambda: daemon.metric("headrace_sink_batch_rows", job="orders") == 100,
                 what="whole batches again")
    daemon.until_drained(redis)


def test_a_server_that_ends_slow_statements_itself(redis, mariadb, headraced):
    """max_statement_time: 1969, which is transient, comes again for ever if nothing changes."""
    pushed = orders(60)
    sleeping(mariadb, 0.03)
    mariadb.execute("SET GLOBAL max_statement_time = 0.5")
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_an_item_that_is_too_slow_all_alone_is_a_dead_letter_in_the_end(
        redis, new_mariadb, headraced, delivery):
    mariadb = new_mariadb(unique=False)
    sleeping(mariadb, 5, "NEW.customer_id = 13")
    item = encode({**order(5, 3), "customer_id": 13})
    pushed = orders(30) + [item] + orders(30, seed=2)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, job=job(
        delivery=delivery, retry={"attempts": 2, "backoff": {"first": "50ms", "max": "50ms"}}))
    daemon.until(lambda: mariadb.count("orders") == 60, what="its neighbours in")
    daemon.until_drained(redis)
    letter, = everything_once(redis, mariadb, pushed, dead=1).letters
    assert letter["attempts"] == 2 and letter["error"]["class"] == "transient"
    assert "limits.timeout" in letter["error"]["message"]
    daemon.until(daemon.healthy, what="healthy again")
    redis.client.rpush("orders", *orders(30, seed=4))
    daemon.until_drained(redis)
    assert mariadb.count("orders") == 90


def test_what_is_given_up_lets_go_of_its_locks(redis, mariadb, headraced):
    """A row that sleeps for ten minutes: the server ends it, or its locks would hold up everything."""
    sleeping(mariadb, 600, "NEW.customer_id = 13")
    item = encode({**order(5, 3), "customer_id": 13})
    redis.client.rpush("orders", *orders(5), item, *orders(5, seed=2))
    daemon = headraced(redis, mariadb, job=job())
    daemon.until_drained(redis)
    everything_once(redis, mariadb, orders(5) + [item] + orders(5, seed=2), dead=1)
    sleepers = lambda: mariadb.execute("SELECT COUNT(*) FROM information_schema.processlist"
                                       " WHERE user = 'app' AND info LIKE '%%SLEEP%%'", ())[0][0]
    daemon.until(lambda: sleepers() == 0, what="no statement left behind")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_when_a_batch_is_cut(redis, new_mariadb, headraced, new_proxy, moment):
    """The ledger says that it is cut, and Redis has not heard of it, or has: each item ends once."""
    mariadb, proxy, pushed = new_mariadb(unique=False), new_proxy(redis), orders(60)
    preload(redis.client)
    sleeping(mariadb, 0.02)
    daemon = headraced(proxy, mariadb, job=job(limits={"timeout": "500ms", "concurrency": 1}))
    at_request = proxy.lose_request if moment == "before" else proxy.on_request
    at_request(sha1("split"), action=lambda: daemon.signal(signal.SIGKILL))
    redis.client.rpush("orders", *pushed)
    until(lambda: not daemon.running, what="the kill")
    daemon.kill()
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


# Not slowness.

@pytest.mark.parametrize("lock", ["SELECT * FROM orders FOR UPDATE", "LOCK TABLES orders WRITE"],
                         ids=["rows", "table"])
def test_a_lock_for_longer_than_the_limit_costs_no_attempt(redis, mariadb, headraced, lock):
    """Batches of one item: each would be a dead letter if its waits were taken for its own."""
    pushed = orders(10)
    daemon = headraced(redis, mariadb, job=job(
        limits={"timeout": "2s", "concurrency": 2}, sink={"mysql": {"batch": {"rows": 1}}}))
    daemon.until(daemon.healthy, what="healthy")
    with mariadb.connect(autocommit=False) as other, other.cursor() as cursor:
        cursor.execute(lock)
        redis.client.rpush("orders", *pushed)
        daemon.until(lambda: redis.client.hlen(hr("orders", "own")) == 2, what="two batches")
        leases = lambda: redis.client.zrange(hr("orders", "leases"), 0, -1, withscores=True)
        first = leases()[0][1]
        daemon.until(lambda: leases()[0][1] > first + 6000, what="three times the limit")
        assert not redis.client.exists("orders:dead", hr("orders", "delayed"))
        waits = {"result": "failed", "class": "transient"}
        assert daemon.metric("headrace_attempts_total", job="orders", **waits) >= 3
        cursor.execute("UNLOCK TABLES")
        other.rollback()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_job_that_gets_nowhere_for_a_lock_says_so(redis, new_mariadb, headraced, delivery):
    """Conflicts are nobody's trouble as long as they pass."""
    mariadb, pushed = new_mariadb(unique=False), orders(40)
    daemon = headraced(redis, mariadb, job=job(delivery=delivery, limits={"timeout": "4s"}))
    daemon.until(daemon.healthy, what="healthy")
    with mariadb.connect(autocommit=False) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES orders WRITE")
        redis.client.rpush("orders", *pushed)
        daemon.until(lambda: not daemon.healthy(), what="the trouble is told")
        assert "Lock wait timeout" in daemon.status()["reason"]
        cursor.execute("UNLOCK TABLES")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    daemon.until(daemon.healthy, what="healthy again")


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_server_that_stalls_in_mid_row_costs_no_attempt(redis, mariadb, headraced, new_proxy, delivery):
    proxy, pushed = new_proxy(mariadb), orders(10)
    changes = {"delivery": delivery, "sink": {"mysql": {"batch": {"rows": 1}}}}
    daemon = headraced(redis, proxy, job=job(**changes), main={
        "servers": {"shop": {"mysql": {"timeouts": {"connect": "500ms", "query": "500ms"}}}}})
    daemon.until(daemon.healthy, what="healthy")
    with mariadb.connect(autocommit=False) as other, other.cursor() as cursor:
        cursor.execute("SELECT * FROM orders FOR UPDATE")
        redis.client.rpush("orders", *pushed)
        daemon.until(mariadb.waiting_for_locks, what="a row on its way")
        proxy.stall()
        other.rollback()
        before = proxy.connections
        daemon.until(lambda: proxy.connections > before + 6, what="some connections tried")
    proxy.resume()
    proxy.cut()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
