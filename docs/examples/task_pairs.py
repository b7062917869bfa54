# SPDX-License-Identifier: MIT
"""Two calls in turn take the sum of their times, two tasks the longer one."""
import asyncio
import time


async def say_after(seconds, what):
    await asyncio.sleep(seconds)
    print(what)


async def main():
    begin = time.monotonic()
    await say_after(1, "hello")
    await say_after(2, "world")
    print(f"in turn: {time.monotonic() - begin:.0f} s")

    begin = time.monotonic()
    hello = asyncio.create_task(say_after(1, "hello"))
    world = asyncio.create_task(say_after(2, "world"))
    await hello
    await world
    print(f"as tasks: {time.monotonic() - begin:.0f} s")


asyncio.run(main())
