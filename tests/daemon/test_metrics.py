# SPDX-License-Identifier: MIT
"""/metrics: every series by its name and labels, and what the less obvious ones mean."""
from support.orders import bad, encode, order, orders
from support.process import until

ONE_EACH = """
headrace_items_claimed_total{job} headrace_items_finished_total{job,outcome}
headrace_attempts_total{job,result,class} headrace_queue_items{job,state}
headrace_queue_oldest_age_seconds{job} headrace_last_progress_timestamp_seconds{job}
headrace_sink_duration_seconds_bucket{job,le} headrace_sink_duration_seconds_sum{job}
headrace_sink_duration_seconds_count{job} headrace_item_wait_seconds_bucket{job,le}
headrace_item_wait_seconds_sum{job} headrace_item_wait_seconds_count{job}
headrace_sink_batch_rows{job} headrace_leases_recovered_total{job} headrace_ledger_hits_total{job}
headrace_dead_letters_total{job,reason} headrace_server_up{server}
headrace_server_connections{server,state} headrace_server_reconnects_total{server,cause}
headrace_loop_lag_seconds headrace_tasks headrace_memory_bytes headrace_config_reloads_total{result}
headrace_build_info{version} process_cpu_seconds_total process_resident_memory_bytes
process_start_time_seconds process_open_fds process_max_fds
""".split()


def shape(series):
    """name{label,label} of name{label="value",…}"""
    name, _, labels = series.partition("{")
    names = [pair.split("=")[0] for pair in labels.rstrip("}").split(",") if pair]
    return name + ("{" + ",".join(names) + "}" if names else "")


def test_every_series_is_there_and_no_other(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    redis.client.rpush("orders", *orders(20), bad("not_json", 1))
    daemon.until_drained(redis)
    assert {shape(series) for series in daemon.metrics()} == set(ONE_EACH)
    types = [line.split()[2:] for line in daemon.get("/metrics").decode().splitlines()
             if line.startswith("# TYPE")]
    assert all(kind == "counter" for name, kind in types if name.endswith("_total"))
    assert all(kind != "counter" for name, kind in types if not name.endswith("_total"))


def test_states_and_outcomes_are_counted(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    redis.client.rpush("orders", *orders(20), bad("not_json", 1), bad("text_too_long", 2))
    daemon.until_drained(redis)
    daemon.pause()
    redis.client.rpush("orders", *orders(3))
    count = lambda name, **labels: daemon.metric("headrace_" + name, job="orders", **labels)
    assert count("items_claimed_total") == 22
    assert [count("items_finished_total", outcome=x) for x in ("ok", "dropped", "duplicate", "dead")] \
        == [20, 0, 0, 2]
    assert [count("dead_letters_total", reason=x) for x in ("row", "decode")] == [1, 1]
    assert [count("queue_items", state=x) for x in ("ready", "leased", "delayed", "dead")] == [3, 0, 0, 2]
    assert count("attempts_total", result="ok") == count("sink_duration_seconds_count") >= 1
    assert daemon.metric("headrace_server_up", server="shop") == 1


def test_a_wait_ends_with_the_last_attempt(redis, mariadb, headraced):
    """An item that is tried three times waits over all of them, and is counted once."""
    mariadb.execute("CREATE TRIGGER strange BEFORE INSERT ON orders FOR EACH ROW BEGIN"
                    " IF NEW.customer_id = 13 THEN"
                    " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 4242, MESSAGE_TEXT = 'strange'; END IF; END")
    retry = {"attempts": 3, "backoff": {"first": "300ms", "max": "300ms", "jitter": "none"}}
    daemon = headraced(redis, mariadb, job={"retry": retry})
    redis.client.rpush("orders", *orders(10), encode({**order(50, 3), "customer_id": 13}))
    daemon.until_drained(redis)
    wait = lambda part, **labels: daemon.metric("headrace_item_wait_seconds_" + part, **labels)
    assert wait("count") == 11 and wait("bucket", le="+Inf") == 11
    assert wait("sum") >= 0.6
    assert wait("bucket", le="+Inf") - wait("bucket", le="0.5") >= 1


def test_the_oldest_item_ages_while_nothing_is_taken(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    age = lambda: daemon.metric("headrace_queue_oldest_age_seconds", job="orders")
    assert age() == 0
    daemon.pause()
    daemon.until(lambda: daemon.status()["state"] == "paused", what="the pause seen")
    redis.client.rpush("orders", *orders(5))
    before = age()
    daemon.until(lambda: age() > before + 0.5, what="half a second of age")
    daemon.resume()
    daemon.until_drained(redis)
    assert age() == 0


def test_a_hangup_is_counted_as_ignored(redis, mariadb, headraced):
    """There is no reload yet; a hangup reads nothing, and ends nothing."""
    daemon = headraced(redis, mariadb)
    count = lambda: daemon.metric("headrace_config_reloads_total", result="ignored")
    assert count() == 0
    daemon.hangup()
    until(lambda: count() == 1, what="the hangup counted")
    assert daemon.healthy()
