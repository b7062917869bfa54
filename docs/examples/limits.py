# SPDX-License-Identifier: MIT
"""Three ways to be patient for a second: with a task, with a piece of code, and without ending it."""
import asyncio


async def slow():
    try:
        await asyncio.sleep(3)
    except asyncio.CancelledError:
        print("slow is cancelled")
        raise
    print("slow is done")


async def main():
    try:
        await asyncio.wait_for(slow(), 1)
    except TimeoutError:
        print("wait_for: too slow")

    try:
        async with asyncio.timeout(1):
            await slow()
    except TimeoutError:
        print("timeout: too slow")

    task = asyncio.create_task(slow())
    try:
        await asyncio.wait_for(asyncio.shield(task), 1)
    except TimeoutError:
        print("shield: too slow, and goes on")
    await task


asyncio.run(main())
