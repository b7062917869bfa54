# SPDX-License-Identifier: MIT
"""What bad input and bad days get, each with the test that fails without it; what no other file has
is here.

bad input                                       test
mistakes in a configuration                     tests/config/cases, test_check_… in test_headracectl_files.py
not JSON, wrong types, too long, no UTF-8,      test_a_bad_item_is_a_dead_letter_… and
empty, NUL, deep nesting                        test_whatever_is_pushed_… in test_faults_poison.py
digits beyond a double, 1.7 for an integer,     test_values_arrive_… and test_a_value_that_does_not_fit_…
1.239 for DECIMAL(10,2)                         in test_faults_poison.py
300 KiB                                         test_a_payload_that_is_too_long_… in test_faults_poison.py
their neighbours are rows of one transaction    test_neighbours_of_bad_rows_… in test_faults_poison.py
what a column cannot hold is not even sent      test_values_that_cannot_fit_are_not_sent here
an item that crashes the daemon                 test_a_poison_item_dies_alone in test_faults_poison.py

bad days
kill -9 every second over 20,000 items          test_kill_9_… in test_faults_crashes.py
stopped beyond the lease, and continued         test_frozen_… in test_faults_crashes.py
Redis killed, with an AOF                       test_a_batch_survives_the_death_of_redis in test_faults_redis.py
MariaDB killed during commits                   test_mariadb_is_killed_… in test_faults_outages.py
all three                                       test_daemon_redis_and_mariadb_all_killed in test_faults_crashes.py
a host that vanishes in mid-transaction         test_a_host_vanishes_… in test_faults_crashes.py
MariaDB away, read-only, full, too many         test_faults_outages.py, each by its name
connections, deadlock, lock wait, killed
a missing column, a wrong statement             test_a_missing_column_… in test_faults_outages.py
a statement that is too slow                    test_slow.py
Redis at maxmemory                              test_a_redis_at_maxmemory_… in test_faults_redis.py
MISCONF, LOADING, READONLY, -ERR as the first   test_faults_redis.py, each by its name
reply
connections half-open or cut, split replies,    test_faults_network.py, each by its name
lost messages
SIGTERM under load, and with frozen servers     test_faults_drain.py
SIGHUP                                          test_sighup_does_not_kill in test_faults_redis.py
a sink that is slow: nothing more is claimed    test_a_slow_sink_… and test_memory_… here
"""
import os
import stat

from support.check import everything_once, hr
from support.orders import bad, duplicate_of, encode, order, orders


def batches(redis):
    return redis.client.hlen(hr("orders", "own"))


def renewed_thrice(daemon, redis):
    """Lets some time pass: until the leases that are held have been renewed three times."""
    leases = lambda: max([0, *(at for _, at in redis.client.zrange(hr("orders", "leases"), 0, -1, withscores=True))])
    for _ in range(3):
        before = leases()
        daemon.until(lambda: leases() > before, what="a renewal")


def locked(mariadb):
    """A connection that holds up every insert until it is closed."""
    lock = mariadb.connect(autocommit=False)
    lock.cursor().execute("SELECT * FROM orders FOR UPDATE")
    return lock


def test_values_that_cannot_fit_are_not_sent(redis, mariadb, headraced):
    """The server would refuse the statement, and would have to be asked which row it was."""
    questions = lambda: int(mariadb.execute("SHOW GLOBAL STATUS LIKE 'Com_get_diagnostics'")[0][1])
    pushed = orders(20) + [bad(kind, i) for i, kind in enumerate(
        ("text_too_long", "out_of_range", "negative", "bad_date", "null_field"))]
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    letters = everything_once(redis, mariadb, pushed, dead=5).letters
    assert sorted(letter["error"]["code"] for letter in letters) == [1048, 1264, 1264, 1292, 1406]
    assert questions() == 0
    redis.client.rpush("orders", *orders(5, seed=2), duplicate_of(3))
    daemon.until_drained(redis)
    assert questions() > 0, "only the server knows of duplicates"


def test_a_slow_sink_is_not_claimed_for(redis, mariadb, headraced):
    """As many batches as may be in flight, however long the list: the backlog stays where it is."""
    pushed = orders(2_000)
    with locked(mariadb) as lock:
        daemon = headraced(redis, mariadb, job={"sink": {"mysql": {"batch": {"rows": 20}}},
                                                "limits": {"concurrency": 3}})
        redis.client.rpush("orders", *pushed)
        daemon.until(lambda: batches(redis) == 3, what="three batches")
        renewed_thrice(daemon, redis)
        assert batches(redis) == 3 and redis.client.llen("orders") == 2_000 - 60
        lock.rollback()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_memory_is_bounded_however_much_may_be_in_flight(redis, mariadb, headraced):
    pushed = [encode({**order(i, 1), "more": "x" * 10_000}) for i in range(3_000)]
    used = lambda: daemon.metric("headrace_memory_bytes")
    with locked(mariadb) as lock:
        daemon = headraced(redis, mariadb, main={"limits": {"memory": "8MiB"}},
                           job={"limits": {"concurrency": 32}, "sink": {"mysql": {"batch": {"rows": 50}}}})
        redis.client.rpush("orders", *pushed)
        daemon.until(lambda: used() > 0.8 * 8 * 2**20, what="the budget used up")
        before = batches(redis)
        renewed_thrice(daemon, redis)
        assert batches(redis) == before < 32
        assert used() < 10 * 2**20
        lock.rollback()
    daemon.until_drained(redis)
    daemon.until(lambda: used() < 2 * 2**20, what="the memory given back")
    everything_once(redis, mariadb, pushed)


def test_the_admin_socket_is_for_its_group(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    assert stat.S_IMODE(os.stat(daemon.admin_socket).st_mode) == 0o660
