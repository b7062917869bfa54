# SPDX-License-Identifier: MIT
"""Fixtures of the script tests: one Redis a module, emptied for each test."""
import contextlib
import os
import tempfile

import pytest

from support import check
from support.scripts import Scripts
from support.servers import RedisServer


@pytest.fixture(scope="module")
def script_redis(session_folder):
    server = RedisServer(tempfile.mkdtemp(dir=session_folder)).start()
    yield server
    server.kill()


@pytest.fixture
def s(script_redis):
    script_redis.client.flushall()
    script_redis.client.config_set("maxmemory", 0)
    return Scripts(script_redis.client)


@pytest.fixture
def no_invariant(s):
    """For tests that begin with damage."""
    s.damaged = True


@pytest.fixture
def invariant(s):
    """After every test: an id is in own, in leases and a batch list, or in none of them."""
    yield
    if not getattr(s, "damaged", False):
        check.invariant(s.client, s.list)


@pytest.fixture
def spy(script_redis):
    """with spy() as calls: … fills calls with what scripts did meanwhile, each a list of words."""
    @contextlib.contextmanager
    def watch():
        calls, end = [], "end of watching " + os.urandom(8).hex()
        with script_redis.client.monitor() as monitor:
            yield calls
            script_redis.client.echo(end)
            for command in monitor.listen():
                if end in command["command"]:
                    break
                if command["client_type"] == "lua":
                    words = command["command"].split(" ")
                    calls.append([words[0].upper()] + words[1:])
    return watch
