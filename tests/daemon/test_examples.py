# SPDX-License-Identifier: MIT
"""The examples of docs/examples do what they say."""
import os
import re
import subprocess

import pytest

from support.headraced import BUILD
from support.orders import orders
from support.pages import PageServer

EXAMPLE = os.path.join(BUILD, "docs", "examples", "orders_now")

pytestmark = pytest.mark.skipif(not os.path.exists(EXAMPLE), reason="no examples in " + BUILD)


def run(*urls):
    return subprocess.run([EXAMPLE, *urls], capture_output=True, text=True, timeout=30, check=False)


def test_orders_now_asks_both(redis, mariadb):
    redis.client.rpush("orders", *orders(3))
    mariadb.execute("INSERT INTO orders (uid, customer_id, amount, placed_at)"
                    " VALUES ('a', 1, 99.99, NOW()), ('b', 1, 100, NOW()), ('c', 1, 101, NOW())")
    done = run(redis.url, mariadb.url)
    assert (done.stdout, done.stderr, done.returncode) == ("3 waiting, 2 rows of 100 and more\n", "", 0)


def test_orders_now_gives_up_after_two_seconds(redis, mariadb):
    with mariadb.connect(autocommit=False) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLES orders WRITE")
        done = run(redis.url, mariadb.url)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("orders_now: "), done


def test_mysql_tour_shows_what_it_did(mariadb):
    tour = os.path.join(BUILD, "docs", "examples", "mysql_tour")
    done = subprocess.run([tour, mariadb.url], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (
        "Cid left in 2026\nAnna has 3501\nRobert has 1601\n", "", 0)


def test_redis_tour_shows_what_it_did(redis):
    tour = os.path.join(BUILD, "docs", "examples", "redis_tour")
    done = subprocess.run([tour, redis.url], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (
        "name: Ada\nborn: 1815\nthere is no stock\npage 1: 10\npage 2: 20\npage 3: 30\n4 left\n"
        "tour:news: Ada has a program\ntour:news: bye\n"
        "Ann does job 2\nAnn does job 3\nAnn does job 1\n", "", 0)
    assert redis.client.keys("tour:*") == []


def test_http_tour_shows_what_it_did():
    tour = os.path.join(BUILD, "docs", "examples", "http_tour")
    pages = PageServer()
    try:
        pages.start()
        done = subprocess.run([tour, pages.url], capture_output=True, text=True, timeout=30, check=False)
    finally:
        pages.kill()
    assert (done.stdout, done.stderr, done.returncode) == (
        '200 application/json: {"uid":"a-1","amount":"9.90"}\n100 lines\n8890 bytes came back\n'
        "gave up; it had been sent\n", "", 0)


def test_programs_tour_shows_what_it_did():
    tour = os.path.join(BUILD, "docs", "examples", "programs_tour")
    done = subprocess.run([tour], capture_output=True, text=True, timeout=30, check=False)
    said = re.sub(r"process \d+", "process N", done.stdout)
    assert (said, done.stderr, done.returncode) == (
        "it says one\nit says two\nit died of signal 15 (Terminated)\n"
        "one: 3\ncrash: sh, process N, exited with 3 without an answer\nthree: 5\n", "", 0)


def test_orders_now_without_its_urls_says_what_it_wants():
    done = run("redis://127.0.0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"usage: {EXAMPLE} redis://… mysql://…\n"
