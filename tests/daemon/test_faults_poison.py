# SPDX-License-Identifier: MIT
"""Items that crash the worker, and items that are just bad: each fails alone, its neighbours are rows."""
import json

import pytest

from support import orders as shop
from support.check import everything_once, hr, payload
from support.headraced import POISON, POISONOUS, has_fault_points
from support.orders import BAD, bad, duplicate_of, encode, mixed, order, orders
from support.process import until

needs_fault_points = pytest.mark.skipif(not has_fault_points(), reason="no fault points in this build")


def poison(i=0, seed=66):
    return encode({**order(i, seed), "note": POISON.decode()})


def restarted_until_drained(daemon, redis, most):
    """As systemd would: each time it dies it is started again. Returns how often it died."""
    deaths = 0
    while True:
        until(lambda: not daemon.running or daemon.drained(redis.client), 60, "a death, or an empty list")
        if daemon.running:
            return deaths
        deaths += 1
        assert deaths <= most, f"died {deaths} times\n{daemon.tail()}"
        daemon.kill()
        daemon.start(wait=False)


@needs_fault_points
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
@pytest.mark.parametrize("n, limit", [(1, 3), (20, 3), (100, 2)])
def test_a_poison_item_dies_alone(redis, new_mariadb, headraced, delivery, n, limit):
    mariadb = new_mariadb(unique=False)
    pushed = orders(n - 1)
    pushed.insert(n // 3, poison())
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, env=POISONOUS, run=False,
                       job={"delivery": delivery, "retry": {"crash_limit": limit}})
    daemon.start(wait=False)
    deaths = restarted_until_drained(daemon, redis, most=limit + 10 + limit)
    letter, = everything_once(redis, mariadb, pushed, dead=1).letters
    assert letter["error"]["class"] == "crash" and payload(redis.client, letter) == poison()
    assert letter["attempts"] == limit
    assert deaths >= limit


@needs_fault_points
def test_r7_neighbours_in_flight_do_not_die_with_the_poison(redis, new_mariadb, headraced):
    """Several batches in flight at each crash, several poisons: only the poisons are dead."""
    mariadb = new_mariadb(unique=False)
    pushed = orders(1_000)
    for i in range(3):
        pushed.insert(300 * i + 50, poison(i))
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, env=POISONOUS, run=False, job={
        "sink": {"mysql": {"batch": {"rows": 20}}}, "limits": {"concurrency": 4},
        "retry": {"crash_limit": 2}})
    daemon.start(wait=False)
    restarted_until_drained(daemon, redis, most=60)
    accounts = everything_once(redis, mariadb, pushed, dead=3)
    assert accounts.classes() == {"crash": 3}


@needs_fault_points
def test_a_crash_of_one_job_does_not_cost_another_jobs_items(redis, new_mariadb, headraced):
    from support.headraced import order_job
    mariadb = new_mariadb(unique=False)
    shop.create_table(mariadb, "others", unique=False)
    jobs = {"orders": order_job(retry={"crash_limit": 2}),
            "others": order_job("others", "others", retry={"crash_limit": 2})}
    pushed, others = [poison()] + orders(50), orders(2_000, seed=5)
    redis.client.rpush("others", *others)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, env=POISONOUS, run=False, jobs=jobs)
    daemon.start(wait=False)
    restarted_until_drained(daemon, redis, most=30)
    daemon.until(lambda: daemon.drained(redis.client, "others"), what="the other list drained")
    everything_once(redis, mariadb, pushed, dead=1)
    everything_once(redis, mariadb, others, key="others", table="others")


# Bad items.

@pytest.mark.parametrize("kind", BAD)
def test_a_bad_item_is_a_dead_letter_with_its_reason_and_its_neighbours_are_rows(
        redis, mariadb, headraced, kind):
    _, error_class, code, column = BAD[kind]
    item, neighbours = bad(kind, 7), orders(20)
    redis.client.rpush("orders", *neighbours[:10], item, *neighbours[10:])
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    letter, = everything_once(redis, mariadb, neighbours + [item], dead=1).letters
    assert letter["error"]["class"] == error_class
    assert code is None or letter["error"]["code"] == code
    assert column is None or letter["error"]["column"] == column
    assert letter["job"] == "orders" and letter["attempts"] == 1 and letter["id"]
    assert payload(redis.client, letter) == item


def test_a_duplicate_key_is_a_dead_letter(redis, mariadb, headraced):
    pushed = orders(20) + [duplicate_of(3)]
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    letter, = everything_once(redis, mariadb, pushed, dead=1).letters
    assert letter["error"]["class"] == "row" and letter["error"]["code"] == 1062


def test_neighbours_of_bad_rows_are_committed_in_one_transaction(redis, mariadb, headraced):
    mariadb.execute("ALTER TABLE orders ADD COLUMN trx BIGINT UNSIGNED")
    mariadb.execute("CREATE TRIGGER whose BEFORE INSERT ON orders FOR EACH ROW"
                    " SET NEW.trx = (SELECT trx_id FROM information_schema.innodb_trx"
                    " WHERE trx_mysql_thread_id = CONNECTION_ID())")
    mariadb.execute("GRANT PROCESS ON *.* TO app@localhost")
    pushed, kinds = mixed(90, 9)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed, dead=9)
    assert mariadb.execute("SELECT COUNT(DISTINCT trx) FROM orders") == ((1,),)


def test_many_bad_ones_among_many(redis, mariadb, headraced):
    pushed, kinds = mixed(10_000, 500)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, job={"sink": {"mysql": {"batch": {"rows": 1000}}}})
    daemon.until_drained(redis)
    accounts = everything_once(redis, mariadb, pushed, dead=500)
    for letter in accounts.letters:
        kind = kinds[payload(redis.client, letter)]
        assert letter["error"]["class"] == BAD[kind][1], letter


def test_a_batch_of_nothing_but_bad_ones(redis, mariadb, headraced):
    pushed = [bad("text_too_long", i) for i in range(300)]
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed, dead=300)
    assert mariadb.count("orders") == 0


VALUES = """
CREATE TABLE exact (uid VARCHAR(36) PRIMARY KEY, big BIGINT NULL, num INT NULL, price DECIMAL(10,2) NULL,
                    doc TEXT NULL) ENGINE=InnoDB
"""


def value_job():
    names = ("customer_id", "amount", "note", "placed_at")
    return {"sink": {"mysql": {
        "statement": "INSERT INTO exact (uid, big, num, price, doc) VALUES (:uid, :big, :num, :price, :doc)",
        "params": {**dict.fromkeys(names), "big": ".big", "num": ".num", "price": ".price", "doc": ".doc"},
    }}}


@pytest.mark.parametrize("text, column, want", [
    ('"big": 9007199254740993', "big", 9007199254740993),
    ('"big": "9007199254740993"', "big", 9007199254740993),
    ('"price": 12.50', "price", "12.50"),
    ('"price": 0.1', "price", "0.10"),
    ('"price": 12345678.99', "price", "12345678.99"),
    ('"doc": "a\\u0000b"', "doc", "a\0b"),
    ('"num": true', "num", 1),
    ('"num": null', "num", None),
    ('"other": 1', "num", None),
])
def test_values_arrive_as_they_were_written(redis, mariadb, headraced, text, column, want):
    mariadb.script(VALUES)
    redis.client.rpush("orders", ('{"order_uid": "u", %s}' % text).encode())
    daemon = headraced(redis, mariadb, job=value_job())
    daemon.until_drained(redis)
    assert not redis.client.lrange("orders:dead", 0, -1)
    [[got]] = mariadb.execute(f"SELECT {column} FROM exact")
    assert (str(got) if isinstance(want, str) and column == "price" else got) == want


def test_an_object_goes_into_a_text_column_as_json_digit_for_digit(redis, mariadb, headraced):
    mariadb.script(VALUES)
    redis.client.rpush("orders", b'{"order_uid": "u", "doc": {"a": [1, 2.50, 9007199254740993, null]}}')
    daemon = headraced(redis, mariadb, job=value_job())
    daemon.until_drained(redis)
    [[got]] = mariadb.execute("SELECT doc FROM exact")
    assert json.loads(got, parse_float=str) == {"a": [1, "2.50", 9007199254740993, None]}


@pytest.mark.parametrize("text", [
    '"num": 1.7', '"price": 1.239', '"num": 2147483648', '"num": "12x"', '"big": 9223372036854775808',
    '"num": {"a": 1}', '"price": "abc"', '"price": 123456789.00',
])
def test_a_value_that_does_not_fit_is_a_dead_letter_not_a_rounding(redis, mariadb, headraced, text):
    mariadb.script(VALUES)
    item = ('{"order_uid": "u", %s}' % text).encode()
    good = b'{"order_uid": "good", "num": 1}'
    redis.client.rpush("orders", item, good)
    daemon = headraced(redis, mariadb, job=value_job())
    daemon.until_drained(redis)
    assert mariadb.column("exact", "uid") == ["good"]
    letter = json.loads(redis.client.lindex("orders:dead", 0))
    assert letter["error"]["class"] == "row"
    assert letter["error"]["column"] == text.split('"')[1]
    assert payload(redis.client, letter) == item


@pytest.mark.parametrize("item", [
    b"", b"null", b"[]", b"1", b'"text"', b"{", b"\xff\xfe\xfd", b"\0", b"{}{}", b'{"order_uid": "a"',
    b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b'{"order_uid": "a", "note": "\xc3"}',
    b'{"order_uid": "\\ud800"}',
], ids=lambda b: repr(b[:12]))
def test_whatever_is_pushed_never_stops_the_neighbours(redis, mariadb, headraced, item):
    neighbours = orders(10)
    redis.client.rpush("orders", *neighbours[:5], item, *neighbours[5:])
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    assert mariadb.column("orders", "uid") == shop.uids(10)
    letter = json.loads(redis.client.lindex("orders:dead", 0))
    assert payload(redis.client, letter) == item and redis.client.llen("orders:dead") == 1


def test_a_payload_that_is_too_long_is_set_aside_unread(redis, mariadb, headraced):
    huge = encode({**order(5, 3), "note": "x" * 300_000})
    pushed = orders(10) + [huge] + orders(10, seed=2)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    letter, = everything_once(redis, mariadb, pushed, dead=1).letters
    assert letter["error"]["class"] == "max_payload" and letter["payload_bytes"] == len(huge)
    assert redis.client.hget(hr("orders", "oversize"), letter["payload_at"]) == huge
    assert daemon.metric("headrace_items_finished_total", outcome="dead") == 1


def test_a_retry_waits_in_redis_and_keeps_its_attempts_over_a_restart(redis, mariadb, headraced):
    """1644 made retryable would do; here: an error of no known class, fixed later."""
    mariadb.execute("CREATE TRIGGER strange BEFORE INSERT ON orders FOR EACH ROW BEGIN"
                    " IF NEW.customer_id = 13 THEN"
                    " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 4242, MESSAGE_TEXT = 'strange'; END IF; END")
    item, neighbours = encode({**order(5, 3), "customer_id": 13}), orders(20)
    redis.client.rpush("orders", *neighbours, item)
    daemon = headraced(redis, mariadb, job={"retry": {"attempts": 3, "backoff": {"first": "300ms"}}})
    daemon.until(lambda: redis.client.zcard(hr("orders", "delayed")) == 1, what="the item waiting")
    daemon.until(lambda: mariadb.count("orders") == 20, what="its neighbours in")
    daemon.restart()
    daemon.until_drained(redis)
    letter, = everything_once(redis, mariadb, neighbours + [item], dead=1).letters
    assert letter["attempts"] == 3 and letter["error"]["code"] == 4242


def test_a_full_dead_list_stops_claiming_and_is_unhealthy_until_there_is_room(redis, mariadb, headraced):
    pushed = [bad("not_json", i) for i in range(10)] + orders(50)
    job = {"dead_letter": {"redis_list": {"server": "queue", "key": "orders:dead"}, "limit": {"items": 5}},
           "sink": {"mysql": {"batch": {"rows": 10}}}, "limits": {"concurrency": 1}}
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, job=job)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    assert redis.client.llen("orders") == 50, "one batch overshoots, then nothing more is claimed"
    kept = redis.client.lrange("orders:dead", 0, -1)
    redis.client.delete("orders:dead")
    daemon.until_drained(redis)
    daemon.until(daemon.healthy, what="healthy again")
    redis.client.rpush("orders:dead", *kept)
    everything_once(redis, mariadb, pushed, dead=10)
