# SPDX-License-Identifier: MIT
"""A queue with room for two items, and a limit around each get."""
import asyncio


async def produce(queue):
    for n in range(1, 4):
        await queue.put(n)
    await asyncio.sleep(3)
    await queue.put(4)
    await queue.put(None)


async def main():
    queue = asyncio.Queue(maxsize=2)
    producer = asyncio.create_task(produce(queue))
    item = 0
    while item is not None:
        try:
            async with asyncio.timeout(2):
                item = await queue.get()
        except TimeoutError:
            print("nothing for 2 s")
        else:
            print("the end" if item is None else f"got {item}")
    await producer


asyncio.run(main())
