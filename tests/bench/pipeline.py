# SPDX-License-Identifier: MIT
"""Redis list to MySQL rows: headraced beside a hand-written loop and the tutorial's way, in one run.

All of them carry the same orders into the example's table, on the same private servers, in turns.
A peer is up and has carried some items before it is measured; then the whole list appears at once.
"""
import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from support import orders
from support.headraced import BUILD, Daemon
from support.process import Process, until
from support.servers import MariaDBServer, RedisServer, bootstrap

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "packaging", "examples")
HERTZ = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


def series(n, seed):
    """n orders with uids of their own. The rest of an order comes again after 10,000: making it is
    slow, and no server looks."""
    first = orders.orders(min(n, 10_000), seed=1)
    for i in range(n):
        text = first[i % len(first)]
        yield text[:14] + orders.uid(i, seed).encode() + text[50:]


def proc(pid, name):
    with open(f"/proc/{pid}/{name}", encoding="ascii", errors="replace") as f:
        return f.read()


def cpu_seconds(pid):
    fields = proc(pid, "stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


def cpu_of_threads(pid):
    """As cpu_seconds(), of the threads that live, to the nanosecond: for those that do little."""
    return sum(int(proc(pid, f"task/{task}/schedstat").split()[0])
               for task in os.listdir(f"/proc/{pid}/task")) / 1e9


def memory(pid, which):
    """VmRSS or VmHWM in MiB."""
    for line in proc(pid, "status").splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {which} of {pid}")


class Program(Process):
    """A peer that takes the two sockets and the list."""

    def __init__(self, folder, name, command, redis, mariadb):
        super().__init__(name, folder)
        self.command = [*command, redis.socket, mariadb.socket, "orders"]

    def start(self):
        self.spawn(self.command)
        return self


class Bench:
    """The two servers, and how each peer is started on them."""

    def __init__(self, folder):
        self.folder = folder
        self.seed = 1
        self.processes = []
        self.redis = self.add(RedisServer(self.sub("redis")))
        self.mariadb = self.add(MariaDBServer(
            self.sub("mariadb"), bootstrap(os.path.join(folder, "template")),
            innodb_buffer_pool_size="1G", innodb_log_file_size="512M"))
        self.redis.start()
        self.mariadb.start()
        with open(os.path.join(EXAMPLES, "orders.sql"), encoding="utf-8") as f:
            self.mariadb.script("".join(line for line in f if not line.startswith("--")))

    def sub(self, name):
        return tempfile.mkdtemp(prefix=name + "-", dir=self.folder)

    def add(self, process):
        self.processes.append(process)
        return process

    def close(self):
        for process in reversed(self.processes):
            process.kill()

    def peer(self, name):
        if name == "headraced":
            return self.headraced()
        command = {
            "limit": [os.path.join(BUILD, "tests", "bench", "limit")],
            "tutorial": ["/usr/bin/python3", os.path.join(HERE, "tutorial.py")],
        }[name]
        return self.add(Program(self.sub(name), name, command, self.redis, self.mariadb)).start()

    def headraced(self):
        """With the example's configuration, as it is."""
        def read(name):
            with open(os.path.join(EXAMPLES, name), encoding="utf-8") as f:
                return f.read()
        env = {"HEADRACE_REDIS_URL": self.redis.url, "HEADRACE_MYSQL_URL": self.mariadb.url}
        daemon = Daemon(self.sub("headraced"), read("headrace.yaml"),
                        {"orders": read("jobs.d/orders.yaml")}, env)
        return self.add(daemon).start()

    def items(self, n):
        self.seed += 1
        return series(n, self.seed)

    def fill(self, key, n):
        pipeline, chunk = self.redis.client.pipeline(transaction=False), []
        for item in self.items(n):
            chunk.append(item)
            if len(chunk) == 1000:
                pipeline.rpush(key, *chunk)
                pipeline.execute()
                chunk = []
        if chunk:
            self.redis.client.rpush(key, *chunk)

    def inserted(self):
        """Rows written so far, ledger rows among them."""
        return int(self.mariadb.execute("SHOW GLOBAL STATUS LIKE 'Handler_write'")[0][1])

    def empty(self):
        self.redis.client.flushall()
        self.mariadb.execute("TRUNCATE orders")

    def warm(self, name):
        """Starts a peer and lets it carry some items."""
        self.empty()
        peer = self.peer(name)
        self.fill("orders", 200)
        until(lambda: self.mariadb.count("orders") == 200, 20, f"{name} at work\n{peer.tail()}")
        return peer

    def drain(self, name, n):
        """Rows a second, CPU seconds per million of the peer, mariadbd and Redis, the peer's peak MiB."""
        peer = self.warm(name)
        self.fill("parked", n)
        pids = (peer.pid, self.mariadb.pid, self.redis.pid)
        before, cpu = self.inserted(), [cpu_seconds(pid) for pid in pids]
        began = last = time.monotonic()
        seen = before
        self.redis.client.rename("parked", "orders")
        while seen < before + n or time.monotonic() < last + 0.1:
            time.sleep(0.005)
            count = self.inserted()
            if count != seen:
                seen, last = count, time.monotonic()
            assert peer.running and time.monotonic() < last + 10, f"{name} stands still\n{peer.tail()}"
        cpu = [(cpu_seconds(pid) - at_first) / n * 1e6 for pid, at_first in zip(pids, cpu)]
        assert self.mariadb.count("orders") == n + 200, f"{name} lost or doubled items"
        peak = memory(peer.pid, "VmHWM")
        peer.stop()
        return n / (last - began), *cpu, peak

    def latency(self, name, n):
        """p50 and p99 in ms at 200 items a second."""
        peer = self.warm(name)
        done = subprocess.run(
            [os.path.join(BUILD, "tests", "bench", "latency"), self.redis.socket,
             self.mariadb.socket, "orders"],
            input=b"\n".join(self.items(n)) + b"\n", capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode() + peer.tail()
        peer.stop()
        return tuple(float(word) for word in done.stdout.split())

    def backlog(self, n, seconds):
        """Peak MiB of a daemon that works on a list of n for a while."""
        self.empty()
        self.fill("orders", n)
        daemon = self.headraced()
        time.sleep(seconds)
        left = self.redis.client.llen("orders")
        peak = memory(daemon.pid, "VmHWM")
        daemon.stop()
        return peak, left

    def idle(self, seconds):
        """CPU percent and MiB of a daemon that has nothing to do."""
        daemon = self.warm("headraced")
        time.sleep(2)
        cpu = cpu_of_threads(daemon.pid)
        time.sleep(seconds)
        cpu = cpu_of_threads(daemon.pid) - cpu
        rss = memory(daemon.pid, "VmRSS")
        daemon.stop()
        return cpu / seconds * 100, rss


def spread(values, form):
    """The median, and the range in brackets."""
    low, high = min(values), max(values)
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({low:{form}}–{high:{form}})"


def ratios(rounds, name, other, column):
    """Peers are compared within a round, so that what slows the machine slows both."""
    return statistics.median(r[name][column] / r[other][column] for r in rounds)


def show(rows):
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for i, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    print(flush=True)


def say(text=""):
    """Shows progress to a person."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def in_turns(what, rounds, peers, measure):
    results = []
    for i in range(rounds):
        results.append({})
        for name in peers:
            say(f"{what}: round {i + 1} of {rounds}, {name}")
            results[-1][name] = measure(name)
    say()
    return results


def throughput(bench, options):
    peers = options.peers
    sizes = {"tutorial": max(1000, options.items // 60)}
    rounds = in_turns("throughput", options.rounds, peers,
                      lambda name: bench.drain(name, sizes.get(name, options.items)))
    table = [("", "rows/s", "of limit", "× tutorial", "CPU s per million", "mariadbd's", "Redis'",
              "peak RSS, MiB")]
    for name in peers:
        columns = list(zip(*(r[name] for r in rounds)))
        table.append((
            name, spread(columns[0], ",.0f"),
            f"{ratios(rounds, name, 'limit', 0):.0%}" if "limit" in peers else "",
            f"{ratios(rounds, name, 'tutorial', 0):.1f}" if "tutorial" in peers else "",
            *(spread(column, ".2f") for column in columns[1:4]), spread(columns[4], ".1f")))
    show(table)


def latencies(bench, options):
    peers = options.peers
    rounds = in_turns("latency", options.rounds, peers,
                      lambda name: bench.latency(name, options.latency_items))
    table = [("one item at a time, 200/s", "p50, ms", "p99, ms", "p50 × limit", "p99 × limit")]
    for name in peers:
        columns = list(zip(*(r[name] for r in rounds)))
        table.append((name, spread(columns[0], ".2f"), spread(columns[1], ".2f"),
                      *(f"{ratios(rounds, name, 'limit', k):.2f}" if "limit" in peers else "" for k in (0, 1))))
    show(table)


def memories(bench, options):
    table = [("headraced, items waiting", "peak RSS, MiB", "still waiting at the end")]
    for n in (10, options.backlog):
        say(f"memory: {n:,} items")
        peak, left = bench.backlog(n, 3)
        table.append((f"{n:,}", f"{peak:.1f}", f"{left:,}"))
    say("idle")
    cpu, rss = bench.idle(options.idle)
    say()
    show(table)
    show([("headraced, idle", "CPU", "RSS, MiB"), (f"{options.idle} s", f"{cpu:.3f} %", f"{rss:.1f}")])


def conditions(bench):
    version = bench.mariadb.execute("SELECT VERSION()")[0][0]
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "")
    print(f"{time.strftime('%Y-%m-%d')}; {os.cpu_count()} cores ({model or platform.machine()}), "
          f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}; MariaDB {version}, "
          f"Redis {bench.redis.client.info()['redis_version']}; flush_log_at_trx_commit=1\n", flush=True)


def main(argv):
    parser = argparse.ArgumentParser(prog="./dev bench pipeline", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--items", type=int, default=300_000, help="drained a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="each peer's turns (%(default)s)")
    parser.add_argument("--latency-items", type=int, default=1000, help="pushed one by one a round (%(default)s)")
    parser.add_argument("--backlog", type=int, default=1_000_000,
                        help="items that wait while memory is measured; Redis takes 260 MB a million (%(default)s)")
    parser.add_argument("--idle", type=int, default=10, help="seconds of idling (%(default)s)")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=["headraced", "limit", "tutorial"])
    parser.add_argument("--only", choices=["throughput", "latency", "memory"], help="one part")
    options = parser.parse_args(argv)
    subprocess.run(["ninja", "-C", BUILD, "--quiet", "tests/bench/limit", "tests/bench/latency"], check=True)

    folder, bench = tempfile.mkdtemp(prefix="headrace-bench-"), None
    try:
        bench = Bench(folder)
        conditions(bench)
        for part, run in (("throughput", throughput), ("latency", latencies), ("memory", memories)):
            if options.only in (None, part):
                run(bench, options)
    finally:
        if bench:
            bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0
