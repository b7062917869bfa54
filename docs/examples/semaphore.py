# SPDX-License-Identifier: MIT
"""Twenty jobs of a second, at most five of them at a time."""
import asyncio
import time


async def job(n, semaphore):
    async with semaphore:
        print("job", n)
        await asyncio.sleep(1)


async def main():
    begin = time.monotonic()
    semaphore = asyncio.Semaphore(5)
    await asyncio.gather(*(job(n, semaphore) for n in range(20)))
    print(f"took {time.monotonic() - begin:.0f} s")


asyncio.run(main())
