# SPDX-License-Identifier: MIT
"""Redis dies, refuses or stalls: nothing is lost, doubled or stuck, no item pays."""
import os
import signal

import pytest
from redis import ResponseError

from support.check import everything_once, hr, no_attempt_used
from support.orders import orders
from support.scripts import Scripts, sink_print

ONE_ATTEMPT = {"retry": {"attempts": 1}}
SLOW = {"sink": {"mysql": {"batch": {"rows": 20}}}, **ONE_ATTEMPT}
IMPATIENT = {"servers": {"queue": {"redis": {"timeouts": {"connect": "500ms", "command": "1s"}}}}}
LONG_LEASE = {"source": {"redis_list": {"lease": "10m"}}}


@pytest.fixture
def mariadb(new_mariadb):
    return new_mariadb(unique=False)  # doubled orders are rows to be counted


def no_takeover(daemon):
    return daemon.metric("headrace_leases_recovered_total", job="orders") == 0


def test_a_batch_survives_the_death_of_redis(redis, mariadb, headraced):
    pushed = orders(4_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    redis.client.rpush("orders", *pushed)
    for mark in (100, 900, 1800, 3000):
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        redis.restart()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    assert no_takeover(daemon), "the owner is alive: its leases are renewed, not taken"


def test_redis_is_away_at_the_start_and_comes(redis, mariadb, headraced):
    pushed = orders(300)
    redis.client.rpush("orders", *pushed)
    redis.kill()
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy without its source")
    redis.start()
    daemon.until_drained(redis)
    daemon.until(daemon.healthy, what="healthy again")
    everything_once(redis, mariadb, pushed)


def test_redis_frozen_for_longer_than_a_lease_counts_no_crash(redis, mariadb, headraced):
    """After it all leases are over and all owners alive: the living renew first."""
    pushed = orders(4_000)
    pair = [headraced(redis, mariadb, job=SLOW, main=IMPATIENT, instance=name) for name in ("one", "two")]
    redis.client.rpush("orders", *pushed)
    pair[0].until(lambda: mariadb.count("orders") > 400, what="400 rows")
    redis.freeze()
    try:
        for daemon in pair:
            daemon.until(lambda d=daemon: not d.healthy(), what="unhealthy")
        lease_over = redis_clock_passes(2.5)
        pair[0].until(lease_over, what="leases over")
    finally:
        redis.thaw()
    pair[0].until_drained(redis)
    everything_once(redis, mariadb, pushed)
    for daemon in pair:
        assert no_takeover(daemon), "\n".join(d.log for d in pair)


def redis_clock_passes(seconds):
    """A condition that comes true so much later: Redis' clock cannot be asked while it is frozen."""
    import time
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def test_misconf_is_waited_out(redis, mariadb, headraced):
    """Redis cannot save and refuses every write: a directory stands where its snapshot should."""
    client, pushed = redis.client, orders(3_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    os.mkdir(os.path.join(redis.folder, "dump.rdb"))
    client.config_set("save", "3600 1")
    client.bgsave()
    daemon.until(lambda: refused(client, "MISCONF"), what="MISCONF")
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    assert no_attempt_used(redis)
    os.rmdir(os.path.join(redis.folder, "dump.rdb"))
    client.config_set("save", "")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def refused(client, word):
    try:
        client.set("probe", "x")
        client.delete("probe")
        return False
    except ResponseError as error:
        return word in str(error)


def test_readonly_is_waited_out(redis, mariadb, headraced):
    """A demoted primary: still there, still full, takes no write."""
    pushed = orders(3_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    redis.client.replicaof("127.0.0.1", 1)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    assert no_attempt_used(redis)
    redis.client.replicaof("NO", "ONE")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_password_that_is_wrong_for_a_while_is_waited_out(redis, mariadb, headraced):
    """Somebody changed it under the daemon, and all its connections are new ones."""
    pushed = orders(3_000)
    allow(redis.client, "s3cret")
    daemon = headraced(redis, mariadb, job=SLOW, main={"servers": {
        "queue": {"redis": {"user": "app", "password": "s3cret"}}}})
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") > 200, what="200 rows")
    allow(redis.client, "another")
    redis.client.execute_command("CLIENT", "KILL", "USER", "app")
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    daemon.until(lambda: "WRONGPASS" in daemon.log, what="the log saying why")
    assert no_attempt_used(redis)
    allow(redis.client, "s3cret")
    daemon.until_drained(redis)
    daemon.until(daemon.healthy, what="healthy again")
    everything_once(redis, mariadb, pushed)
    assert "s3cret" not in daemon.log


def allow(client, password):
    client.acl_setuser("app", enabled=True, reset=True, passwords=["+" + password], keys=["*"],
                       channels=["*"], commands=["+@all"])


def test_loading_is_waited_out(new_redis, mariadb, headraced):
    redis, pushed = new_redis(), orders(500)
    redis.client.mset({f"filler {i}": "x" * 1000 for i in range(60)})
    redis.client.rpush("orders", *pushed)
    redis.client.save()
    redis.stop()
    redis.options.update({"key-load-delay": 20_000, "loading-process-events-interval-bytes": 1024})
    redis.start(wait=False)
    daemon = headraced(redis, mariadb, job=ONE_ATTEMPT)
    daemon.until(lambda: mariadb.count("orders") == 500, what="all rows")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_redis_at_maxmemory_drains_to_empty(new_redis, mariadb, headraced):
    """Its first write frees memory, script by script; BLMOVE is refused, so the claim is polled."""
    redis = new_redis(maxmemory="6mb", maxmemory_policy="noeviction")
    daemon = headraced(redis, mariadb, job=SLOW, run=False)
    pushed = []
    with pytest.raises(ResponseError, match="maxmemory"):
        while True:
            part = orders(100, seed=len(pushed) + 1)
            redis.client.rpush("orders", *part)
            pushed += part
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_an_unsolicited_error_as_the_first_reply(redis, mariadb, headraced, new_proxy):
    """What a Redis at maxclients says before anything was asked."""
    proxy, pushed = new_proxy(redis), orders(100)
    proxy.greet(b"-ERR max number of clients reached\r\n", times=6)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(proxy, mariadb, job=ONE_ATTEMPT)
    daemon.until_drained(redis)
    assert proxy.connections > 6
    everything_once(redis, mariadb, pushed)


def test_attempts_to_connect_are_many_in_a_lease(redis, mariadb, headraced, new_proxy):
    """The living have to renew before one who was back a lease ago takes over: with a lease of 2 s no
    rest is longer than a quarter of a second, however long the outage was."""
    proxy = new_proxy(redis)
    daemon = headraced(proxy, mariadb, job=ONE_ATTEMPT)
    daemon.until(daemon.healthy, what="healthy")
    proxy.greet(b"-ERR max number of clients reached\r\n", times=1_000)
    before = proxy.connections
    proxy.cut()
    daemon.until(lambda: proxy.connections > before + 30, timeout=15, what="30 attempts")


def test_scripts_flushed_in_mid_work(redis, mariadb, headraced):
    pushed = orders(3_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    redis.client.rpush("orders", *pushed)
    for mark in range(100, 2_500, 200):
        daemon.until(lambda: mariadb.count("orders") >= mark, what=f"{mark} rows")
        redis.client.script_flush()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_r4_a_claim_executed_late_is_an_orphan_that_is_recovered(redis, mariadb, headraced):
    """The request sat in a socket: Redis executes it after its sender asked, got nothing and moved on."""
    daemon = headraced(redis, mariadb, job=SLOW)
    daemon.until(daemon.healthy, what="healthy")
    pushed, s = orders(40), Scripts(redis.client, "orders", sink=sink_print(redis, mariadb, daemon))
    redis.client.set(s.key("paused"), "while the late request comes first")
    daemon.until(lambda: daemon.status()["state"] != "running", what="the pause seen")
    redis.client.rpush("orders", *pushed)
    redis.client.delete(s.key("paused"))
    late = "%032x" % 77
    s.claim(late, token="forgotten", items=20, lease=1000)
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_batch_of_another_sink_is_not_touched(redis, mariadb, headraced):
    """The outcome of such a batch would be written elsewhere: it stays as it is, status says so for as
    long as it lies there, and the job does its own work."""
    s = Scripts(redis.client, "orders", sink="another")
    redis.client.rpush("orders", *orders(5))
    s.claim("%032x" % 5, token="gone", lease=1)
    before = s.own("%032x" % 5)
    daemon = headraced(redis, mariadb, job=SLOW)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    more = orders(50, seed=2)
    redis.client.rpush("orders", *more)
    daemon.until(lambda: mariadb.count("orders") == 50, what="its own items done")
    assert not daemon.healthy() and daemon.status()["state"] == "misconfigured"
    assert s.own("%032x" % 5) == before and s.batch("%032x" % 5) == orders(5)
    daemon.restart()
    daemon.until(lambda: daemon.status()["state"] == "misconfigured", what="unhealthy after a restart")
    s.takeover("%032x" % 5, 1, "theirs")
    assert s.ack("%032x" % 5, "theirs") == b"OK"
    daemon.until(daemon.healthy, what="healthy again by itself")
    everything_once(redis, mariadb, more)


def test_what_was_let_go_cleanly_is_taken_at_once(redis, mariadb, headraced):
    """It has no living owner: nobody waits a lease of ten minutes for one that could renew."""
    pushed = orders(20)
    one = headraced(redis, mariadb, job={**SLOW, **LONG_LEASE}, main={"shutdown": {"grace": "1s"}},
                    instance="one")
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("SELECT * FROM orders FOR UPDATE")
        redis.client.rpush("orders", *pushed)
        one.until(lambda: redis.client.hlen(hr("orders", "own")) == 1 and mariadb.in_transaction() > 0,
                  what="a batch begun")
        assert one.stop() == 0
        lock.rollback()
    assert redis.client.hlen(hr("orders", "own")) == 1
    two = headraced(redis, mariadb, job={**SLOW, **LONG_LEASE}, instance="two")
    two.until_drained(redis, timeout=30)
    everything_once(redis, mariadb, pushed)


def test_a_batch_whose_items_somebody_deleted_is_cleared_up(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb, job=SLOW)
    s = Scripts(redis.client, "orders", sink=sink_print(redis, mariadb, daemon))
    daemon.kill()
    redis.client.rpush("orders", *orders(5))
    s.claim("%032x" % 5, token="gone", lease=1)
    redis.client.delete(s.key("batch:%032x" % 5))
    daemon.start().until_drained(redis)
    daemon.until(lambda: "%032x" % 5 in daemon.log, what="the log saying so")


def test_r6_a_ledger_row_of_another_content_is_not_believed(redis, mariadb, headraced):
    """An operator's accident: the id is in the ledger already. The batch is renamed, not lost."""
    daemon = headraced(redis, mariadb, job=SLOW)
    sink = sink_print(redis, mariadb, daemon)
    daemon.kill()
    id, pushed, s = "%032x" % 6, orders(10), Scripts(redis.client, "orders", sink=sink)
    mariadb.execute("INSERT INTO headrace_ledger (id, n, digest, queue)"
                    " SELECT UNHEX(%s), 3, 'whatever', queue FROM headrace_ledger LIMIT 1", (id,))
    redis.client.rpush("orders", *pushed)
    s.claim(id, token="gone", lease=1)
    daemon.start().until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_manual_pause_holds_for_all_daemons_and_over_restarts(redis, mariadb, headraced):
    one = headraced(redis, mariadb, job=SLOW, instance="one")
    two = headraced(redis, mariadb, job=SLOW, instance="two")
    one.pause()
    for daemon in (one, two):
        daemon.until(lambda d=daemon: d.status()["state"] == "paused", what="paused")
    pushed = orders(200)
    redis.client.rpush("orders", *pushed)
    two.restart()
    two.until(lambda: two.status()["state"] == "paused", what="paused after a restart")
    assert redis.client.llen("orders") == 200
    two.resume()
    one.until_drained(redis)
    everything_once(redis, mariadb, pushed)


def test_a_foreign_consumer_may_take_from_the_list_too(redis, mariadb, headraced):
    pushed, taken = orders(2_000), []
    daemon = headraced(redis, mariadb, job=SLOW)
    for i in range(0, 2_000, 100):
        redis.client.rpush("orders", *pushed[i:i + 100])
        item = redis.client.lpop("orders")
        if item:
            taken.append(item)
    daemon.until_drained(redis)
    everything_once(redis, mariadb, [p for p in pushed if p not in set(taken)])


def test_a_push_into_an_idle_list_is_seen_without_polling(redis, mariadb, headraced):
    """And by a push that no waiter sees as one: by a script, by a rename, by a retry coming due."""
    daemon = headraced(redis, mariadb, job=SLOW)
    daemon.until(daemon.healthy, what="healthy")
    first, second = orders(1, seed=3), orders(1, seed=4)
    redis.client.eval("return redis.call('RPUSH', KEYS[1], ARGV[1])", 1, "orders", first[0])
    daemon.until(lambda: mariadb.count("orders") == 1, what="a script's push")
    redis.client.rpush("elsewhere", *second)
    redis.client.rename("elsewhere", "orders")
    daemon.until(lambda: mariadb.count("orders") == 2, what="a renamed list")
    daemon.until_drained(redis)
    everything_once(redis, mariadb, first + second)


def test_sighup_does_not_kill(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb, job=SLOW)
    daemon.signal(signal.SIGHUP)
    pushed = orders(100)
    redis.client.rpush("orders", *pushed)
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
