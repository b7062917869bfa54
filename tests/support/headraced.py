# SPDX-License-Identifier: MIT
"""The real headraced, run by a story: configuration from dicts, admin socket, signals, log."""
import copy
import http.client
import json
import os
import re
import shutil
import signal
import socket

from support import check
from support.orders import PARAMS, STATEMENT
from support.process import Process, until

BUILD = os.path.abspath(os.environ.get(
    "HEADRACE_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build")))


# In a build with fault points, and with this one armed: a daemon that processes an item holding this
# text dies on the spot (SIGKILL to itself), as by a bug that a payload triggers.
POISON = b"POISON"
POISONOUS = {"HEADRACE_FAULT": "poison-item"}


def has_fault_points():
    try:
        with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as f:
            return any(o["name"] == "fault_points" and o["value"] for o in json.load(f))
    except OSError:
        return False


def for_everybody(path):
    """Whether any user may run this program: it may lie in somebody's private home."""
    open_here = os.path.exists(path) and os.stat(path).st_mode & 0o001
    return path == "/" or open_here and for_everybody(os.path.dirname(path))


class Refused(Exception):
    """The admin server answered with a status that is not 2xx."""

    def __init__(self, status, body):
        super().__init__(f"HTTP {status}: {body[:200]!r}")
        self.status = status
        self.body = body


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def merged(base, changes):
    """As drop-in files: maps merge, everything else replaces; None removes a key."""
    result = copy.deepcopy(base)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = copy.deepcopy(value)
    return result


def servers(redis_url, mysql_url):
    return {"queue": {"redis": {"url": redis_url}}, "shop": {"mysql": {"url": mysql_url}}}


def order_job(key="orders", table="orders", **changes):
    """The job of most stories: orders of support.orders into their table. lease is short, so that
    stories about dead owners are."""
    job = {
        "source": {"redis_list": {"server": "queue", "key": key, "lease": "2s"}},
        "sink": {"mysql": {
            "server": "shop", "statement": STATEMENT.format(table=table), "params": PARAMS,
            "batch": {"rows": 100},
        }},
        "retry": {"attempts": 3, "backoff": {"first": "50ms", "max": "1s"}},
    }
    return merged(job, changes)


class Daemon(Process):
    """folder: its own; configuration and runtime directory live there.

    main: headrace.yaml, jobs: {name: job}; each a dict or the text of the file. watch: pairs of a
    Redis client and a list whose invariants are checked when the daemon is taken down.
    """

    def __init__(self, folder, main, jobs, env=None, name="headraced", watch=()):
        super().__init__(name, folder)
        self.config = os.path.join(folder, "etc")
        self.runtime = os.path.join(folder, "run")
        self.watch = list(watch)
        self.env = dict(env or {})
        os.makedirs(self.runtime, exist_ok=True)
        self.configure(main, jobs)

    def configure(self, main, jobs):
        shutil.rmtree(self.config, ignore_errors=True)
        os.makedirs(os.path.join(self.config, "jobs.d"))
        self._write("headrace.yaml", main)
        for name, job in jobs.items():
            self._write(os.path.join("jobs.d", name + ".yaml"), job)

    def _write(self, name, content):
        # JSON is YAML, so the tests need no YAML library.
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        with open(os.path.join(self.config, name), "w", encoding="utf-8") as f:
            f.write(text)

    @property
    def environment(self):
        env = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")}
        env.update(RUNTIME_DIRECTORY=self.runtime, XDG_RUNTIME_DIR=self.runtime)
        env.update(self.env)
        return env

    @property
    def admin_socket(self):
        return os.path.join(self.runtime, "admin.sock")

    def start(self, wait=True):
        self.spawn([os.path.join(BUILD, "headraced"), "--config", self.config], self.environment)
        if wait:
            self.until(self.alive, what="the admin server answering")
        return self

    def restart(self):
        self.kill()
        return self.start()

    # What it says of itself.

    def ask(self, method, path):
        """(status, body) of an admin request."""
        connection = _UnixConnection(self.admin_socket)
        try:
            connection.request(method, path, headers={"Content-Length": "0"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path, method="GET"):
        status, body = self.ask(method, path)
        if not 200 <= status < 300:
            raise Refused(status, body)
        return body

    def alive(self):
        try:
            return self.ask("GET", "/livez")[0] == 200
        except OSError:
            return False

    def healthy(self):
        """False also when it does not answer."""
        try:
            return self.ask("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def status(self, job="orders"):
        return json.loads(self.get("/jobs/" + job))

    def pause(self, job="orders"):
        self.get(f"/jobs/{job}/pause", "POST")

    def resume(self, job="orders"):
        self.get(f"/jobs/{job}/resume", "POST")

    def metrics(self):
        """{'name{label="value"}': float}"""
        found = {}
        for line in self.get("/metrics").decode().splitlines():
            match = re.fullmatch(r"([a-z_:][^ {]*(?:\{.*\})?) (\S+)", line)
            if match:
                found[match[1]] = float(match[2])
        return found

    def metric(self, name, **labels):
        """The sum of the series of this name that bear these labels."""
        wanted = [f'{k}="{v}"' for k, v in labels.items()]
        return sum(value for series, value in self.metrics().items()
                   if series.split("{")[0] == name and all(w in series for w in wanted))

    # What a story waits for.

    def until(self, condition, timeout=30, what="the condition"):
        """Waits until condition() is true and returns its value; fails at once when the daemon ends."""
        def look():
            value = condition()
            if not value and not self.running:
                raise AssertionError(f"{self.name} ended while {what} was waited for\n{self.tail()}")
            return value
        try:
            return until(look, timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._state_for_people()}{self.tail()}") from None

    def _state_for_people(self):
        if not self.running:
            return ""
        try:
            return self.get("/jobs").decode("utf-8", "replace") + "\n"
        except (OSError, Refused, http.client.HTTPException) as error:
            return f"no status: {error}\n"

    def drained(self, client, key="orders"):
        """Whether a list and everything that belongs to it is empty (dead letters aside)."""
        return client.llen(key) == 0 and not check.leftovers(client, key)

    def until_drained(self, redis, key="orders", timeout=60):
        try:
            self.until(lambda: self.drained(redis.client, key), timeout, f"{key} drained")
        except AssertionError as error:
            left = [(name, redis.client.type(name).decode()) for name in check.leftovers(redis.client, key)]
            own = redis.client.hgetall(check.hr(key, "own"))
            raise AssertionError(
                f"{error}\n{redis.client.llen(key)} in the list, besides {left}, own {own}") from None

    # What is done to it.

    def stop(self, timeout=30):
        self.thaw()
        return super().stop(timeout)

    def abort(self):
        """SIGABRT, as the watchdog would."""
        self.signal(signal.SIGABRT)
        self.wait()

    def hangup(self):
        self.signal(signal.SIGHUP)

    def take_down(self):
        """Ends it if it still runs, then checks what must hold after every story."""
        ended = self.stop() if self.running else None
        assert ended in (None, 0), f"{self.name} ended with {ended}\n{self.tail()}"
        for client, key in self.watch:
            check.invariant(client, key)
        report = re.search(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error):.*", self.log)
        assert not report, f"{report[0]}\n{self.tail(200)}"
