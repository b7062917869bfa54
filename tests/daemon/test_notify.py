# SPDX-License-Identifier: MIT
"""What systemd hears: a stand-in for the manager on its notification socket."""
import os
import select
import signal
import socket
import time

import pytest

from support.orders import orders


class Manager:
    """Receives what the daemon says; each message is a dict, with the time it came."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def listen(self):
        while select.select([self.socket], [], [], 0)[0]:
            message = self.socket.recv(4096).decode()
            said = dict(line.split("=", 1) for line in message.splitlines())
            self.heard.append((time.monotonic(), said))
        return self.heard

    def said(self, key, value=None):
        return [m[key] for _, m in self.listen() if key in m and value in (None, m[key])]

    def close(self):
        self.socket.close()


@pytest.fixture
def manager(scratch):
    return scratch.add(Manager(scratch.sub("manager")))


def test_ready_status_watchdog_and_stopping(redis, mariadb, headraced, manager):
    daemon = headraced(redis, mariadb, run=False, env={
        "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    daemon.start()
    daemon.until(lambda: manager.said("READY", "1"), what="READY")
    redis.client.rpush("orders", *orders(500))
    daemon.until(lambda: any("500 items done" in s for s in manager.said("STATUS")), what="live numbers")
    daemon.until(lambda: len(manager.said("WATCHDOG", "1")) >= 5, what="the watchdog fed")
    assert daemon.stop() == 0
    assert manager.said("STOPPING", "1")
    fed = [at for at, m in manager.heard if "WATCHDOG" in m]
    assert max(b - a for a, b in zip(fed, fed[1:])) < 0.4


def test_a_loop_that_hangs_feeds_no_watchdog(redis, mariadb, headraced, manager):
    daemon = headraced(redis, mariadb, run=False, env={
        "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    daemon.start()
    daemon.until(lambda: manager.said("WATCHDOG"), what="the watchdog fed")
    daemon.signal(signal.SIGSTOP)
    before = len(manager.said("WATCHDOG"))
    time.sleep(0.5)  # what is looked for is silence, and only time can show it
    assert len(manager.said("WATCHDOG")) <= before + 1
    daemon.signal(signal.SIGCONT)
