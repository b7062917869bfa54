# SPDX-License-Identifier: MIT
"""A producer fills a deque; a consumer thread empties it into tasks of a loop in a third thread."""
import asyncio
import collections
import threading

items = collections.deque()
filled = threading.Condition()


async def handle(item):
    print("begin", item)
    await asyncio.sleep(1)
    print("end", item)


def produce():
    for item in 1, 2, 3, 4:
        with filled:
            items.appendleft(item)
            filled.notify()


def consume(loop, tasks):
    for _ in range(4):
        with filled:
            filled.wait_for(lambda: items)
            item = items.pop()
        tasks.append(asyncio.run_coroutine_threadsafe(handle(item), loop))


def main():
    tasks = []
    loop = asyncio.new_event_loop()
    looper = threading.Thread(target=loop.run_forever)
    consumer = threading.Thread(target=consume, args=(loop, tasks))
    looper.start()
    consumer.start()
    produce()

    consumer.join()
    for task in tasks:
        task.result()
    loop.call_soon_threadsafe(loop.stop)
    looper.join()
    loop.close()


main()
