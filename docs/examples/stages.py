# SPDX-License-Identifier: MIT
"""Gathers of gathers: a stage of 5 s and one of 2 s take 7 s in turn, and 5 s side by side."""
import asyncio
import time


async def job(seconds):
    await asyncio.sleep(seconds)
    print(f"a job of {seconds} s is done")


async def stage(*jobs):
    await asyncio.gather(*(job(seconds) for seconds in jobs))
    print(f"a stage of {len(jobs)} jobs is done")


async def main():
    begin = time.monotonic()
    await stage(5, 4)
    await stage(2, 1)
    print(f"in turn: {time.monotonic() - begin:.0f} s")

    begin = time.monotonic()
    await asyncio.gather(stage(5, 4), stage(2, 1))
    print(f"side by side: {time.monotonic() - begin:.0f} s")


asyncio.run(main())
