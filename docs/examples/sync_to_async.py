# SPDX-License-Identifier: MIT
"""A program that waits three times becomes one that waits side by side."""
import asyncio
import time


def fetch(seconds):
    time.sleep(seconds)
    print(f"fetched what takes {seconds} s")


async def fetch_async(seconds):
    await asyncio.sleep(seconds)
    print(f"fetched what takes {seconds} s")


def all_in_turn():
    for seconds in (3, 1, 2):
        fetch(seconds)


async def all_at_once():
    await asyncio.gather(*(fetch_async(seconds) for seconds in (3, 1, 2)))


begin = time.monotonic()
all_in_turn()
print(f"in turn: {time.monotonic() - begin:.0f} s")
begin = time.monotonic()
asyncio.run(all_at_once())
print(f"at once: {time.monotonic() - begin:.0f} s")
