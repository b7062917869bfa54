# SPDX-License-Identifier: MIT
"""What a run of a benchmark cost, in one JSON line: measure.h for the peers in Python."""
import json
import time

MASK = (1 << 64) - 1


def status(key):
    with open("/proc/self/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def draws(i):
    """The numbers that sleeper i draws, the same as in every other program."""
    state = ((i + 1) * 2654435761 + 88172645463325252) & MASK
    while True:
        state ^= (state << 13) & MASK
        state ^= state >> 7
        state ^= (state << 17) & MASK
        yield state


class Measure:
    """Begins where it is made; show() ends it."""

    def __init__(self):
        self.rss, self.cpu, self.wall = status("VmRSS"), time.process_time(), time.perf_counter()

    def show(self, row, n):
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        hwm = status("VmHWM")
        print(json.dumps({
            "row": row, "n": n, "ns": wall * 1e9 / n, "cpu_s": cpu, "wall_s": wall,
            "bytes": (hwm - self.rss) * 1024 / n, "hwm_kb": hwm, "pte_kb": status("VmPTE")}), flush=True)
