# SPDX-License-Identifier: MIT
"""The runtime beside its floor and its peers: a table of ratios from one run.

Every row is run by every program in turns, round by round, on the same CPU; medians are shown. Rows
of one thread compare CPU time, which other load on the machine disturbs least; rows with threads
compare the time that passes; echo compares what the server's CPU does for a request.
"""
import argparse
import contextlib
import fcntl
import json
import mmap
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from support.headraced import BUILD

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(BUILD, "tests", "bench")
PYTHON = "/usr/bin/python3"
US = "runtime"


@dataclass
class Peer:
    """A program that takes ROW COUNT and prints a JSON line."""
    command: list
    env: dict = field(default_factory=dict)
    slow: bool = False  # gets a tenth of the count
    rows: str = ""      # what it has; empty: everything
    echo: str = "echo"  # its echo row


def built(name):
    return [os.path.join(PROGRAMS, name)]


def script(name):
    return [PYTHON, os.path.join(HERE, "peers", name)]


ONE_THREAD = "switch spawn gather pingpong stream waitfor waitfor_yield sem sleep100k"
THREADS = "executor executor_batch executor_futures submit submit_batch"
PEERS = {
    US: Peer(built("runtime")),
    "floor": Peer(built("floor"), rows="switch spawn gather pingpong stream waitfor_yield sem sleep100k sleep1m"),
    "floor-bare": Peer(built("floor_bare"), rows="switch spawn pingpong stream"),
    "epoll": Peer(built("epoll"), rows="echo"),
    "libevent": Peer(built("libevent"), rows="waitfor"),
    "go": Peer(built("gopeer")),
    "libuv": Peer(built("uv"), rows="waitfor sleep100k sleep1m executor executor_batch submit echo"),
    "uvloop": Peer(script("aio.py"), {"PEER_LOOP": "uvloop"}, True, f"{ONE_THREAD} {THREADS} echo"),
    "uvloop-proto": Peer(script("aio.py"), {"PEER_LOOP": "uvloop"}, True, "echo", "echo_proto"),
    "asyncio": Peer(script("aio.py"), {}, True, f"{ONE_THREAD} {THREADS} echo"),
    "gevent": Peer(script("greens.py"), {}, True, f"{ONE_THREAD} executor executor_batch executor_futures echo"),
    "greenlet": Peer(script("greens.py"), {"PEER_PREFIX": "greenlet_"}, True, "switch spawn"),
}
# Not peers but bounds: no part in who is first.
BOUNDS = ("floor", "floor-bare", "epoll", "libevent")


@dataclass
class Row:
    """What is done, how often, and what is asked: to be first, and factors of others not to pass."""
    about: str
    count: int
    metric: str            # cpu_ns, ns or srv_cpu_us
    asked: dict = field(default_factory=dict)
    bytes: int = 0         # memory a task may take
    per: int = 1           # operations of one of the count
    memory_gb: float = 0


ROWS = {
    "switch": Row("two tasks yield in turn", 10_000_000, "cpu_ns", {"floor": 1.75}),
    "spawn": Row("a task is spawned and joined", 1_000_000, "cpu_ns", {"floor": 2.2}),
    "gather": Row("100,000 tasks wait at a gate, all are joined", 1_000_000, "cpu_ns", memory_gb=0.6),
    "pingpong": Row("a message through a queue of one", 1_000_000, "cpu_ns", {"floor": 2}),
    "stream": Row("an item through a queue of 1024", 5_000_000, "cpu_ns", {"floor": 2}),
    "waitfor": Row("wait_for around a ready future", 1_000_000, "cpu_ns", {"libevent": 0.1}),
    "waitfor_yield": Row("a limit around one yield", 1_000_000, "cpu_ns"),
    "sem": Row("a million tasks, 500 permits, one yield inside", 1_000_000, "cpu_ns", memory_gb=5),
    "executor": Row("a job in a thread, one after the other", 100_000, "ns"),
    "executor_batch": Row("a call in four threads, all of a map at once", 200_000, "ns", {"go": 1}),
    "executor_futures": Row("a job in four threads with a future of its own, all at once", 200_000, "ns",
                            memory_gb=0.2),
    "submit": Row("a task from another thread, one after the other", 100_000, "ns"),
    "submit_batch": Row("a task from another thread, all at once", 200_000, "ns", {"go": 1}, memory_gb=1),
    "sleep100k": Row("100,000 tasks, ten sleeps each: a sleep", 100_000, "cpu_ns", {"floor": 1.15},
                     bytes=4608, per=10, memory_gb=0.6),
    "sleep1m": Row("1,000,000 tasks, a sleep each: a sleep", 1_000_000, "cpu_ns", bytes=4608, memory_gb=5),
    "echo1k": Row("TCP echo, 10 connections, 1 KiB", 1024, "srv_cpu_us", {"epoll": 1.05}),
    "echo10k": Row("TCP echo, 10 connections, 10 KiB", 10240, "srv_cpu_us", {"epoll": 1.05}),
    "echo100k": Row("TCP echo, 10 connections, 100 KiB", 102400, "srv_cpu_us",
                    {"uvloop": 1, "uvloop-proto": 1}),
}
UNITS = {"cpu_ns": "CPU ns", "ns": "ns", "srv_cpu_us": "server CPU µs"}
CONNECTIONS = 10


def has(peer, row):
    rows = PEERS[peer].rows.split()
    return not rows or ("echo" if row.startswith("echo") else row) in rows


def cpus():
    """The first two this process may use; the same one twice where there is no other."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[min(1, len(allowed) - 1)]


def environment(peer, threads):
    return {**os.environ, "GOMAXPROCS": str(threads), **PEERS[peer].env}


def pinned(command, *where):
    return ["taskset", "-c", ",".join(str(cpu) for cpu in where), *command]


def last_line(done, what):
    if done.returncode != 0:
        raise RuntimeError(f"{what}: {done.stderr.strip()[-200:] or done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def find_memory(gb):
    """Has the machine find so much memory, and frees it. A hypervisor gives a page at its first touch,
    which takes longer than all that a row does with it, and would be charged to whoever comes first.
    """
    if gb > 0:
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        mmap.mmap(-1, int(gb * (1 << 30)), flags=private | mmap.MAP_POPULATE).close()


def run_row(peer, name, options):
    row, (one, other) = ROWS[name], cpus()
    find_memory(row.memory_gb / options.divide)
    count = max(row.count // options.divide // (10 if PEERS[peer].slow else 1), 20)
    threads = name in THREADS.split()
    times = ["1"] if options.quick and name.startswith("sleep") else []
    done = subprocess.run(
        pinned([*PEERS[peer].command, name, str(count), *times], *((one, other) if threads else (one,))),
        env=environment(peer, 2 if threads else 1), capture_output=True, text=True, timeout=300, check=False)
    result = last_line(done, f"{peer} {name}")
    result["cpu_ns"] = result["cpu_s"] * 1e9 / result["n"] / row.per
    return result


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run_echo(peer, name, options):
    port, (one, other) = free_port(), cpus()
    with subprocess.Popen(
            pinned([*PEERS[peer].command, PEERS[peer].echo, str(port)], one),
            env=environment(peer, 1), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            done = subprocess.run(
                pinned([*built("loadgen"), str(port), str(CONNECTIONS), str(ROWS[name].count),
                        str(options.seconds), str(server.pid)], other),
                capture_output=True, text=True, timeout=60, check=False)
        finally:
            server.kill()
    return last_line(done, f"{peer} {name}")


@contextlib.contextmanager
def alone(path):
    """Holds a lock that others who measure on this machine hold, too."""
    if not path:
        yield
        return
    with open(path, "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def say(text=""):
    """Shows a person what runs."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def available_gb():
    with open("/proc/meminfo", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("MemAvailable")) / (1 << 20)


def measure_row(name, options):
    """{peer: [result of each round]}: as many rounds as are wanted and the row's time allows."""
    peers = [peer for peer in options.peers if has(peer, name)]
    runs, begun = {peer: [] for peer in peers}, time.monotonic()
    for i in range(options.rounds):
        with alone(options.lock):
            round_begun = time.monotonic()
            for peer in peers:
                say(f"{name}: round {i + 1}, {peer}")
                run = run_echo if name.startswith("echo") else run_row
                runs[peer].append(run(peer, name, options))
        now = time.monotonic()
        if now - begun + now - round_begun > options.minutes * 60 / len(options.rows):
            break
    say()
    return runs


def measure(options):
    """{row: what measure_row() gives}; each row is told when it is done."""
    results = {}
    for name in options.rows:
        if available_gb() < ROWS[name].memory_gb / options.divide:
            print(f"{name}: left out, it needs {ROWS[name].memory_gb:g} GB of memory", flush=True)
            continue
        results[name] = measure_row(name, options)
        tell(name, results[name])
    print(flush=True)
    return results


# --- what came out

def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    """The median, and the range in brackets."""
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}–{number(max(values))})"


def ratio(runs, metric, one, other):
    """Programs are compared within a round, so that what slows the machine slows both."""
    return statistics.median(a[metric] / max(b[metric], 1e-9) for a, b in zip(runs[one], runs[other]))


def verdicts(name, runs):
    """What is asked of a row, and whether it is met: (text, met) each."""
    row = ROWS[name]
    for other, factor in row.asked.items():
        if other in runs:
            is_ratio = ratio(runs, row.metric, US, other)
            yield f"≤ {factor:g} × {other}: {is_ratio:.2f}", is_ratio <= factor
    if row.bytes:
        took = statistics.median(r["bytes"] for r in runs[US])
        yield f"≤ {row.bytes / 1024:.1f} KiB a task: {took / 1024:.2f}", took <= row.bytes
    rivals = {p: ratio(runs, row.metric, p, US) for p in runs if p != US and p not in BOUNDS}
    if rivals:
        best = min(rivals, key=rivals.get)
        yield f"first: next is {best}, {rivals[best]:.2f} ×", rivals[best] >= 1


def tell(name, runs):
    """A row in a line, as soon as it is there."""
    metric = ROWS[name].metric
    others = ", ".join(f"{peer} {number(ratio(runs, metric, peer, US))}" for peer in runs if peer != US)
    verdict = "; ".join(f"{text}{'' if met else ' NOT MET'}" for text, met in verdicts(name, runs))
    print(f"{name}: {spread([r[metric] for r in runs[US]])} {UNITS[metric]}"
          f" | × {others or 'nobody'} | {verdict or 'nothing asked'}", flush=True)


def show(table):
    widths = [max(len(line[k]) for line in table) for k in range(len(table[0]))]
    for i, line in enumerate(table):
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    print(flush=True)


def show_ratios(results, peers):
    others = [peer for peer in peers if peer != US]
    table = [("row", "rounds", "unit", "runtime", *others)]
    for name, runs in results.items():
        metric = ROWS[name].metric
        table.append((name, str(len(runs[US])), UNITS[metric], spread([r[metric] for r in runs[US]]), *(
            f"{ratio(runs, metric, peer, US):.2f}" if peer in runs else "" for peer in others)))
    print("Columns of others are multiples of the runtime's: above 1 they are slower.\n")
    show(table)


def show_asked(results):
    table = [("row", "what it is", "asked, and seen", "")]
    for name, runs in results.items():
        for text, met in verdicts(name, runs):
            shown = name if table[-1][0] != name else ""
            table.append((name, ROWS[name].about if shown else "", text, "met" if met else "NOT MET"))
    show(table)


def show_more(results):
    """Requests a second, and memory."""
    echo = {name: runs for name, runs in results.items() if name.startswith("echo")}
    crowds = {name: runs for name, runs in results.items() if name.startswith("s") and
              (ROWS[name].bytes or name == "sem")}
    for title, some, metric in (("requests/s", echo, "rps"), ("bytes a task", crowds, "bytes")):
        if some:
            peers = list(dict.fromkeys(peer for runs in some.values() for peer in runs))
            show([(title, *peers)] + [(name, *(
                number(statistics.median(r[metric] for r in runs[peer])) if peer in runs else ""
                for peer in peers)) for name, runs in some.items()])


def conditions():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "")
    print(f"{time.strftime('%Y-%m-%d')}; {os.cpu_count()} cores ({model or platform.machine()}), "
          f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}\n", flush=True)


# --- the programs

def build(peers):
    wanted = {"loadgen"} | {os.path.basename(PEERS[peer].command[0]) for peer in peers
                            if PEERS[peer].command[0].startswith(PROGRAMS)}
    targets = [f"tests/bench/{name}" for name in sorted(wanted - {"gopeer"})]
    subprocess.run(["ninja", "-C", BUILD, "--quiet", *targets], check=True)
    if "gopeer" in wanted:
        subprocess.run(
            ["go", "build", "-o", os.path.join(PROGRAMS, "gopeer"), "main.go"], check=True,
            cwd=os.path.join(HERE, "peers"),
            env={**os.environ, "GO111MODULE": "off", "GOCACHE": os.path.join(PROGRAMS, "go-cache")})


def present(peer):
    """Whether what it needs is installed."""
    if peer == "go":
        return shutil.which("go") is not None
    if peer == "libuv":
        return subprocess.run(["pkg-config", "--exists", "libuv"], check=False).returncode == 0
    module = {"uvloop": "uvloop", "uvloop-proto": "uvloop", "gevent": "gevent", "greenlet": "gevent"}.get(peer)
    return not module or subprocess.run([PYTHON, "-c", f"import {module}"], check=False,
                                        stderr=subprocess.DEVNULL).returncode == 0


def names(known):
    def parse(text):
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return text.split(",")
    return parse


def main(argv):
    parser = argparse.ArgumentParser(prog="./dev bench runtime", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=names(ROWS), default=list(ROWS), help=", ".join(ROWS))
    parser.add_argument("--peers", type=names(PEERS), default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, default=5, help="each program's turns, at most (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10,
                        help="for all rows, each as much; a row has one round in any case (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="how long echo is measured (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also writes what every run printed")
    parser.add_argument("--lock", metavar="FILE", help="is locked during each round of a row")
    parser.add_argument("--quick", action="store_true", help="tiny counts: whether it works, not how fast")
    options = parser.parse_args(argv)
    options.divide = 1000 if options.quick else 1
    if options.quick:
        options.rounds, options.seconds = 1, 0.1
    options.peers = [US] + [peer for peer in options.peers if peer != US and present(peer)]
    build(options.peers)
    conditions()
    results = measure(options)
    show_ratios(results, options.peers)
    show_asked(results)
    show_more(results)
    if options.quick:
        print("Tiny counts: what is printed above says that it works, and nothing else.")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    return 0
