# SPDX-License-Identifier: MIT
"""The rules of the protocol, each with the test that fails without it.

rule  says                                          test that fails without it
R1    ids come from the daemon, never from Redis    test_r1_… here (Redis falls back to nothing), and
                                                    ids_are_128_random_bits in test_queue.c
R2    an envelope's id is <batch>:<index>           test_r2_… here
R3    the wait ends by the next retry at the        test_r3_… here
      latest, and a claim follows each return
R4    a claim is never sent twice                   test_r4_… in test_faults_network.py, …_redis.py
R5    a COMMIT without an answer is unknown         test_r5_… in test_faults_network.py
R6    a ledger row of another content is not        test_r6_… here
      believed: the batch gets a new id
R7    what may have crashed somebody runs alone     test_r7_… here
R8    a split is a ledger row first                 test_r8_… here
R9    the death of a last item is a ledger row      test_r9_… here
      first
R10   only a first owner gives back                 test_r10_… here
R11   the sweep spares what Redis holds             test_r11_… here

R1 and R6 back each other: where ids meet, the batch gets a new one, so the test looks at the log too.
R10 is kept twice: the daemon does not ask for it, and the script refuses (test_scripts_end.py).

An owner that is frozen just before its commit is played by its request on the way: it has looked at
its lease, sent the ledger row, and is stopped; the request arrives when everybody else is done.
The table has no unique key, so that a doubled order would be two rows.
"""
import signal

import pytest

from support.check import everything_once, hr
from support.headraced import POISON, POISONOUS, has_fault_points
from support.orders import encode, order, orders
from support.process import until
from support.scripts import Scripts
from support.servers import COMMIT

LEDGER_ROW = b"INSERT INTO headrace_ledger"
LEDGER_QUESTION = b"SELECT n, HEX(digest), outcome"
PATIENT = {"servers": {"shop": {"mysql": {"timeouts": {"query": "60s"}}}}, "shutdown": {"grace": "1s"}}
LONG_LEASE = {"source": {"redis_list": {"lease": "10m"}}}

needs_fault_points = pytest.mark.skipif(not has_fault_points(), reason="no fault points in this build")


@pytest.fixture
def mariadb(new_mariadb):
    return new_mariadb(unique=False)


def job(**changes):
    return {"sink": {"mysql": {"batch": {"rows": 20}}},
            "limits": {"concurrency": 2, "timeout": "60s"}, **changes}


def held(redis):
    return redis.client.hlen(hr("orders", "own"))


def strange(mariadb):
    """Inserts of customer 13 fail with an error that no table knows, which is retried."""
    mariadb.execute("CREATE TRIGGER strange BEFORE INSERT ON orders FOR EACH ROW BEGIN"
                    " IF NEW.customer_id = 13 THEN"
                    " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 4242, MESSAGE_TEXT = 'strange'; END IF; END")


def frozen_before_its_commit(redis, proxy, headraced, pushed, **changes):
    """A daemon that is stopped with its ledger row on the way; the batch is its successor's soon."""
    one = headraced(redis, proxy, job=job(**changes), main=PATIENT, instance="one")
    one.until(one.healthy, what="healthy")
    proxy.hold_request(LEDGER_ROW, action=lambda: one.signal(signal.SIGSTOP))
    redis.client.rpush("orders", *pushed)
    until(lambda: proxy.holding == 1, what="the ledger row on its way")
    return one


def woken(one, proxy):
    """The late request arrives, the daemon goes on; until it has nothing in hand."""
    proxy.let_go()
    one.thaw()
    one.until(lambda: one.status()["held"] == 0, what="the first daemon without a batch")
    one.until(one.healthy, what="the first daemon well again")
    assert one.stop() == 0


def test_r1_r6_a_redis_that_has_forgotten_everything_makes_no_known_ids(redis, mariadb, headraced):
    """Ids counted by Redis would begin again, and the ledger would call the new batches done."""
    first, second = orders(60), orders(60, seed=2)
    daemon = headraced(redis, mariadb, job=job())
    redis.client.rpush("orders", *first)
    daemon.until_drained(redis)
    daemon.stop()
    redis.client.flushall()
    redis.client.rpush("orders", *second)
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, first + second)
    assert "another content" not in daemon.log


def test_r2_two_equal_items_that_are_retried_stay_two(redis, mariadb, headraced):
    strange(mariadb)
    item = encode({**order(5, 3), "customer_id": 13})
    redis.client.rpush("orders", item, item)
    daemon = headraced(redis, mariadb, job=job())
    daemon.until_drained(redis)
    letters = everything_once(redis, mariadb, [item, item], dead=2).letters
    assert len({letter["id"] for letter in letters}) == 2
    assert [letter["attempts"] for letter in letters] == [3, 3]


def test_r3_a_retry_that_comes_due_ends_the_wait_of_an_idle_list(redis, mariadb, headraced):
    """Nothing is pushed, so nothing but its own due time can bring it back."""
    strange(mariadb)
    item = encode({**order(5, 3), "customer_id": 13})
    daemon = headraced(redis, mariadb, job=job(
        limits={"concurrency": 1},
        retry={"attempts": 50, "backoff": {"first": "20ms", "max": "20ms", "jitter": "none"}}))
    redis.client.rpush("orders", item)
    daemon.until(lambda: daemon.status()["retried"] >= 20
                 or redis.client.llen("orders:dead"), timeout=10, what="twenty attempts")
    mariadb.execute("DROP TRIGGER strange")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, [item])


@pytest.mark.parametrize("digest", ["whatever", None])
def test_r6_a_ledger_row_of_another_content_is_not_believed(redis, mariadb, headraced, new_proxy,
                                                            digest):
    """The id is in the ledger for something else, as after a restore: renamed, not lost. A table
    that somebody made in another way may know no digest at all."""
    proxy, pushed = new_proxy(mariadb), orders(20)
    one = frozen_before_its_commit(redis, proxy, headraced, pushed)
    [id] = redis.client.hkeys(hr("orders", "own"))
    mariadb.execute("ALTER TABLE headrace_ledger MODIFY digest BINARY(8) NULL")
    mariadb.execute("INSERT INTO headrace_ledger (id, n, digest, queue)"
                    " VALUES (UNHEX(%s), 20, %s, 'whatever')", (id.decode(), digest))
    proxy.let_go()
    one.thaw()
    one.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    assert "another content" in one.log


@needs_fault_points
def test_r7_innocents_in_flight_beside_many_poisons_stay_alive(redis, mariadb, headraced, new_proxy):
    """Batches of one item, slow commits: at each crash others are in flight, and are suspects once.
    Run beside the next poison they would be so twice, and dead."""
    proxy, pushed, poisons = new_proxy(mariadb), orders(40), 5
    proxy.delay(0.02)
    for i in range(poisons):
        pushed.insert(6 * i + 3, encode({**order(i, 66), "note": POISON.decode()}))
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, proxy, env=POISONOUS, run=False, job=job(
        sink={"mysql": {"batch": {"rows": 1}}}, limits={"concurrency": 4}, retry={"crash_limit": 2}))
    deaths = 0
    daemon.start(wait=False)
    while not daemon.drained(redis.client):
        until(lambda: not daemon.running or daemon.drained(redis.client), 60, "a death, or the end")
        if not daemon.running:
            deaths += 1
            assert deaths <= 4 * poisons, daemon.tail()
            daemon.kill()
            daemon.start(wait=False)
    assert everything_once(redis, mariadb, pushed, dead=poisons).classes() == {"crash": poisons}


@pytest.mark.parametrize("n", [10, 20])
def test_r8_an_owner_frozen_before_its_commit_does_not_commit_beside_the_children(
        redis, mariadb, headraced, new_proxy, n):
    proxy, pushed = new_proxy(mariadb), orders(n)
    limit = {"retry": {"crash_limit": 1}}
    one = frozen_before_its_commit(redis, proxy, headraced, pushed, **limit)
    two = headraced(redis, proxy, job=job(**limit), main=PATIENT, instance="two")
    two.until_drained(redis)
    woken(one, proxy)
    everything_once(redis, mariadb, pushed)
    assert mariadb.count("headrace_ledger") == 11, "parent and children"


def test_r9_an_item_buried_by_another_does_not_become_a_row_too(redis, mariadb, headraced, new_proxy):
    proxy, pushed = new_proxy(mariadb), orders(1)
    limit = {"retry": {"crash_limit": 1}}
    one = frozen_before_its_commit(redis, proxy, headraced, pushed, **limit)
    two = headraced(redis, proxy, job=job(**limit), main=PATIENT, instance="two")
    two.until_drained(redis)
    woken(one, proxy)
    letter, = everything_once(redis, mariadb, pushed, dead=1).letters
    assert letter["error"]["class"] == "crash" and letter["attempts"] == 1


def test_r10_a_second_owner_does_not_give_back(redis, mariadb, headraced, new_proxy):
    """It has begun nothing itself when it has to stop; but its predecessor may have."""
    proxy, pushed = new_proxy(mariadb), orders(20)
    one = frozen_before_its_commit(redis, proxy, headraced, pushed)
    two = headraced(redis, proxy, job=job(), main=PATIENT, instance="two", run=False)
    proxy.hold_request(LEDGER_QUESTION)
    two.start()
    until(lambda: proxy.holding == 2, what="the second owner asking the ledger")
    [id] = redis.client.hkeys(hr("orders", "own"))
    assert two.stop() == 0
    let_go = Scripts(redis.client, "orders").own(id)
    two.start().until_drained(redis)
    woken(one, proxy)
    everything_once(redis, mariadb, pushed)
    assert let_go and let_go.clean, "under its id"


def test_r11_what_redis_holds_is_not_swept(redis, mariadb, headraced, new_proxy):
    """Committed and not acknowledged before a long weekend; the rows of batches that are gone go."""
    proxy, pushed, gone = new_proxy(mariadb), orders(20), orders(40, seed=2)
    one = headraced(redis, proxy, job=job(**LONG_LEASE), instance="one")
    redis.client.rpush("orders", *gone)
    one.until_drained(redis)
    proxy.on_request(COMMIT, lambda: one.signal(signal.SIGSTOP))
    redis.client.rpush("orders", *pushed)
    until(lambda: proxy.pending == 0 and mariadb.count("orders") == 60, what="the rows")
    one.kill()
    [id] = redis.client.hkeys(hr("orders", "own"))
    before = mariadb.count("headrace_ledger")
    mariadb.execute("UPDATE headrace_ledger SET touched = NOW() - INTERVAL 4 DAY")
    young = orders(20, seed=3)
    two = headraced(redis, proxy, job=job(**LONG_LEASE), instance="two")
    two.until(lambda: mariadb.count("headrace_ledger") < before, what="the sweep")
    assert mariadb.execute("SELECT LOWER(HEX(id)) FROM headrace_ledger") == ((id.decode(),),)
    redis.client.rpush("orders", *young)
    two.until(lambda: mariadb.count("orders") == 80, what="the next items")
    assert two.stop() == 0
    one.start().until_drained(redis)
    everything_once(redis, mariadb, pushed + gone + young)


def test_r11_held_rows_do_not_hide_those_behind_them(redis, mariadb, headraced):
    """More rows stay than a sweep looks at in one go, and all are older than what may go."""
    s = Scripts(redis.client, "orders", instance="another")
    daemon, pushed = headraced(redis, mariadb, job=job()), orders(20)
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis)
    daemon.stop()
    gone = {id for (id,) in mariadb.execute("SELECT LOWER(HEX(id)) FROM headrace_ledger")}
    mariadb.execute("UPDATE headrace_ledger SET touched = NOW() - INTERVAL 4 DAY")
    held = [f"{i:032x}" for i in range(1, 601)]
    redis.client.rpush("orders", *orders(600, seed=2))
    for id in held:
        s.claim(id, items=1)
    mariadb.execute("INSERT INTO headrace_ledger (id, n, digest, queue, touched) SELECT UNHEX(a.id), 1, 'd',"
                    " l.queue, NOW() - INTERVAL 5 DAY FROM (" +
                    " UNION ALL ".join(f"SELECT '{id}' AS id" for id in held) + ") a,"
                    " (SELECT queue FROM headrace_ledger LIMIT 1) l")
    daemon.start()
    daemon.until(lambda: mariadb.count("headrace_ledger") <= len(held), what="the sweep")
    kept = {id for (id,) in mariadb.execute("SELECT LOWER(HEX(id)) FROM headrace_ledger")}
    assert gone and kept == set(held)


def test_r11_without_redis_nothing_is_swept(new_redis, mariadb, headraced):
    redis, pushed = new_redis(appendonly="yes"), orders(20)
    daemon = headraced(redis, mariadb, job=job())
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis)
    daemon.stop()
    mariadb.execute("UPDATE headrace_ledger SET touched = NOW() - INTERVAL 4 DAY")
    redis.kill()
    try:
        daemon.start()
        daemon.until(lambda: "sweeping the ledger" in daemon.log or not mariadb.count("headrace_ledger"),
                     what="the sweep given up")
        assert mariadb.count("headrace_ledger") == 1
    finally:
        redis.start()
