# SPDX-License-Identifier: MIT
"""Runs benchmarks by name: ./dev bench [WHAT [OPTION]...]; what there is, when none is named."""
import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

BENCHMARKS = {
    "clients": "Redis, MySQL and HTTP calls, beside other clients of their kind",
    "pipeline": "Redis list to MySQL rows: throughput, latency, memory",
    "runtime": "tasks, queues, timers, threads and echo, beside asyncio, uvloop, gevent, Go, libuv",
}


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if what not in BENCHMARKS:
        print("usage: ./dev bench WHAT [OPTION]...\n")
        for name, about in BENCHMARKS.items():
            print(f"  {name:10} {about}")
        return 0 if what in ("-h", "--help") else 64
    return importlib.import_module(what).main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
