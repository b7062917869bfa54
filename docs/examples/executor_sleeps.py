# SPDX-License-Identifier: MIT
"""Five calls that block for one to five seconds, on five threads; the loop goes on meanwhile."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor


def block(seconds):
    time.sleep(seconds)
    return seconds


async def main():
    begin = time.monotonic()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(5) as pool:
        results = await asyncio.gather(*(loop.run_in_executor(pool, block, n) for n in range(1, 6)))
    for result in results:
        print("slept", result)
    print(f"took {time.monotonic() - begin:.0f} s")


asyncio.run(main())
