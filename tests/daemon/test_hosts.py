# SPDX-License-Identifier: MIT
"""A MySQL URL with several hosts: the daemon finds one that takes writes, and finds it again."""
from support.check import everything_once
from support.orders import orders
from support.servers import free_port


def test_a_host_that_is_gone_and_one_that_takes_no_writes_are_passed_over(new_redis, new_mariadb, headraced):
    redis = new_redis(appendonly="yes")
    reader = new_mariadb(port=free_port(), read_only="ON")
    writer = new_mariadb(unique=False, port=free_port())
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{reader.port},127.0.0.1:{writer.port}"
    pushed = orders(4_000)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, writer, main={"servers": {
        "shop": {"mysql": {"url": f"mysql://app@{hosts}/shop", "password": "secret"}}}})
    daemon.until(lambda: writer.count("orders") >= 1_000, what="rows")
    writer.restart()
    daemon.until_drained(redis)
    everything_once(redis, writer, pushed)
