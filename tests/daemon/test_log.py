# SPDX-License-Identifier: MIT
"""What the log says, what it keeps to itself, and that nobody waits for it."""
import fcntl
import json
import os
import subprocess

from support.headraced import BUILD
from support.orders import bad, encode, order, orders
from support.process import until


def fill(end):
    """Fills a pipe, by a descriptor of its own: the reader's and the daemon's stay blocking."""
    more = os.open(f"/proc/self/fd/{end}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(more, b"." * 4096)
    except BlockingIOError:
        pass
    finally:
        os.close(more)


def test_a_standard_error_that_nobody_reads_stops_nothing(scratch):
    folder = scratch.sub("stuck")
    path = os.path.join(folder, "once.yaml")
    job = {"source": {"lines": {"path": "-"}}, "sink": {"print": {}}}
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"version": 1, "log": {"to": "stderr", "level": "debug"}, "jobs": {"once": job}}, f)
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    fill(writer)
    done = subprocess.run(
        [os.path.join(BUILD, "headraced"), "--config", path], input=b"1\n2\n", stdout=subprocess.PIPE,
        stderr=writer, env={**os.environ, "RUNTIME_DIRECTORY": folder}, timeout=20)
    os.close(writer)
    os.close(reader)
    assert (done.returncode, done.stdout) == (0, b"1\n2\n")


def test_the_end_of_a_misconfigured_job_is_no_news(redis, mariadb, headraced):
    mariadb.execute("DROP TABLE orders")
    redis.client.rpush("orders", *orders(5))
    daemon = headraced(redis, mariadb)
    daemon.until(lambda: daemon.status()["state"] == "misconfigured", what="misconfigured")
    assert daemon.stop() == 0
    until(lambda: "stopped" in daemon.log, what="the job's last line")
    assert "task " not in daemon.log and "nobody read" not in daemon.log
    assert redis.client.llen("orders") == 5


def test_dead_letters_are_told_in_a_line_without_their_data(redis, mariadb, headraced):
    redis.client.rpush("orders", *orders(5), bad("text_too_long", 0), bad("not_json", 1))
    daemon = headraced(redis, mariadb)
    daemon.until_drained(redis)
    daemon.until(lambda: "2 dead letters: 1 row, 1 decode (headracectl dead ls orders)" in daemon.log,
                 what="the line about dead letters")
    secret = "a note that nobody but the dead letter shows"
    redis.client.rpush("orders", *[encode({**order(50 + i), "note": secret * 10}) for i in range(100)])
    daemon.until_drained(redis)
    assert daemon.stop() == 0
    assert "100 dead letters: 100 row" in daemon.log
    assert daemon.log.count("dead letters: ") == 2 and "nobody but" not in daemon.log
