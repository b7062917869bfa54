# SPDX-License-Identifier: MIT
"""What the demo plays on: a scratch folder with a private Redis, a private MariaDB and headraced.

The daemon reads the files of packaging/examples as they are; only environment variables tell it
where the private servers are.
"""
import os
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor

from support.headraced import Daemon
from support.process import until
from support.servers import MariaDBServer, RedisServer, bootstrap

EXAMPLES = os.path.join(os.path.dirname(__file__), "..", "..", "packaging", "examples")


def example(name):
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as f:
        return f.read()


class Headraced(Daemon):
    """headraced, with an account of what all its runs have used."""

    def __init__(self, folder, redis, mariadb):
        super().__init__(
            folder, example("headrace.yaml"), {"orders": example("jobs.d/orders.yaml")},
            env={"HEADRACE_REDIS_URL": redis.url, "HEADRACE_MYSQL_URL": mariadb.url})
        self.runs = 0
        self.cpu_seconds = 0.0
        self.peak_memory = 0

    def start(self, wait=True):
        self.runs += 1
        return super().start(wait)

    def look(self):
        """Remembers the most memory that this run has had resident so far, in bytes.

        The kernel's account at the end of a child would not do: it begins before exec(), with the
        memory of the parent.
        """
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        self.peak_memory = max(self.peak_memory, 1024 * int(line.split()[1]))
        except FileNotFoundError:
            pass

    def signal(self, number):
        self.look()
        super().signal(number)

    def wait(self, timeout=30):
        if self.child.returncode is None:
            # Popen would throw the account of the child away.
            until(lambda: os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG),
                  timeout, f"the end of {self.name}")
            _, status, usage = os.wait4(self.pid, 0)
            self.cpu_seconds += usage.ru_utime + usage.ru_stime
            self.child.returncode = os.waitstatus_to_exitcode(status)
        return super().wait()


class Stage:
    """with Stage() as stage: servers run, the table is there. Afterwards nothing is left, unless
    keep is true and the block ended well; then everything runs on, until stage.stopper is run."""

    def __init__(self, keep=False):
        self.keep = keep
        self.folder = tempfile.mkdtemp(prefix="headrace-demo-")
        self.stopper = os.path.join(self.folder, "stop")
        self.redis = RedisServer(self._sub("redis"), appendonly="yes", appendfsync="everysec")
        self.mariadb = MariaDBServer(
            self._sub("mariadb"), os.path.join(self.folder, "template"), innodb_buffer_pool_size="128M")
        self.daemon = Headraced(self._sub("headraced"), self.redis, self.mariadb)
        self.processes = [self.redis, self.mariadb, self.daemon]
        for process in self.processes:
            process.outlives_us = keep
        self._maker = ThreadPoolExecutor(max_workers=1)
        self._made = None

    def _sub(self, name):
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        return folder

    def __enter__(self):
        """The databases are being made when this returns; set_up() waits for them."""
        self._made = self._maker.submit(bootstrap, self.mariadb.template)
        return self

    def set_up(self):
        self._made.result()
        self.redis.start()
        self.mariadb.start()
        self.mariadb.script(example("orders.sql"))

    def __exit__(self, kind, error, trace):
        if self.keep and kind is None:
            self._write_stopper()
            return
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._maker.shutdown()
        for process in reversed(self.processes):
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_stopper(self):
        pids = " ".join(str(process.pid) for process in reversed(self.processes))
        with open(self.stopper, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n"
                    f"for pid in {pids}; do\n"
                    "    kill $pid 2>/dev/null && while [ -e /proc/$pid/exe ]; do sleep 0.1; done\n"
                    "done\n"
                    f"rm -rf {self.folder}\n")
        os.chmod(self.stopper, 0o755)
