# SPDX-License-Identifier: MIT
"""headracectl against a real daemon: each command, each exit status, and what is said."""
import json
import os
import re
import socket
import subprocess
import threading

import pytest

from support.check import everything_once, hr, payload
from support.ctl import CTL, DATA, FOUND, INTERNAL, NOT_PERMITTED, TRY_AGAIN, UNAVAILABLE, USAGE, Ctl, needs_ctl
from support.headraced import for_everybody
from support.orders import bad, encode, order, orders, uids

pytestmark = needs_ctl


@pytest.fixture
def stuck(redis, mariadb, headraced):
    """A daemon with 20 orders done and three dead letters of two classes."""
    letters = [bad("text_too_long", 0), bad("not_json", 1), bad("text_too_long", 2)]
    redis.client.rpush("orders", *orders(10), *letters, *orders(10, seed=7))
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    daemon.ctl = Ctl(daemon)
    daemon.letters = letters
    return daemon


def ids(redis, dead="orders:dead"):
    return [json.loads(letter)["id"] for letter in redis.client.lrange(dead, 0, -1)]


# --- status, pause, resume


def test_status_tells_how_each_job_fares(stuck):
    head, row = stuck.ctl("status").splitlines()
    assert head.split() == ["JOB", "STATE", "READY", "LEASED", "DELAYED", "DEAD", "OK", "DROPPED",
                            "DUPLICATE", "DIED"]
    assert row.split() == ["orders", "running", "0", "0", "0", "3", "20", "0", "0", "3"]
    one = stuck.ctl("status", "orders")
    assert "running, healthy" in one and "3 dead\n" in one and "0 handed back\n" in one
    assert "20 ok  0 dropped  0 duplicate  3 dead  (this daemon, since its start)\n" in one
    assert stuck.ctl.json("status")["jobs"][0]["finished"]["ok"] == 20
    assert stuck.ctl.json("status", "orders")["dead"] == 3


def test_status_names_the_rows_that_are_the_jobs_in_the_ledger(stuck, mariadb):
    [(queue,)] = mariadb.execute("SELECT DISTINCT LOWER(HEX(queue)) FROM headrace_ledger")
    assert stuck.ctl.json("status", "orders")["ledger_queue"] == queue
    assert f"rows of queue 0x{queue}\n" in stuck.ctl("status", "orders")


def test_status_of_a_job_in_trouble_is_told_with_its_reason(redis, mariadb, headraced):
    mariadb.execute("ALTER TABLE orders DROP COLUMN note")
    redis.client.rpush("orders", *orders(5))
    daemon = headraced(redis, mariadb)
    daemon.until(lambda: not daemon.healthy(), what="unhealthy")
    ctl = Ctl(daemon)
    out = ctl("status", want=FOUND)
    assert "misconfigured" in out and "note" in out
    assert "misconfigured, not healthy" in ctl("status", "orders", want=FOUND)
    assert ctl.json("status", want=FOUND)["jobs"][0]["healthy"] is False


def test_a_pause_holds_over_a_restart_until_it_is_resumed(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    ctl = Ctl(daemon)
    assert "orders: paused for all daemons" in ctl("pause", "orders")
    redis.client.rpush("orders", *orders(10))
    daemon.restart()
    daemon.until(lambda: daemon.status()["state"] == "paused", what="the pause noticed")
    assert mariadb.count("orders") == 0 and redis.client.llen("orders") == 10
    assert ctl("status").splitlines()[1].split()[1] == "paused"
    assert ctl.json("resume", "orders")["paused"] is False
    ctl("pause", "orders")
    daemon.until(lambda: daemon.status()["state"] == "paused", what="the pause noticed")
    resumed = ctl.json("resume", "orders")
    assert (resumed["state"], resumed["reason"]) == ("running", ""), "at once, not a second later"
    assert ctl("status").splitlines()[1].split()[1] == "running"
    daemon.until_drained(redis)
    everything_once(redis, mariadb, orders(10))


# --- dead letters


def test_dead_ls_and_show_say_why_and_what(stuck, redis):
    first, second, third = ids(redis)
    out = stuck.ctl("dead", "ls", "orders")
    head, *rows = out.splitlines()
    assert head.split()[:4] == ["ID", "CLASS", "CODE", "COLUMN"]
    assert [row.split()[0] for row in rows] == [first, second, third]
    assert rows[0].split()[1:4] == ["row", "1406", "note"]
    assert rows[1].split()[1:4] == ["decode", "-", "-"]
    listed = stuck.ctl.json("dead", "ls", "orders", "--class", "row")
    assert [letter["index"] for letter in listed["dead"]] == [0, 2] and listed["total"] == 3
    assert listed["more"] is False

    shown = stuck.ctl("dead", "show", "orders", first)
    assert f"id           {first}\n" in shown and "ü" * 161 in shown and "1406" in shown
    both = stuck.ctl.json("dead", "show", "orders", third, second)
    assert [letter["id"] for letter in both["dead"]] == [third, second]
    assert payload(redis.client, both["dead"][0]) == stuck.letters[2]
    part = stuck.ctl.json("dead", "show", "orders", "nothing:1", second, want=FOUND)
    assert part["missing"] == ["nothing:1"] and len(part["dead"]) == 1


def test_a_limit_says_that_there_is_more(stuck):
    assert "2 shown of 3 (--limit N shows more)" in stuck.ctl("dead", "ls", "orders", "--limit", "2")
    assert stuck.ctl.json("dead", "ls", "orders", "--limit", "2")["more"] is True


def test_many_pages_are_one_list(redis, mariadb, headraced):
    letters = [json.dumps({"id": f"x:{i}", "error": {"class": "row"}, "payload": "p" * 3000})
               for i in range(2500)]
    daemon = headraced(redis, mariadb)
    redis.client.rpush("orders:dead", *letters)
    listed = Ctl(daemon).json("dead", "ls", "orders", "--limit", "100000")
    assert [letter["id"] for letter in listed["dead"]] == [f"x:{i}" for i in range(2500)]


def test_what_is_no_dead_letter_is_listed_kept_and_removed(stuck, redis):
    redis.client.rpush("orders:dead", b"not a letter \xff", '{"id": "x:1"}', "[1]")
    listed = stuck.ctl.json("dead", "ls", "orders")["dead"]
    assert listed[3] == {"unreadable": True, "bytes": 14, "index": 3}
    assert listed[4] == {"id": "x:1", "index": 4}
    assert "index 3: not a dead letter, 14 bytes" in stuck.ctl("dead", "ls", "orders")
    retried = stuck.ctl.json("dead", "retry", "orders", "--all", want=FOUND)
    assert retried["retried"] == 3 and retried["unreadable"] == 3
    stuck.until(lambda: redis.client.llen("orders:dead") == 6, what="dead again")
    assert stuck.ctl.json("dead", "rm", "orders", "--all")["removed"] == 6
    assert redis.client.llen("orders:dead") == 0


def test_control_characters_do_not_reach_the_terminal(stuck, redis):
    evil = json.dumps({"id": "x:1", "payload": "\x1b[2J\u009b\x07", "error": {"class": "row", "message": "\x1b]0;x"}})
    redis.client.rpush("orders:dead", evil)
    for out in (stuck.ctl("dead", "ls", "orders"), stuck.ctl("dead", "show", "orders", "x:1")):
        assert not set("\x1b\x07\u009b") & set(out) and "\\x1b" in out


def test_items_of_a_corrected_schema_become_rows(stuck, redis, mariadb):
    before = ids(redis)
    mariadb.execute("ALTER TABLE orders MODIFY note VARCHAR(500)")
    assert "2 dead letters put back" in stuck.ctl("dead", "retry", "orders", "--class", "row")
    stuck.until(lambda: mariadb.count("orders") == 22, what="two more rows")
    stuck.until_drained(redis)
    pushed = orders(10) + orders(10, seed=7) + stuck.letters
    everything_once(redis, mariadb, pushed, dead=1)
    assert ids(redis) == before[1:2]
    assert "2 dead letters retried by admin socket" in stuck.log
    assert "ü" not in stuck.log


def test_what_fails_again_is_a_dead_letter_of_the_same_id(stuck, redis):
    first = ids(redis)[0]
    assert stuck.ctl.json("dead", "retry", "orders", first)["retried"] == 1
    stuck.until(lambda: ids(redis)[-1:] == [first], what="dead again")
    assert json.loads(redis.client.lindex("orders:dead", -1))["attempts"] == 1
    assert redis.client.llen("orders:dead") == 3


def test_all_are_retried_once_though_each_comes_back(stuck, redis):
    assert stuck.ctl.json("dead", "retry", "orders", "--all")["retried"] == 3
    stuck.until(lambda: len(ids(redis)) == 3, what="all dead again")
    stuck.until_drained(redis)


def test_an_item_that_was_too_long_is_retried_with_its_payload(redis, mariadb, headraced):
    mariadb.execute("ALTER TABLE orders MODIFY note MEDIUMTEXT")
    huge = encode({**order(5, 3), "note": "x" * 300_000})
    redis.client.rpush("orders", huge)
    daemon = headraced(redis, mariadb)
    daemon.until(lambda: redis.client.llen("orders:dead") == 1, what="a dead letter")
    ctl, [letter] = Ctl(daemon), ids(redis)
    out = ctl("dead", "show", "orders", letter)
    assert f"{len(huge)} bytes, apart in Redis: HGET '{hr('orders', 'oversize')}' '{letter}'" in out
    assert ctl.json("dead", "retry", "orders", letter)["retried"] == 1
    daemon.until(lambda: mariadb.count("orders") == 1, what="a row")
    daemon.until_drained(redis)
    assert not redis.client.exists("orders:dead", hr("orders", "oversize"))
    [[note]] = mariadb.execute("SELECT note FROM orders")
    assert note == "x" * 300_000


def test_a_payload_that_is_gone_cannot_be_retried(stuck, redis):
    redis.client.rpush("orders:dead", json.dumps({"id": "x:1", "payload_at": "x:1", "payload_bytes": 5}))
    status, out, err = stuck.ctl.run("dead", "retry", "orders", "x:1")
    assert status == FOUND and "their payload is gone" in err and len(ids(redis)) == 4


def test_dead_rm_removes_letters_with_their_payloads(redis, mariadb, headraced):
    redis.client.rpush("orders", b"x" * 300_000, *orders(3), b"y" * 300_000)
    daemon = headraced(redis, mariadb)
    daemon.until(lambda: redis.client.llen("orders:dead") == 2, what="dead letters")
    ctl, [first, second] = Ctl(daemon), ids(redis)
    assert "1 dead letter removed" in ctl("dead", "rm", "orders", second)
    assert ids(redis) == [first] and redis.client.hkeys(hr("orders", "oversize")) == [first.encode()]
    assert ctl.json("dead", "rm", "orders", "--all")["removed"] == 1
    assert not redis.client.exists("orders:dead", hr("orders", "oversize"))
    assert "no dead letters" in ctl("dead", "ls", "orders")


def test_a_dry_run_changes_nothing_and_a_limit_bounds(stuck, redis):
    before = ids(redis)
    assert "3 dead letters would be removed" in stuck.ctl("dead", "rm", "orders", "--all", "--dry-run")
    assert "1 dead letter would be put back" in stuck.ctl("dead", "retry", "orders", before[0], "--dry-run")
    assert ids(redis) == before
    assert stuck.ctl.json("dead", "rm", "orders", "--all", "--limit", "2")["removed"] == 2
    assert ids(redis) == before[2:]


def test_ids_that_are_not_there_are_named(stuck, redis):
    first = ids(redis)[0]
    status, out, err = stuck.ctl.run("dead", "rm", "orders", "gone:1", first, first)
    assert status == FOUND and "1 dead letter removed" in out
    assert "job orders has no dead letter gone:1" in err


def test_a_thousand_letters_of_many_are_found(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    letters = [json.dumps({"id": f"x:{i}", "error": {"class": "row"}}) for i in range(20_000)]
    redis.client.rpush("orders:dead", *letters)
    chosen = [f"x:{i}" for i in range(19, 20_000, 20)]
    assert Ctl(daemon).json("dead", "rm", "orders", *chosen)["removed"] == 1000
    assert redis.client.llen("orders:dead") == 19_000 and not set(chosen) & set(ids(redis))


def test_two_people_remove_at_once_and_each_letter_goes_once(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    redis.client.rpush("orders:dead", *[json.dumps({"id": f"x:{i}"}) for i in range(3000)])
    ctl, counts = Ctl(daemon), []
    people = [threading.Thread(target=lambda: counts.append(
        ctl.json("dead", "rm", "orders", "--all")["removed"])) for _ in range(3)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sum(counts) == 3000 and redis.client.llen("orders:dead") == 0


def test_dead_letters_on_another_server(redis, new_redis, mariadb, headraced):
    """They may be pushed twice there: people meet each once."""
    other = new_redis(appendonly="yes")
    item = bad("text_too_long", 1)
    redis.client.rpush("orders", item, *orders(5))
    daemon = headraced(
        redis, mariadb, main={"servers": {"other": {"redis": {"url": other.url}}}},
        job={"dead_letter": {"redis_list": {"server": "other", "key": "morgue"}}})
    daemon.until(lambda: other.client.llen("morgue") == 1, what="a dead letter there")
    daemon.until_drained(redis)
    letter = other.client.lindex("morgue", 0)
    other.client.rpush("morgue", letter.replace(b'"attempts":1', b'"attempts":2'))
    mariadb.execute("ALTER TABLE orders MODIFY note VARCHAR(500)")
    done = Ctl(daemon).json("dead", "retry", "orders", "--all")
    assert done["retried"] == 1 and done["doubled"] == 1
    daemon.until(lambda: mariadb.count("orders") == 6, what="its row")
    daemon.until_drained(redis)
    assert not other.client.exists("morgue") and not redis.client.exists("morgue")
    other.client.rpush("morgue", letter, letter)
    name = json.loads(letter)["id"]
    assert Ctl(daemon).json("dead", "rm", "orders", name)["doubled"] == 1
    assert not other.client.exists("morgue")


# --- enqueue


@pytest.mark.parametrize("head", ["left", "right"])
def test_a_thousand_lines_become_a_thousand_items_in_their_order(redis, mariadb, headraced, head, tmp_path):
    job = {"source": {"redis_list": {"head": head}}}
    daemon = headraced(redis, mariadb, job=job)
    ctl, items = Ctl(daemon), orders(1000)
    ctl("pause", "orders")
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b"\n".join(items[:500]) + b"\n\n")
    assert "orders: 500 items pushed" in ctl("enqueue", "orders", str(file))
    assert ctl.json("enqueue", "orders", "-", stdin=b"\n".join(items[500:])) == {"pushed": 500}
    lying = redis.client.lrange("orders", 0, -1)
    assert lying == (items if head == "left" else items[::-1])
    ctl("resume", "orders")
    daemon.until_drained(redis)
    assert mariadb.column("orders", "uid") == uids(1000)


def test_a_long_input_goes_in_parts(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb)
    ctl = Ctl(daemon)
    ctl("pause", "orders")
    lines = [b"%d " % i + b"x" * 100_000 for i in range(100)]
    assert ctl.json("enqueue", "orders", stdin=b"\n".join(lines)) == {"pushed": 100}
    assert redis.client.lrange("orders", 0, -1) == lines
    redis.client.delete("orders")


def test_enqueue_says_which_line_is_too_long(stuck, redis):
    stuck.ctl("pause", "orders")
    said = stuck.ctl.error("enqueue", "orders", stdin=b"a\nb\n" + b"x" * 9_000_000, want=DATA)
    assert "standard input:3: a line of more than 7 MiB" in said and "2 items before it" in said
    assert redis.client.lrange("orders", 0, -1) == [b"a", b"b"]
    redis.client.delete("orders")


def test_one_of_a_thing_is_told_as_one(stuck):
    stuck.ctl("pause", "orders")
    assert stuck.ctl("enqueue", "orders", stdin=b"one\n") == "orders: 1 item pushed\n"
    said = stuck.ctl.error("enqueue", "orders", stdin=b"a\n" + b"x" * 9_000_000, want=DATA)
    assert "1 item before it has been" in said
    out = stuck.ctl("dead", "rm", "orders", "--all", "--limit", "1", "--dry-run")
    assert out == "orders: 1 dead letter would be removed\n"
    assert "instance story, 1 job\n" in re.sub(r"instance \S+,", "instance story,", stuck.log)
    assert "job orders: 1 item pushed by admin socket\n" in stuck.log


def test_an_empty_input_pushes_nothing(stuck):
    assert "0 items pushed" in stuck.ctl("enqueue", "orders", stdin=b"")
    assert "0 items pushed" in stuck.ctl("enqueue", "orders", stdin=b"\n\n")


# --- what goes wrong


@pytest.mark.parametrize("args, said", [
    ([], "a command is missing"),
    (["stauts"], "unknown command: stauts (did you mean status?)"),
    (["dead"], "dead what? There are: ls, show, retry, rm"),
    (["dead", "lst", "orders"], "unknown command: dead lst (did you mean dead ls?)"),
    (["frobnicate"], "unknown command: frobnicate (see headracectl --help)"),
    (["status", "--jsn"], "unknown option --jsn (did you mean --json?)"),
    (["status", "-x"], "unknown option -x"),
    (["pause"], "an argument is missing (usage: headracectl pause JOB)"),
    (["pause", "a", "b"], "too many arguments"),
    (["check", "DIR"], "too many arguments (usage: headracectl check [--config FILE|DIR])"),
    (["status", "--all"], "status does not take --all"),
    (["status", "--config", "x"], "status does not take --config: it asks the daemon"),
    (["check", "--socket", "x"], "check does not take --socket: it reads files"),
    (["dead", "ls", "orders", "--limit", "0"], "--limit has to be a number from 1 on"),
    (["dead", "retry", "orders"], "which ones? Ids (headracectl dead ls orders), --all, or --class CLASS"),
    (["dead", "rm", "orders", "x:1", "--all"], "ids or --all, not both"),
    (["check", "--online"], "check --online is not in this version: check reads files only"),
])
def test_wrong_usage_is_told_with_what_was_meant(args, said):
    assert said in Ctl().error(*args, want=USAGE)
    told = Ctl().json(*args, want=USAGE) if args else {"error": said, "exit": USAGE}
    assert said in told["error"] and told["exit"] == USAGE


def test_an_option_without_its_value():
    assert "--limit needs a value" in Ctl().error("dead", "ls", "orders", "--limit", want=USAGE)


def test_a_job_or_class_that_is_not_there(stuck):
    assert "the daemon has no job ordrs (did you mean orders?)" in stuck.ctl.error("pause", "ordrs", want=USAGE)
    assert "(its jobs: orders)" in stuck.ctl.error("dead", "ls", "x/../y z", want=USAGE)
    for act in "ls", "rm":
        said = stuck.ctl.error("dead", act, "orders", "--class", "rwo", want=USAGE)
        assert "no error class rwo (there are: row, size, unknown, decode, expect, " in said


def test_a_file_that_cannot_be_pushed(stuck, tmp_path):
    assert "No such file" in stuck.ctl.error("enqueue", "orders", str(tmp_path / "none"), want=DATA)
    assert "Is a directory" in stuck.ctl.error("enqueue", "orders", str(tmp_path), want=DATA)


def test_no_daemon_and_what_is_no_daemon(tmp_path, scratch):
    ctl = Ctl()
    ctl.socket = os.path.join(scratch.folder, "s")
    said = ctl.error("status", want=UNAVAILABLE)
    assert ctl.socket in said and "is headraced running?" in said
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(ctl.socket)
        listener.listen()

        def answer(text):
            peer, _ = listener.accept()
            peer.recv(10_000)
            peer.sendall(text)
            peer.close()
        for text, status in ((b"", UNAVAILABLE), (b"SSH-2.0\r\n", INTERNAL), (b"HTTP/1.1 200 OK\r\n\r\n", INTERNAL),
                             (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", INTERNAL),
                             (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{", INTERNAL),
                             (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", INTERNAL)):
            server = threading.Thread(target=answer, args=(text,))
            server.start()
            ctl.error("status", want=status)
            server.join()
        disturbed = b'{"removed":1,"disturbed":true,"missing":[]}'
        server = threading.Thread(target=answer, args=(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(disturbed) + disturbed,))
        server.start()
        ctl.error("dead", "rm", "orders", "--all", want=TRY_AGAIN)
        server.join()
    ctl.socket = "/" + "x" * 200
    assert "107 bytes" in ctl.error("status", want=USAGE)


def test_a_redis_that_is_away_is_told(stuck, redis):
    redis.kill()
    said = stuck.ctl.error("pause", "orders", want=UNAVAILABLE)
    assert "headracectl status" in said
    out = stuck.ctl.run("status")[1].splitlines()[1].split()
    assert out[2:6] == ["-"] * 4
    redis.start()


def clients(daemon):
    """Connections to the admin socket, seen from outside: those that listen have flag 00010000."""
    with open("/proc/net/unix", encoding="utf-8") as f:
        lines = [line.split() for line in f if line.rstrip().endswith(daemon.admin_socket)]
    return sum(line[3] == "00000000" for line in lines)


def test_a_request_that_waits_for_redis_does_not_hold_up_the_end(redis, mariadb, headraced):
    daemon = headraced(redis, mariadb, main={
        "shutdown": {"grace": "0s"},
        "servers": {"queue": {"redis": {"timeouts": {"command": "60s"}}}}})
    daemon.until(lambda: daemon.status()["state"] == "running", what="running")
    daemon.until(lambda: clients(daemon) == 0, what="no client left")
    redis.freeze()
    asking = subprocess.Popen([CTL, "--socket", daemon.admin_socket, "dead", "ls", "orders"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        daemon.until(lambda: clients(daemon) == 1, what="a client")
        assert daemon.alive()
        assert daemon.stop() == 0, daemon.tail()
        out, err = asking.communicate(timeout=10)
        assert asking.returncode in (UNAVAILABLE, INTERNAL) and err.startswith(b"headracectl: ")
    finally:
        asking.kill()
        redis.thaw()


@pytest.mark.skipif(os.geteuid() != 0 or not for_everybody(CTL), reason="no other user can run " + CTL)
def test_who_may_not_is_told_what_to_do(stuck, scratch):
    folder = scratch.folder
    while folder != "/":
        os.chmod(folder, os.stat(folder).st_mode | 0o111)
        folder = os.path.dirname(folder)
    for part in (stuck.folder, stuck.runtime):
        os.chmod(part, 0o755)
    said = stuck.ctl.error("status", want=NOT_PERMITTED, user=65534, group=65534, extra_groups=[])
    assert "Permission denied" in said and "member of the group" in said
