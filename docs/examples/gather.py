# SPDX-License-Identifier: MIT
"""Three jobs side by side; the results come in the order of asking."""
import asyncio
import time


async def job(name, seconds):
    print("begin", name)
    await asyncio.sleep(seconds)
    print("end", name)
    return seconds


async def main():
    begin = time.monotonic()
    results = await asyncio.gather(job("A", 3), job("B", 1), job("C", 2))
    for result in results:
        print("result", result)
    print(f"took {time.monotonic() - begin:.0f} s")


asyncio.run(main())
