# SPDX-License-Identifier: MIT
"""Sources, steps, sinks and deliveries beside the usual job: a list of JSON into an INSERT."""
import http.client
import json
import os
import socket
import subprocess

import pytest

from support.check import dead_letters
from support.headraced import BUILD, has_fault_points, merged
from support.orders import PARAMS, encode, order, orders
from support.servers import free_port

MAIN = {"version": 1, "instance": "one", "log": {"to": "stderr"}}


def run_once(folder, job, stdin=b"", main=None, env=None):
    """headraced with one job whose source ends; (exit status, stdout, stderr)."""
    path = os.path.join(folder, "once.yaml")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(merged({**MAIN, "jobs": {"once": job}}, main or {}), f)
    env = {**os.environ, "RUNTIME_DIRECTORY": folder, **(env or {})}
    done = subprocess.run([os.path.join(BUILD, "headraced"), "--config", path], input=stdin, env=env,
                          capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(scratch):
    return scratch.sub("once")


def lines(data, **job):
    return {"source": {"lines": {"path": "-", **data}}, "sink": {"print": {}}, **job}


def test_lines_are_printed_in_json_as_they_came(folder):
    status, out, err = run_once(folder, lines({}), b'{"a": 1,  "b":9007199254740993}\n[1,2]\n"x"')
    assert (status, out) == (0, b'{"a":1,"b":9007199254740993}\n[1,2]\n"x"\n'), err


def test_raw_lines_are_not_looked_at(folder):
    status, out, err = run_once(folder, lines({}, decode="raw"), b"not json\n\n{\n")
    assert (status, out) == (0, b"not json\n\n{\n"), err


def test_an_item_that_cannot_be_printed_is_dead_alone(folder):
    """Raw bytes that are no text, and a step that wants them in an object."""
    status, out, err = run_once(folder, lines({}, decode="raw", steps=[{"map": "{v: .}"}]),
                                b"a\n\xff\nb\n")
    assert (status, out) == (0, b'{"v":"a"}\n{"v":"b"}\n'), err
    letters = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert [x["error"]["message"] for x in letters] == ["a string is not valid UTF-8"]


def test_lines_without_a_dead_list_write_dead_letters_to_standard_error(folder):
    status, out, err = run_once(folder, lines({}), b'1\nnot json\n2\n')
    assert (status, out) == (0, b"1\n2\n")
    letters = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert [(x["payload"], x["error"]["class"]) for x in letters] == [("not json", "decode")]


def test_fields_of_log_redact_are_blanked_in_what_goes_to_standard_error(folder):
    items = [b'{"n":1,"password":"hunter2"}', b'{"n":"no number","password":"hunter2"}',
             b'{"n":2,"token":5}x', b'{"n":"odd","Token":"hunter2"}', b'{"n":"kept"}']
    status, _, err = run_once(folder, lines({}, expect={"n": "int"}), b"\n".join(items))
    assert status == 0 and b"hunter2" not in err
    letters = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert sorted(x["payload"] for x in letters) == sorted([  # batches may overtake each other
        '{"n":"no number","password":"[redacted]"}', "[redacted]", '{"n":"odd","Token":"[redacted]"}',
        '{"n":"kept"}'])
    assert b"once: 4 dead letters: " in err
    status, _, err = run_once(folder, lines({}, expect={"n": "int"}), items[1], main={"log": {"redact": []}})
    assert status == 0 and b"hunter2" in err


def test_a_line_that_is_too_long_is_a_dead_letter_and_its_rest_is_passed_over(folder):
    status, out, err = run_once(
        folder, lines({"max_payload": "100B"}, decode="raw"), b"short\n" + b"x" * 300_000 + b"\nend\n")
    assert (status, out) == (0, b"short\nend\n"), err
    letters = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert [x["error"]["class"] for x in letters] == ["max_payload"]


def test_a_file_that_cannot_be_read_is_an_error(folder):
    """A directory opens like a file, and then does not read."""
    status, out, err = run_once(folder, {**lines({}), "source": {"lines": {"path": folder}}})
    assert (status, out) == (70, b"")
    assert f"error: job once: stopped: reading {folder}: Is a directory\n" in err.decode()
    assert err.count(b"Is a directory") == 1 and b"nobody read" not in err


@pytest.mark.skipif(not has_fault_points(), reason="a build without fault points")
def test_a_file_that_fails_in_the_middle_is_an_error_and_half_a_line_is_no_item(folder):
    path = os.path.join(folder, "numbers")
    with open(path, "w", encoding="ascii") as f:
        f.write("".join(f"{i:09}\n" for i in range(20_000)))
    job = {**lines({}, decode="raw"), "source": {"lines": {"path": path}}}
    status, out, err = run_once(folder, job, env={"HEADRACE_FAULT": "fail-read:3"})
    read = 2 * 64 * 1024 // 10
    assert status == 70, err
    # Batches are handled side by side: their order is not promised.
    assert sorted(out.decode().splitlines()) == [f"{i:09}" for i in range(read)]
    assert f"stopped: reading {path}: ".encode() in err


def test_steps_drop_and_map(folder):
    job = lines({}, steps=[{"drop": {"when": ".test == true", "reason": "test"}},
                           {"map": '{id: .n, "both": [.n, .note]} | .job = $job.name'}])
    status, out, err = run_once(folder, job, '{"n":1,"test":true}\n{"n":2,"note":"ä"}\n'.encode())
    assert (status, out.decode()) == (0, '{"id":2,"both":[2,"ä"],"job":"once"}\n'), err


def test_a_file_of_lines_becomes_rows(folder, mariadb):
    path = os.path.join(folder, "orders.ndjson")
    with open(path, "wb") as f:
        f.write(b"".join(item + b"\n" for item in orders(5000)))
    job = {"source": {"lines": {"path": path}},
           "sink": {"mysql": {"server": "shop", "table": "orders", "columns": PARAMS}}}
    status, _, err = run_once(folder, job, main={"servers": {"shop": {"mysql": {"url": mariadb.url}}}})
    assert status == 0, err
    assert mariadb.count("orders") == 5000


def sink(**changes):
    return {"sink": {"mysql": changes}}


def table(**changes):
    return sink(statement=None, params=None, table="orders", columns=PARAMS, **changes)


def test_table_and_columns_write_the_insert(redis, mariadb, headraced):
    redis.client.rpush("orders", *orders(300))
    headraced(redis, mariadb, job=table()).until_drained(redis)
    assert mariadb.count("orders") == 300


def test_on_duplicate_update_changes_the_row(redis, mariadb, headraced):
    redis.client.rpush("orders", *orders(300))
    daemon = headraced(redis, mariadb, job=table(on_duplicate="update"))
    daemon.until_drained(redis)
    redis.client.rpush("orders", encode({**order(7), "note": "changed"}))
    daemon.until_drained(redis)
    assert mariadb.count("orders") == 300
    assert mariadb.execute("SELECT count(*) FROM orders WHERE note = 'changed'")[0][0] == 1


def test_on_duplicate_ignore_counts_and_drops_nothing_else(redis, mariadb, headraced):
    redis.client.rpush("orders", *orders(50), *orders(50), encode({**order(99), "note": "x" * 200}))
    daemon = headraced(redis, mariadb, job=sink(on_duplicate="ignore"))
    daemon.until_drained(redis)
    assert mariadb.count("orders") == 50
    assert daemon.status()["finished"]["duplicate"] == 50
    assert [x["error"]["code"] for x in dead_letters(redis.client)] == [1406]


def test_a_statement_that_is_no_insert_runs_once_a_row(redis, mariadb, headraced):
    mariadb.execute("CREATE TABLE stock (sku INT PRIMARY KEY, quantity INT UNSIGNED NOT NULL)")
    mariadb.execute("INSERT INTO stock VALUES (1, 100), (2, 3)")
    job = sink(statement="UPDATE stock SET quantity = quantity - :n WHERE sku = :sku",
               params={"n": ".n", "sku": ".sku", **{k: None for k in PARAMS}})
    redis.client.rpush("orders", *[encode({"sku": 1 + i % 2, "n": 1}) for i in range(10)])
    headraced(redis, mariadb, job=job).until_drained(redis)
    assert mariadb.execute("SELECT quantity FROM stock ORDER BY sku") == ((95,), (0,))
    assert [x["error"]["code"] for x in dead_letters(redis.client)] == [1264, 1264]


def test_the_right_end_is_consumed_in_its_order(redis, mariadb, headraced):
    redis.client.lpush("orders", *orders(250))
    headraced(redis, mariadb, job={"source": {"redis_list": {"head": "right"}},
                                   "limits": {"concurrency": 1}}).until_drained(redis)
    assert mariadb.column("orders", "uid") == sorted(json.loads(x)["order_uid"] for x in orders(250))
    first = mariadb.execute("SELECT uid FROM orders ORDER BY id LIMIT 1")[0][0]
    assert first == order(0)["order_uid"]


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_the_other_deliveries_in_good_weather(redis, mariadb, headraced, delivery):
    bad = encode({**order(5000), "note": "x" * 200})
    redis.client.rpush("orders", *orders(1000), bad)
    daemon = headraced(redis, mariadb, job={"delivery": delivery})
    daemon.until_drained(redis)
    daemon.until(lambda: mariadb.count("orders") == 1000, what="1000 rows")
    daemon.until(lambda: len(dead_letters(redis.client)) == 1, what="a dead letter")
    assert mariadb.execute("SHOW TABLES LIKE 'headrace_ledger'") == ()


def test_dead_letters_may_go_to_another_server(redis, new_redis, mariadb, headraced):
    other = new_redis()
    redis.client.rpush("orders", *orders(20), b"not json", encode({**order(99), "note": "x" * 200}))
    daemon = headraced(
        redis, mariadb, main={"servers": {"other": {"redis": {"url": other.url}}}},
        job={"dead_letter": {"redis_list": {"server": "other", "key": "morgue"}}})
    daemon.until_drained(redis)
    assert sorted(x["error"]["class"] for x in dead_letters(other.client, "morgue")) == ["decode", "row"]
    assert daemon.status()["dead"] == 2
    assert redis.client.keys("*") == []


def elsewhere(other, **dead):
    return {"main": {"servers": {"other": {"redis": {"url": other.url}}}},
            "job": {"source": {"redis_list": {"max_payload": "1KiB"}},
                    "dead_letter": {"redis_list": {"server": "other", "key": "morgue"}, **dead}}}


def test_too_long_items_are_dead_letters_on_another_server_too(redis, new_redis, mariadb, headraced):
    other = new_redis()
    long = encode({**order(99), "extra": "x" * 2000})
    redis.client.rpush("orders", *orders(20), long)
    headraced(redis, mariadb, **elsewhere(other)).until_drained(redis)
    [letter] = dead_letters(other.client, "morgue")
    assert (letter["error"]["class"], letter["payload"].encode()) == ("max_payload", long)
    assert mariadb.count("orders") == 20


def test_a_full_dead_list_on_another_server_stops_claiming(redis, new_redis, mariadb, headraced):
    other = new_redis()
    other.client.rpush("morgue", "one", "two")
    redis.client.rpush("orders", *orders(20))
    daemon = headraced(redis, mariadb, **elsewhere(other, limit={"items": 2}))
    daemon.until(lambda: daemon.status()["state"] == "dead letters full", what="full")
    assert not daemon.healthy() and redis.client.llen("orders") == 20
    other.client.delete("morgue")
    daemon.until_drained(redis)
    assert mariadb.count("orders") == 20


def test_a_batch_that_is_not_full_waits_for_more(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb, job={"source": {"redis_list": {"lease": "60s"}},
                                            **sink(batch={"rows": 50, "wait": "30s"})})
    daemon.until(daemon.healthy, what="healthy")
    redis.client.rpush("orders", *orders(50))
    daemon.until(lambda: mariadb.count("orders") == 50, 5, what="a full batch at once")
    daemon.until(lambda: daemon.status()["leased"] == 0, what="and acknowledged, its commit flushed")
    redis.client.rpush("orders", encode(order(77)))
    daemon.until(lambda: daemon.status()["ready"] == 1, what="one waits")
    redis.client.rpush("orders", *[encode(order(100 + i)) for i in range(20)])
    assert daemon.status()["leased"] == 0 and daemon.status()["ready"] == 21
    assert daemon.stop() == 0
    assert redis.client.llen("orders") == 21


def test_two_lists_with_one_hash_tag_do_not_mix(redis, mariadb, headraced, new_mariadb):
    mariadb.execute("CREATE TABLE returns LIKE orders")
    jobs = {}
    for name in ("orders", "returns"):
        jobs[name] = {
            "source": {"redis_list": {"server": "queue", "key": "{shop}:" + name, "lease": "2s"}},
            "sink": {"mysql": {"server": "shop", "table": name, "columns": PARAMS}},
        }
        redis.client.rpush("{shop}:" + name, *orders(500, seed=len(name)))
    daemon = headraced(redis, mariadb, jobs=jobs, key="{shop}:orders")
    for name in jobs:
        daemon.until_drained(redis, "{shop}:" + name)
        assert mariadb.column(name, "uid") == sorted(
            json.loads(x)["order_uid"] for x in orders(500, seed=len(name)))


def test_tcp_serves_metrics_and_health_and_nothing_else(redis, mariadb, headraced):
    port = free_port()
    main = {"http": {"listen": ["unix:${RUNTIME_DIRECTORY}/admin.sock", f"127.0.0.1:{port}"]}}
    headraced(redis, mariadb, main=main)

    def ask(path, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request(method, path, headers={"Host": host} if host else {})
        return connection.getresponse().status

    assert [ask(x) for x in ("/metrics", "/livez", "/readyz", "/healthz")] == [200] * 4
    assert ask("/jobs") == 404
    assert ask("/jobs/orders/pause", "POST") == 404
    assert ask("/metrics", "POST") == 405
    assert ask("/metrics", host="evil.example") == 421


def test_an_address_that_cannot_be_listened_on_is_told(folder):
    """The daemon ends before it was ready, and must not trip over what is not there yet."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for where, why in ((f"127.0.0.1:{port}", "Address already in use"),
                           (f"unix:{folder}/none/admin.sock", "No such file or directory")):
            status, _, err = run_once(folder, lines({}), main={"http": {"listen": [where]}})
            assert (status, err.decode()) == (70, f"headraced: error: giving up: http.listen {where}: {why}\n")


def test_user_and_password_beside_the_url(redis, mariadb, headraced):
    redis.client.acl_setuser("app", enabled=True, passwords=["+s3cret"], keys=["*"], commands=["+@all"])
    redis.client.acl_setuser("default", enabled=True, reset_passwords=True, passwords=["+other"])
    mariadb.execute("CREATE USER worker@localhost IDENTIFIED BY 'geheim'")
    mariadb.execute("GRANT ALL ON shop.* TO worker@localhost")
    redis.client.connection_pool.connection_kwargs["password"] = "other"
    redis.client.rpush("orders", *orders(10))
    daemon = headraced(redis, mariadb, env={"SECRET": "geheim"}, main={"servers": {
        "queue": {"redis": {"user": "app", "password": "s3cret"}},
        "shop": {"mysql": {"url": mariadb.url.replace("app@", ""), "user": "worker",
                           "password": "${SECRET}"}}}})
    daemon.until_drained(redis)
    assert mariadb.count("orders") == 10
    assert "geheim" not in daemon.log and "s3cret" not in daemon.log


def test_a_payload_that_is_long_and_longer_still_as_json_is_a_dead_letter(redis, mariadb, headraced):
    job = {"source": {"redis_list": {"max_payload": "16MiB"}}}
    daemon = headraced(redis, mariadb, job=job)
    redis.client.rpush("orders", b"\x01" * (12 << 20), orders(1)[0])
    daemon.until_drained(redis)
    assert mariadb.count("orders") == 1
    letter, = dead_letters(redis.client)
    assert letter["error"]["class"] == "decode" and len(letter["payload"]) == 12 << 20
    assert daemon.metric("headrace_leases_recovered_total") == 0, "acknowledged at the first attempt"


def test_lines_that_the_table_refuses_as_a_whole_are_dead_letters(folder, mariadb):
    """Nobody keeps them for another attempt: a statement that is wrong must not lose them."""
    mariadb.execute("CREATE TRIGGER late BEFORE INSERT ON orders FOR EACH ROW"
                    " INSERT INTO missing VALUES (1)")
    job = {"source": {"lines": {"path": "-"}},
           "sink": {"mysql": {"server": "shop", "table": "orders", "columns": PARAMS}}}
    status, _, err = run_once(folder, job, b"".join(item + b"\n" for item in orders(3)),
                              main={"servers": {"shop": {"mysql": {"url": mariadb.url}}}})
    assert status == 0 and mariadb.count("orders") == 0, err
    letters = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert [(x["error"]["class"], x["error"]["code"]) for x in letters] == [("config", 1146)] * 3
