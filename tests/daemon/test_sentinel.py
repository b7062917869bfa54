# SPDX-License-Identifier: MIT
"""A source behind Redis Sentinel: the daemon goes where the master is."""
import pytest

from support.check import everything_once
from support.orders import orders
from support.sentinels import BehindSentinels

SLOW = {"sink": {"mysql": {"batch": {"rows": 20}}}, "retry": {"attempts": 1}}


@pytest.fixture
def redis(scratch):
    return BehindSentinels(scratch)


def test_a_failover_of_the_source_is_followed(redis, mariadb, headraced):
    """No promise of ours goes further than Redis keeps what it acknowledged: on loopback it does."""
    pushed = orders(2_000)
    daemon = headraced(redis, mariadb, job=SLOW)
    redis.client.rpush("orders", *pushed)
    daemon.until(lambda: mariadb.count("orders") >= 300, what="300 rows")
    redis.kill_master()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
