# SPDX-License-Identifier: MIT
"""A Redis behind sentinels for stories: a master, its replica, and three sentinels that know both."""
import os

import redis

from support.process import Process, until
from support.servers import RedisServer, free_port


class Sentinel(Process):
    """One sentinel. The first finds a dead master long before the others do, and may say so alone: two
    that stand for election at once might both fail, and wait for seconds."""

    def __init__(self, folder, number, ports, master, replica):
        super().__init__("sentinel", folder)
        self.port = ports[number]
        self.conf = os.path.join(folder, "sentinel.conf")
        lines = [
            f"port {self.port}", "bind 127.0.0.1", f"dir {folder}", f"sentinel myid {number + 1:040x}",
            f"sentinel monitor main 127.0.0.1 {master.port} 1",
            f"sentinel down-after-milliseconds main {300 if number == 0 else 2000}",
            "sentinel failover-timeout main 1500",
            f"sentinel known-replica main 127.0.0.1 {replica.port}",
        ]
        lines += [f"sentinel known-sentinel main 127.0.0.1 {port} {other + 1:040x}"
                  for other, port in enumerate(ports) if other != number]
        with open(self.conf, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        self.spawn(["redis-server", self.conf, "--sentinel"])
        until(lambda: "+monitor" in self.log, what="a sentinel watching")
        return self


class MastersClient:
    """The plain client of whoever is the master when it is asked."""

    def __init__(self, servers):
        self._servers = servers

    def __getattr__(self, name):
        return getattr(self._servers.master.client, name)


class BehindSentinels:
    """Looks like a RedisServer to a story: url is that of the sentinels, client that of the master.
    What is started is added to scratch, which ends it."""

    def __init__(self, scratch):
        def server():
            return scratch.add(RedisServer(scratch.sub("redis"), port=free_port())).start()

        self.master, self.replica = server(), server()
        self.client = MastersClient(self)
        self.replica.client.replicaof("127.0.0.1", self.master.port)
        until(lambda: self.replica.client.info("replication").get("master_link_status") == "up",
              what="the replica following")
        ports = []
        while len(ports) < 3:
            ports += [port for port in [free_port()] if port not in ports]
        self.sentinels = [
            scratch.add(Sentinel(scratch.sub("sentinel"), number, ports, self.master, self.replica)).start()
            for number in range(3)]

    @property
    def url(self):
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{s.port}" for s in self.sentinels) + "/main"

    def kill_master(self):
        """kill -9, as soon as the replica has what was pushed; returns when it is the master."""
        assert self.client.wait(1, 5000) == 1
        self.master.kill()
        self.master, self.replica = self.replica, self.master
        until(self._promoted, what="the replica being promoted")

    def _promoted(self):
        try:
            return self.client.role()[0] == b"master"
        except redis.ConnectionError:
            return False  # sentinels hang up on whoever was connected
