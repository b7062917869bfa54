# SPDX-License-Identifier: MIT
"""Ten jobs of a second on five threads: five run, five wait, and it takes two seconds."""
import time
from concurrent.futures import ThreadPoolExecutor, wait


def job(n):
    time.sleep(1)
    return n


def main():
    begin = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(job, n) for n in range(10)]
        wait(jobs, timeout=0.5)
        running = sum(future.running() for future in jobs)
        print(f"{running} running, {len(jobs) - running} waiting")
        for future in jobs:
            print("job", future.result())
    print(f"took {time.monotonic() - begin:.0f} s")


main()
