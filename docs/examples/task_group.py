# SPDX-License-Identifier: MIT
"""Tasks that live and die together: one fails, the rest is cancelled, and the error tells of it."""
import asyncio


async def child(name, seconds, fails):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print(name, "is cancelled")
        raise
    if fails:
        raise OSError(f"{name} has no more paper")
    print(name, "is done")


async def main():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(child("A", 1, False))
            group.create_task(child("B", 2, True))
            group.create_task(child("C", 3, False))
    except* OSError as errors:
        for error in errors.exceptions:
            print("failed:", error)


asyncio.run(main())
