# SPDX-License-Identifier: MIT
"""headracectl as a story runs it, and its exit statuses."""
import json
import os
import subprocess

import pytest

from support.headraced import BUILD

CTL = os.path.join(BUILD, "headracectl")

needs_ctl = pytest.mark.skipif(not os.path.exists(CTL), reason="no headracectl in " + BUILD)

# sysexits.h, as far as headracectl uses it
DONE, FOUND, USAGE, DATA, UNAVAILABLE, INTERNAL, TRY_AGAIN, NOT_PERMITTED, CONFIGURATION = (
    0, 1, 64, 65, 69, 70, 75, 77, 78)


class Ctl:
    """ctl("status", "orders") runs it against a daemon; the socket is passed along."""

    def __init__(self, daemon=None):
        self.socket = daemon.admin_socket if daemon else None

    def run(self, *args, stdin=b"", json_=False, **more):
        command = [CTL, *args]
        if self.socket:
            command += ["--socket", self.socket]
        if json_:
            command.append("--json")
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, **more)
        assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def __call__(self, *args, want=DONE, **more):
        """Standard output of a run that ends with this status."""
        status, out, err = self.run(*args, **more)
        assert status == want, (status, out, err)
        return out

    def json(self, *args, want=DONE, **more):
        return json.loads(self(*args, want=want, json_=True, **more))

    def error(self, *args, want, **more):
        status, out, err = self.run(*args, **more)
        assert status == want, (status, out, err)
        assert err.startswith("headracectl: ") and err.endswith("\n"), err
        return err
