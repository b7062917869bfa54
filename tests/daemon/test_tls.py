# SPDX-License-Identifier: MIT
"""Pipelines over TLS on both servers: nothing is lost or doubled there either, and nobody is trusted unasked."""
import os
import subprocess

import pytest

from support.check import everything_once
from support.orders import orders
from support.servers import free_port


@pytest.fixture(scope="session")
def certificates(session_folder):
    """A folder with what support/certificates.sh makes."""
    folder = os.path.join(session_folder, "certificates")
    os.mkdir(folder)
    script = os.path.join(os.path.dirname(__file__), "..", "support", "certificates.sh")
    subprocess.run([script, folder], check=True)
    return lambda name: os.path.join(folder, name)


@pytest.fixture
def redis(new_redis, certificates):
    return new_redis(appendonly="yes", tls_port=free_port(), tls_cert_file=certificates("server.pem"),
                     tls_key_file=certificates("server.pem"), tls_ca_cert_file=certificates("ca.pem"))


@pytest.fixture
def mariadb(new_mariadb, certificates):
    return new_mariadb(unique=False, port=free_port(), ssl_cert=certificates("server.pem"),
                       ssl_key=certificates("server.pem"), ssl_ca=certificates("ca.pem"))


def over_tls(redis, mariadb, certificates, ca="ca.pem", host="localhost"):
    """Both servers by TCP, and TLS asked for in the two ways that there are."""
    return {"servers": {
        "queue": {"redis": {"url": f"rediss://{host}:{redis.options['tls-port']}/0",
                            "tls": {"ca": certificates(ca), "cert": certificates("client.pem")}}},
        "shop": {"mysql": {"url": f"mysql://app@127.0.0.1:{mariadb.port}/shop", "password": "secret",
                           "tls": {"ca": certificates(ca)}}}}}


def test_a_pipeline_runs_over_tls_through_kills_of_everybody(redis, mariadb, headraced, certificates):
    pushed = orders(8_000)
    redis.client.rpush("orders", *pushed)
    daemon = headraced(redis, mariadb, main=over_tls(redis, mariadb, certificates))
    for share, kill in ((1, daemon.restart), (2, mariadb.restart), (3, redis.restart), (4, daemon.restart)):
        daemon.until(lambda rows=share * 1_500: mariadb.count("orders") >= rows, what="rows")
        kill()
    daemon.until_drained(redis)
    everything_once(redis, mariadb, pushed)
    assert mariadb.execute("SELECT COUNT(*) FROM information_schema.processlist p"
                           " WHERE user = 'app' AND host LIKE '127.0.0.1:%'")[0][0] > 0
    assert not redis.client.config_get("port")["port"].strip("0")


@pytest.mark.parametrize("wrong", [{"ca": "stranger.pem"}, {"host": "127.0.0.2"}])
def test_a_server_that_cannot_be_verified_gets_nothing(redis, mariadb, headraced, certificates, wrong):
    if "host" in wrong:
        redis.client.config_set("bind", "127.0.0.1 127.0.0.2")
    redis.client.rpush("orders", *orders(5))
    daemon = headraced(redis, mariadb, main=over_tls(redis, mariadb, certificates, **wrong))
    daemon.until(lambda: "certificate" in daemon.log, what="the refusal being told")
    assert redis.client.llen("orders") == 5 and mariadb.count("orders") == 0


def test_a_sink_that_cannot_be_verified_keeps_the_items_waiting(redis, mariadb, headraced, certificates):
    main = over_tls(redis, mariadb, certificates)
    main["servers"]["shop"]["mysql"]["tls"]["ca"] = certificates("stranger.pem")
    redis.client.rpush("orders", *orders(5))
    daemon = headraced(redis, mariadb, main=main)
    daemon.until(lambda: "certificate is not accepted" in daemon.log, what="the refusal being told")
    assert mariadb.count("orders") == 0
    daemon.stop()
    assert redis.client.llen("orders") == 5


def test_a_file_that_is_missing_ends_the_start(redis, mariadb, headraced, certificates):
    main = over_tls(redis, mariadb, certificates, ca="no-such.pem")
    daemon = headraced(redis, mariadb, main=main, run=False)
    daemon.start(wait=False)
    daemon.wait()
    assert "no-such.pem: No such file" in daemon.log
