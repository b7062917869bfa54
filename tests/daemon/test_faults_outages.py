# SPDX-License-Identifier: MIT
"""MariaDB is away, refuses, deadlocks or stalls: no attempt is used up, no dead letter is written,
and work goes on by itself. A wrong statement pauses the job and says so."""
import pymysql
import pytest

from support.check import everything_once, hr, no_attempt_used
from support.headraced import order_job
from support.orders import orders, uid
from support.scripts import Scripts, sink_print
from support.servers import COMMIT, ONCE

# One attempt an item: an outage that used it up would be a dead letter.
ONE_ATTEMPT = {"retry": {"attempts": 1}}
SLOW = {"sink": {"mysql": {"batch": {"rows": 20}}}, **ONE_ATTEMPT}
FEW = {"sink": {"mysql": {"batch": {"rows": 5}}}, **ONE_ATTEMPT}


def test_mariadb_is_away_at_the_start_and_comes(redis, mariadb, headraced):
    pushed = orders(300)
    redis.client.rpush("orders", *pushed)
    mariadb.stop()
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy without its sink")
    assert no_attempt_used(redis)
    mariadb.start()
    daemon.until_drained(redis)
    daemon.until(daemon.healthy, what="healthy again")
    everything_once(redis, mariadb, pushed)


def test_mariadb_goes_away_for_longer_than_a_lease(redis, mariadb, headraced):
    """The batches in hand wait, their leases renewed: nobody takes them over."""
    pushed = orders(2_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    mariadb.kill()
    daemon.until(lambda: redis.client.hlen(hr("orders", "own")) > 0, what="a batch in hand")
    leases = lambda: redis.client.zrange(hr("orders", "leases"), 0, -1, withscores=True)
    first = leases()
    daemon.until(lambda: leases() and leases()[0][1] > first[0][1] + 2500, what="leases renewed often")
    assert no_attempt_used(redis)
    mariadb.start()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    assert daemon.metric("headrace_leases_recovered_total", job="orders") == 0


@pytest.mark.parametrize("job, commit", [(SLOW, COMMIT), (FEW, ONCE)], ids=["apart", "at-once"])
def test_mariadb_is_killed_during_commits(redis, mariadb, headraced, new_proxy, job, commit):
    """At a commit of its own, and at one in the request that does it all: the outcome is unknown
    until the ledger is asked."""
    proxy, pushed = new_proxy(mariadb), orders(3_000)
    daemon = headraced(redis, proxy, job=job)
    for part in range(6):
        proxy.on_request(commit, lambda: mariadb.signal(9))
        redis.client.rpush("orders", *pushed[part * 500:part * 500 + 500])
        daemon.until(lambda: not mariadb.running, what="the kill at a commit")
        mariadb.kill()
        mariadb.start()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_read_only(redis, mariadb, headraced):
    pushed = orders(300)
    mariadb.execute("SET GLOBAL read_only = 1")
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    assert no_attempt_used(redis) and mariadb.count("orders") == 0
    mariadb.execute("SET GLOBAL read_only = 0")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_too_many_connections(redis, new_mariadb, headraced):
    mariadb = new_mariadb(max_connections=10)
    taken = []
    with pytest.raises(pymysql.OperationalError):
        while True:
            taken.append(pymysql.connect(unix_socket=mariadb.socket, user="app", database="shop"))
    pushed = orders(300)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    assert no_attempt_used(redis)
    for connection in taken:
        connection.close()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


@pytest.mark.parametrize("kill", ["KILL", "KILL QUERY"], ids=["connections", "queries"])
def test_killed(redis, mariadb, headraced, kill):
    """1317 after KILL QUERY: the statement is over, the connection is not; transient."""
    pushed = orders(4_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    redis.client.rpush("orders", *pushed)
    for mark in range(200, 3_600, 200):
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        for session in mariadb.sessions():
            try:
                mariadb.execute(f"{kill} {session}")
            except pymysql.OperationalError as error:
                assert error.args[0] == 1094  # gone by itself meanwhile
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_lock_wait_timeout(redis, new_mariadb, headraced):
    """1205 rolls back the statement only: the ledger row must not stay in the transaction."""
    mariadb, pushed = new_mariadb(innodb_lock_wait_timeout=1), orders(100)
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("INSERT INTO orders (uid, customer_id, amount, placed_at)"
                       " VALUES (%s, 1, 1, NOW())", (uid(50),))
        redis.client.rpush("orders", *pushed)
        waits = "SELECT variable_value FROM information_schema.global_status" \
                " WHERE variable_name = 'Innodb_row_lock_waits'"
        daemon.until(lambda: int(mariadb.execute(waits)[0][0]) >= 3, what="a third wait for the lock")
        assert no_attempt_used(redis)
        lock.rollback()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_deadlock_is_retried_at_once(redis, mariadb, headraced):
    """The other transaction has written more, so InnoDB sacrifices the daemon's."""
    mariadb.execute("CREATE TABLE filler (a INT) ENGINE=InnoDB")
    pushed = orders(40)
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    insert = "INSERT INTO orders (uid, customer_id, amount, placed_at) VALUES (%s, 1, 1, NOW())"
    with mariadb.connect(autocommit=False) as other, other.cursor() as cursor:
        cursor.executemany("INSERT INTO filler VALUES (%s)", [(i,) for i in range(2000)])
        cursor.execute(insert, (uid(39),))            # the daemon will wait for this row…
        redis.client.rpush("orders", *pushed)
        daemon.until(mariadb.waiting_for_locks, what="the daemon waiting")
        cursor.execute(insert, (uid(0),))             # …and we ask for the daemon's
        other.rollback()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    deadlocks = "SELECT variable_value FROM information_schema.global_status" \
                " WHERE variable_name = 'Innodb_deadlocks'"
    assert int(mariadb.execute(deadlocks)[0][0]) == 1


def test_a_server_that_stalls_holds_up_nothing_else(redis, mariadb, headraced):
    """mariadbd stopped in mid-work: timeouts fire, the admin server answers, work goes on after."""
    pushed = orders(3_000)
    daemon = headraced(redis, mariadb, job=SLOW, main={
        "servers": {"shop": {"mysql": {"timeouts": {"connect": "500ms", "query": "1s"}}}}})
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    mariadb.freeze()
    try:
        daemon.until(lambda: not daemon.healthy(), what="unhealthy")
        assert daemon.status()["ready"] >= 0 and daemon.alive()
        assert no_attempt_used(redis)
    finally:
        mariadb.thaw()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


# A configuration that does not fit the database.

def wrong(job):
    """Pauses the job: nothing is claimed any more, nothing dead-lettered, and status says why."""
    def check(redis, mariadb, headraced, because):
        pushed = orders(50)
        redis.client.rpush("orders", *pushed)
        daemon = headraced(redis, mariadb, job=job)
        daemon.until(lambda: daemon.status()["state"] != "running" and daemon.status()["reason"],
                     what="the job paused")
        daemon.until(lambda: not daemon.healthy(), what="unhealthy")
        assert because in daemon.status()["reason"]
        assert no_attempt_used(redis) and daemon.alive()
        return daemon, pushed
    return check


def replaced_params(sql):
    """order_job() has more parameters than a statement of one column uses."""
    none = {"customer_id": None, "amount": None, "note": None, "placed_at": None}
    return {"sink": {"mysql": {"statement": sql, "params": {"uid": ".order_uid", **none}}}}


def test_a_missing_column_pauses_the_job_until_it_is_there(redis, mariadb, headraced):
    mariadb.script("CREATE TABLE few (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB")
    job = replaced_params("INSERT INTO few (uid) VALUES (:uid)")
    daemon, pushed = wrong(job)(redis, mariadb, headraced, "1054")
    mariadb.execute("ALTER TABLE few ADD COLUMN uid VARCHAR(36)")
    daemon.until_drained(redis, timeout=60)  # the statement is tried again every 30 s
    daemon.until(daemon.healthy, what="healthy again")
    everything_once(redis, mariadb, pushed, table="few")


@pytest.mark.parametrize("sql, because", [
    ("INSERT INTO nowhere (uid) VALUES (:uid)", "1146"),
    ("INSERT INTO orders uid :uid", "1064"),
    ("INSERT INTO secrets.things (uid) VALUES (:uid)", "1142"),
], ids=["missing table", "syntax", "no grant"])
def test_a_wrong_statement_pauses_the_job(redis, mariadb, headraced, sql, because):
    mariadb.script("CREATE DATABASE secrets; CREATE TABLE secrets.things (uid VARCHAR(36))")
    daemon, pushed = wrong(replaced_params(sql))(redis, mariadb, headraced, because)
    daemon.kill()
    assert redis.client.llen("orders") + sum(
        redis.client.llen(k) for k in redis.client.keys(hr("orders", "batch:*"))) == len(pushed)


@pytest.mark.parametrize("delivery", ["exactly_once", "at_most_once"])
def test_the_outage_of_one_jobs_server_is_not_another_jobs(redis, new_mariadb, headraced, delivery):
    """A suspect is handled alone in the process; to be alone, nobody waits for an outage to end."""
    mariadb, away = new_mariadb(unique=False), new_mariadb("others", unique=False)
    jobs = {"orders": order_job(), "others": order_job("others", "others", delivery=delivery,
                                                       sink={"mysql": {"server": "away"}})}
    daemon = headraced(redis, mariadb, jobs=jobs,
                       main={"servers": {"away": {"mysql": {"url": away.url}}}})
    s = Scripts(redis.client, "orders", sink=sink_print(redis, mariadb, daemon))
    pushed, others = orders(50), orders(2_000, seed=5)
    away.kill()
    redis.client.rpush("others", *others)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    redis.client.set(s.key("paused"), "while a daemon claims and dies")
    daemon.until(lambda: daemon.status()["state"] == "paused", what="the pause seen")
    redis.client.rpush("orders", *pushed)
    with redis.client.pipeline() as at_once:
        at_once.delete(s.key("paused"))
        Scripts(at_once, "orders", sink=s.print).claim("%032x" % 8, token="gone", items=20, lease=1)
        at_once.execute()
    daemon.until_drained(redis)
    assert not daemon.healthy() and daemon.metric("headrace_leases_recovered_total", job="orders") == 1
    everything_once(redis, mariadb, pushed)
    away.start()
    daemon.until(lambda: away.count("others") == len(others), what="the other job's rows")
    daemon.until_drained(redis, key="others")
    everything_once(redis, away, others, key="others", table="others")


def test_one_item_is_enough_to_be_misconfigured(redis, mariadb, headraced):
    """The worker that waits for the next item has nothing to complain of, and does not hide it."""
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    redis.client.rpush("orders", *orders(10))
    daemon.until_drained(redis)
    mariadb.execute("RENAME TABLE orders TO elsewhere")
    pushed = orders(1, seed=2)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: daemon.status()["state"] == "misconfigured", what="misconfigured")
    daemon.until(lambda: redis.client.info("clients")["blocked_clients"] == 0, what="the look to end")
    redis.client.rpush("orders", *orders(1, seed=3))
    for _ in range(20):
        assert daemon.status()["state"] == "misconfigured" and "1146" in daemon.status()["reason"]
    assert not daemon.healthy() and no_attempt_used(redis)
    assert redis.client.llen("orders") == 1, "nothing more is claimed"
    mariadb.execute("RENAME TABLE elsewhere TO orders")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, orders(10) + pushed + orders(1, seed=3))


def test_a_table_without_transactions_pauses_the_job(redis, mariadb, headraced):
    mariadb.execute("CREATE TABLE plain (uid VARCHAR(36)) ENGINE=MyISAM")
    job = replaced_params("INSERT INTO plain (uid) VALUES (:uid)")
    wrong(job)(redis, mariadb, headraced, "plain")


def test_a_full_table_space_or_quota_pauses_without_dead_letters(redis, mariadb, headraced):
    """1114 by a MEMORY table would not be transactional; a trigger says the same."""
    mariadb.execute("CREATE TRIGGER full BEFORE INSERT ON orders FOR EACH ROW"
                    " SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'table is full'")
    pushed = orders(50)
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    assert no_attempt_used(redis)
    mariadb.execute("DROP TRIGGER full")
    daemon.until_drained(redis, timeout=60)
    everything_once(redis, mariadb, pushed)
