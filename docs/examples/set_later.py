# SPDX-License-Identifier: MIT
"""A task completes a future after two seconds."""
import asyncio


async def set_after(future, seconds, value):
    await asyncio.sleep(seconds)
    future.set_result(value)


async def main():
    future = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_after(future, 2, "world"))
    print("hello")
    print(await future)
    await task


asyncio.run(main())
