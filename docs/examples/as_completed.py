# SPDX-License-Identifier: MIT
"""Answers in the order in which they come."""
import asyncio
import time


async def answer(seconds):
    await asyncio.sleep(seconds)
    return seconds


async def main():
    begin = time.monotonic()
    answers = [answer(4), answer(1), answer(2)]
    for step in asyncio.as_completed(answers):
        value = await step
        print(f"{value} after {time.monotonic() - begin:.0f} s")


asyncio.run(main())
