# SPDX-License-Identifier: MIT
"""A callback completes a future that somebody waits for."""
import asyncio


def mark_done(future, result):
    print("the callback sets", result)
    future.set_result(result)


async def main():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(mark_done, future, 42)
    print("main waits")
    print("main got", await future)


asyncio.run(main())
