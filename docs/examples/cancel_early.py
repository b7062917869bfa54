# SPDX-License-Identifier: MIT
"""A task that is cancelled before it started never runs."""
import asyncio


async def job():
    print("never printed")


async def main():
    task = asyncio.create_task(job())
    if task.cancel():
        print("asked it to end")
    try:
        await task
    except asyncio.CancelledError:
        print("it was cancelled")


asyncio.run(main())
