# SPDX-License-Identifier: MIT
"""Fixtures of the stories: servers, proxies and daemons, each taken down whatever happens."""
import os
import shutil
import signal
import tempfile

import pytest

from support.headraced import BUILD, Daemon, merged, order_job, servers
from support.orders import create_table
from support.process import Process
from support.proxy import Proxy
from support.servers import MariaDBServer, RedisServer, bootstrap, free_port


def pytest_collection_modifyitems(items):
    """Stories without their daemon are skipped before a server is started for them."""
    if not os.path.exists(os.path.join(BUILD, "headraced")):
        for item in items:
            if "headraced" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="no headraced in " + BUILD))


@pytest.fixture(scope="session", autouse=True)
def _terminate_like_interrupt():
    """SIGTERM to pytest unwinds the fixtures, as Ctrl-C does; else servers would be killed unasked."""
    def interrupt(number, frame):
        raise KeyboardInterrupt
    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def session_folder():
    # Not tmp_path: a unix socket's name has at most 107 bytes.
    folder = tempfile.mkdtemp(prefix="headrace-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb_template(session_folder):
    return bootstrap(os.path.join(session_folder, "template"))


class Scratch:
    """The folder of one test, and the processes in it."""

    def __init__(self, folder):
        self.folder = folder
        self.things = []

    def sub(self, name):
        folder = os.path.join(self.folder, f"{len(self.things)}-{name}")
        os.mkdir(folder)
        return folder

    def add(self, thing):
        self.things.append(thing)
        return thing


@pytest.fixture
def scratch(session_folder):
    s = Scratch(tempfile.mkdtemp(dir=session_folder))
    yield s
    problems = []
    for thing in reversed(s.things):
        try:
            if isinstance(thing, Daemon):
                thing.take_down()
        except Exception as problem:  # noqa: everything is taken down, whatever went wrong first
            problems.append(problem)
        finally:
            (thing.kill if isinstance(thing, Process) else thing.close)()
    shutil.rmtree(s.folder, ignore_errors=True)
    if problems:
        raise problems[0]


@pytest.fixture
def new_redis(scratch):
    """new_redis(appendonly="yes", maxmemory="3mb", port=free_port()) starts one more redis-server."""
    def start(**options):
        return scratch.add(RedisServer(scratch.sub("redis"), **options)).start()
    return start


@pytest.fixture
def new_mariadb(scratch, mariadb_template):
    """new_mariadb(max_connections=5) starts one more mariadbd, with the orders table in it."""
    def start(table="orders", unique=True, **options):
        server = scratch.add(MariaDBServer(scratch.sub("db"), mariadb_template, **options)).start()
        if table:
            create_table(server, table, unique)
        return server
    return start


@pytest.fixture
def redis(new_redis):
    """A Redis that keeps over kill() what it confirmed."""
    return new_redis(appendonly="yes")


@pytest.fixture
def mariadb(new_mariadb):
    return new_mariadb()


@pytest.fixture
def new_proxy(scratch):
    """new_proxy(server) stands before a server; new_proxy(server, tcp=True) listens on loopback."""
    def start(server, tcp=False):
        listen = ("127.0.0.1", free_port()) if tcp else os.path.join(scratch.sub("proxy"), "proxy.sock")
        proxy = Proxy(server.socket, listen)
        if isinstance(server, RedisServer):
            proxy.client = server.client
            proxy.url = f"redis://127.0.0.1:{listen[1]}/0" if tcp else f"unix://{listen}?db=0"
        else:
            proxy.url = (f"mysql://app@127.0.0.1:{listen[1]}/shop" if tcp
                         else f"mysql://app@/shop?socket={listen}")
        return scratch.add(proxy)
    return start


@pytest.fixture
def headraced(scratch):
    """headraced(redis=redis, mariadb=mariadb) starts a daemon with one job, `orders`.

    redis, mariadb: servers or proxies before them (the same for two daemons on one list: to another
    address, the outcome would be written elsewhere). job: what differs from order_job(). main: what
    differs in headrace.yaml. jobs: instead of job, all jobs, whole. instance: two daemons on one list
    need two names. run=False: not started yet.
    """
    def start(redis, mariadb, job=None, jobs=None, main=None, instance="one", env=None, run=True,
              key="orders"):
        config = {
            "version": 1, "instance": instance, "servers": servers(redis.url, mariadb.url),
            "log": {"to": "stderr", "level": "debug"}, "shutdown": {"grace": "5s"},
        }
        jobs = jobs or {"orders": order_job(key=key, **(job or {}))}
        daemon = Daemon(scratch.sub(instance), merged(config, main or {}), jobs, env,
                        watch=[(redis.client, key)])
        scratch.add(daemon)
        return daemon.start() if run else daemon
    return start
