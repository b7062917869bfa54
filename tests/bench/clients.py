# SPDX-License-Identifier: MIT
"""The clients beside what a user could install instead: a table of ratios from one run.

Every row is run by every program in turns, round by round, against the same private servers. What is
compared is the time that passes, for that is what a caller waits for; what an operation costs the
client's CPU stands beside it.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

from runtime import alone, conditions, names, number, ratio, say, show, spread
from support.headraced import BUILD
from support.process import Process
from support.servers import MariaDBServer, RedisServer, bootstrap, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(BUILD, "tests", "bench")
MODULES = os.path.join(HERE, "..", "..", "build", "deps", "node")  # ioredis and mysql2
PYTHON = "/usr/bin/python3"
US = "headrace"


@dataclass
class Row:
    """What is done, by how many tasks, and what is asked: factors of others' throughput, at least."""
    about: str
    run: str               # what programs call it
    tasks: int
    count: int
    asked: dict = field(default_factory=dict)
    cpu_us: float = 0      # an operation may take of the client's CPU
    tls: bool = False


def rows():
    redis = {"redis-benchmark": 0.9, "ioredis": 5, "redis-py": 10}
    for verb in ("get", "set"):
        for tasks, count in ((1, 40_000), (100, 400_000), (1000, 1_000_000)):
            yield f"{verb}_{tasks}", Row(f"{verb.upper()} from {tasks:,} tasks", f"redis_{verb}", tasks, count,
                                         redis, 0.5 if tasks == 1000 else 0)
    yield "get_100_tls", Row("GET from 100 tasks", "redis_get", 100, 400_000, redis, tls=True)
    mysql = {"libmariadb": 0.95, "go-sql-driver": 1.3, "mysql2": 2, "aiomysql": 2}
    for tasks, count in ((1, 20_000), (8, 60_000), (64, 60_000)):
        yield f"select_{tasks}", Row(f"SELECT by key, {tasks} connections", "mysql_select", tasks, count, mysql)
    yield "bulk", Row("rows in inserts of 1,000", "mysql_bulk", 1, 500_000, {"libmariadb": 0.95})
    yield "http_1000", Row("GET of 1 KiB from 1,000 tasks", "http_get", 1000, 100_000,
                           {"curl_multi": 0.9, "aiohttp": 3})
    yield "select_8_tls", Row("SELECT by key, 8 connections", "mysql_select", 8, 40_000, {"libmariadb": 0.95},
                              tls=True)
    yield "bulk_tls", Row("rows in inserts of 1,000", "mysql_bulk", 1, 500_000, {"libmariadb": 0.95}, tls=True)


ROWS = dict(rows())


@dataclass
class Peer:
    """A program that takes ROW TASKS COUNT WHERE and prints a JSON line."""
    command: list
    runs: str
    slow: int = 1  # gets the count divided by this
    tls: bool = False


def built(name):
    return [os.path.join(PROGRAMS, name)]


PEERS = {
    US: Peer(built("clients"), "redis_get redis_set mysql_select mysql_bulk http_get", tls=True),
    "redis-benchmark": Peer(["redis-benchmark"], "redis_get redis_set", tls=True),
    "ioredis": Peer(["node", os.path.join(HERE, "peers", "node", "clients.mjs")], "redis_get redis_set", 4, True),
    "redis-py": Peer([PYTHON, os.path.join(HERE, "peers", "clients_aio.py")], "redis_get redis_set", 20, True),
    "libmariadb": Peer(built("mysql_threads"), "mysql_select mysql_bulk", tls=True),
    "floor": Peer(built("mysql_floor"), "mysql_select"),
    "go-sql-driver": Peer(built("mysql_go"), "mysql_select"),
    "mysql2": Peer(["node", os.path.join(HERE, "peers", "node", "clients.mjs")], "mysql_select", 4),
    "aiomysql": Peer([PYTHON, os.path.join(HERE, "peers", "clients_aio.py")], "mysql_select", 10),
    "curl_multi": Peer(built("curl_multi"), "http_get"),
    "aiohttp": Peer([PYTHON, os.path.join(HERE, "peers", "clients_aio.py")], "http_get", 10),
}


def has(peer, row):
    return ROWS[row].run in PEERS[peer].runs.split() and (PEERS[peer].tls or not ROWS[row].tls)


class Program(Process):
    """A server without anything to set up."""

    def __init__(self, folder, command):
        super().__init__("http", folder)
        self.command = command

    def start(self):
        self.spawn(self.command)


class Servers:
    """An HTTP server, one Redis and one MariaDB, on unix sockets and, for TLS, on loopback."""

    def __init__(self, folder):
        self.folder = folder
        certificates = self.sub("certificates")
        subprocess.run([os.path.join(HERE, "..", "support", "certificates.sh"), certificates], check=True)
        self.ca = os.path.join(certificates, "ca.pem")
        server = os.path.join(certificates, "server.pem")
        self.redis = RedisServer(self.sub("redis"), tls_port=free_port(), tls_cert_file=server,
                                 tls_key_file=server, tls_ca_cert_file=self.ca, tls_auth_clients="no")
        self.mariadb = MariaDBServer(
            self.sub("mariadb"), bootstrap(os.path.join(folder, "template")), port=free_port(),
            ssl_cert=server, ssl_key=server, ssl_ca=self.ca, innodb_buffer_pool_size="512M",
            innodb_log_file_size="256M", flush_log_at_trx_commit=2, max_connections=300)

        self.http_port = free_port()
        self.http = Program(self.sub("http"), [*built("http_server"), str(self.http_port)])

    def sub(self, name):
        return tempfile.mkdtemp(prefix=name + "-", dir=self.folder)

    def start(self):
        self.http.start()
        self.redis.start()
        self.mariadb.start()
        self.mariadb.script("CREATE TABLE kv (k INT PRIMARY KEY, v VARCHAR(64));"
                            "CREATE TABLE bulk (n BIGINT, v VARCHAR(64));"
                            "INSERT INTO kv SELECT seq, CONCAT('value ', seq) FROM seq_1_to_10000")

    def kill(self):
        self.http.kill()
        self.redis.kill()
        self.mariadb.kill()

    def where(self, peer, row):
        """How each program names the server."""
        redis, tls = row.run.startswith("redis"), row.tls
        if row.run == "http_get":
            return f"http://127.0.0.1:{self.http_port}/"
        if tls:
            if redis:
                return f"rediss://localhost:{self.redis.options['tls-port']}/0"
            port = self.mariadb.port
            return f"mysql://app:secret@127.0.0.1:{port}/shop?tls=full" if peer == US else str(port)
        server = self.redis if redis else self.mariadb
        if peer == US or peer == "redis-py":
            return server.url
        return server.socket


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def redis_benchmark(servers, row, count):
    """Its own pipeline stands for as many tasks on one connection. It does not store the key that it asks for."""
    servers.redis.client.set("key:__rand_int__", "sixteen bytes...")
    where = ["-s", servers.redis.socket]
    if row.tls:
        where = ["-h", "localhost", "-p", str(servers.redis.options["tls-port"]), "--tls", "--cacert", servers.ca]
    used = children_cpu()
    done = subprocess.run(
        ["redis-benchmark", *where, "-c", "1", "-P", str(row.tasks), "-n", str(count), "-d", "16", "--csv",
         "-t", row.run.split("_")[1]], capture_output=True, text=True, timeout=300, check=True)
    rps = float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))
    # It counts milliseconds: of tiny counts it says that they took none.
    return {"n": count, "ns": max(1e9 / rps, 1) if rps > 0 else 1, "cpu_s": children_cpu() - used}


def run(servers, peer, row, options):
    count = max(row.count // options.divide // PEERS[peer].slow, row.tasks)
    if row.run == "mysql_bulk":
        count = max(count, 1000)
    if peer == "redis-benchmark":
        result = redis_benchmark(servers, row, count)
    else:
        env = {**os.environ, "PEER_MODULES": MODULES, **({"PEER_CA": servers.ca} if row.tls else {})}
        done = subprocess.run(
            [*PEERS[peer].command, row.run, str(row.tasks), str(count), servers.where(peer, row)],
            env=env, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{peer} {row.run}: {done.stderr.strip()[-300:] or done.returncode}")
        result = json.loads(done.stdout.splitlines()[-1])
    result["cpu_us"] = result["cpu_s"] * 1e6 / result["n"]
    return result


def verdicts(row, runs):
    """What is asked of a row, and whether it is met: (text, met) each."""
    for other, factor in row.asked.items():
        if other in runs:
            times = ratio(runs, "ns", other, US)
            yield f"≥ {factor:g} × {other}: {times:.2f}", times >= factor
    if row.cpu_us:
        took = statistics.median(r["cpu_us"] for r in runs[US])
        yield f"≤ {row.cpu_us:g} µs of CPU: {took:.2f}", took <= row.cpu_us


def show_row(name, runs):
    row = ROWS[name]
    print(f"{name}: {row.about}{', TLS' if row.tls else ''}")
    table = [("", "a second", "is ours ×", "CPU µs")]
    for peer, results in runs.items():
        table.append((peer, spread([1e9 / r["ns"] for r in results]),
                      f"{ratio(runs, 'ns', peer, US):.2f}" if peer != US else "",
                      number(statistics.median(r["cpu_us"] for r in results))))
    show(table)
    for text, met in verdicts(row, runs):
        print(f"  {'met' if met else 'NOT MET'}: {text}")
    print(flush=True)


def measure(servers, options):
    results = {}
    for name in options.rows:
        peers = [peer for peer in options.peers if has(peer, name)]
        results[name] = {peer: [] for peer in peers}
        for i in range(options.rounds):
            with alone(options.lock):
                for peer in peers:
                    say(f"{name}: round {i + 1} of {options.rounds}, {peer}")
                    results[name][peer].append(run(servers, peer, ROWS[name], options))
        say()
        show_row(name, results[name])
    return results


# --- the programs

GO_SOURCES = "/usr/share/gocode"


def build(peers):
    wanted = {"http_server"} | {os.path.basename(PEERS[peer].command[0]) for peer in peers
                                if PEERS[peer].command[0].startswith(PROGRAMS)}
    subprocess.run(["ninja", "-C", BUILD, "--quiet",
                    *(f"tests/bench/{name}" for name in sorted(wanted - {"mysql_go"}))], check=True)
    if "go-sql-driver" in peers:
        subprocess.run(
            ["go", "build", "-o", os.path.join(PROGRAMS, "mysql_go"), "main.go"], check=True,
            cwd=os.path.join(HERE, "peers", "mysql_go"),
            env={**os.environ, "GO111MODULE": "off", "GOPATH": GO_SOURCES,
                 "GOCACHE": os.path.join(PROGRAMS, "go-cache")})


def present(peer):
    """Whether what it needs is installed."""
    command = PEERS[peer].command[0]
    if peer == "go-sql-driver":
        return bool(shutil.which("go")) and os.path.isdir(GO_SOURCES + "/src/github.com/go-sql-driver/mysql")
    if command == "node":
        return bool(shutil.which("node")) and os.path.isdir(
            os.path.join(MODULES, "node_modules", {"mysql2": "mysql2"}.get(peer, peer)))
    if command == PYTHON:
        module = {"redis-py": "redis.asyncio"}.get(peer, peer)
        return subprocess.run([PYTHON, "-c", f"import {module}"], check=False,
                              stderr=subprocess.DEVNULL).returncode == 0
    return command.startswith("/") or bool(shutil.which(command))


def main(argv):
    parser = argparse.ArgumentParser(prog="./dev bench clients", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=names(ROWS), default=list(ROWS), help=", ".join(ROWS))
    parser.add_argument("--peers", type=names(PEERS), default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, default=5, help="each program's turns (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also writes what every run printed")
    parser.add_argument("--lock", metavar="FILE", help="is locked during each round of a row")
    parser.add_argument("--quick", action="store_true", help="tiny counts: whether it works, not how fast")
    options = parser.parse_args(argv)
    options.divide = 1000 if options.quick else 1
    if options.quick:
        options.rounds = 1
    options.peers = [US] + [peer for peer in options.peers if peer != US and present(peer)]
    absent = [peer for peer in PEERS if not present(peer)]
    build(options.peers)
    conditions()
    if absent:
        print(f"Left out, not installed: {', '.join(absent)}\n")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-", ignore_cleanup_errors=True) as folder:
        servers = Servers(folder)
        try:
            servers.start()
            results = measure(servers, options)
        finally:
            servers.kill()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"when": time.strftime("%Y-%m-%d"), "results": results}, f, indent=1)
    return 0
