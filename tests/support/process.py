# SPDX-License-Identifier: MIT
"""A child process that a story starts, kills, freezes, and that never outlives the test run."""
import ctypes
import os
import signal
import subprocess
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    """Even when pytest itself is killed with SIGKILL, no server stays behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def until(condition, timeout=20, what="the condition", step=0.005):
    """Waits for a condition and returns its true value. Stories wait for conditions, not for time."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(step)


class Process:
    """One program at a time: start(), then stop(), kill() or its own end, then start() again.

    It dies with the thread that starts it, unless outlives_us is set before.
    """

    outlives_us = False

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        self.log_path = os.path.join(folder, name + ".log")
        self.child = None

    def spawn(self, command, env=None):
        assert self.child is None, f"{self.name} is running already"
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.folder,
                preexec_fn=None if self.outlives_us else _die_with_parent,
                start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    @property
    def running(self):
        return self.child is not None and self.child.poll() is None

    @property
    def log(self):
        try:
            with open(self.log_path, "rb") as f:
                return f.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def signal(self, number):
        """Does nothing when the process is over: it may end by itself in the same moment."""
        if self.running:
            self.child.send_signal(number)

    def wait(self, timeout=30):
        """Waits for the end; returns the exit status, negative for a signal."""
        try:
            status = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout} s\n{self.tail()}") from None
        self.child = None
        return status

    def kill(self):
        """SIGKILL, as a crash or the OOM killer would; works on a frozen process too."""
        if self.child is not None:
            self.signal(signal.SIGKILL)
            self.wait()

    def stop(self, timeout=30):
        """SIGTERM and wait; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def freeze(self):
        """SIGSTOP, and waits until every thread has stopped."""
        self.signal(signal.SIGSTOP)
        until(lambda: not self.running or self._all_stopped(), what=f"{self.name} frozen")

    def thaw(self):
        self.signal(signal.SIGCONT)

    def _all_stopped(self):
        try:
            tasks = os.listdir(f"/proc/{self.pid}/task")
            return all(self._state(task) in "Tt" for task in tasks)
        except FileNotFoundError:
            return False

    def _state(self, task):
        with open(f"/proc/{self.pid}/task/{task}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    def tail(self, lines=40):
        last = self.log.splitlines()[-lines:]
        return "\n".join([f"--- end of {self.log_path}"] + last)
