# SPDX-License-Identifier: MIT
"""Two callbacks hang on one future, each with an argument of its own."""
import asyncio
import functools


def callback(n, future):
    print(f"callback {n}: {future.result()}")


async def main():
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(functools.partial(callback, 1))
    future.add_done_callback(functools.partial(callback, 2))
    print("setting the result")
    future.set_result("the result")
    print("nobody was called yet")
    await asyncio.sleep(0)


asyncio.run(main())
