# SPDX-License-Identifier: MIT
"""Ten jobs of a second in five processes, which share nothing with this one."""
import time
from concurrent.futures import ProcessPoolExecutor


def square(n):
    time.sleep(1)
    return n * n


def main():
    begin = time.monotonic()
    with ProcessPoolExecutor(5) as pool:
        jobs = [pool.submit(square, n) for n in range(10)]
        for n, future in enumerate(jobs):
            print(n, "squared is", future.result())
    print(f"took {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
