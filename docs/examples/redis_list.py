# SPDX-License-Identifier: MIT
"""One program pushes to a Redis list, another makes a task of each item that it pops.

usage: redis_list.py URL
"""
import asyncio
import sys
import threading

import redis


async def handle(item):
    print("begin", item)
    await asyncio.sleep(1)
    print("end", item)


def produce(url):
    redis.Redis.from_url(url).lpush("items", 1, 2, 3, 4)


def consume(url, loop, tasks):
    client = redis.Redis.from_url(url)
    while len(tasks) < 4:
        _, item = client.brpop("items")
        tasks.append(asyncio.run_coroutine_threadsafe(handle(int(item)), loop))


def main(url):
    tasks = []
    loop = asyncio.new_event_loop()
    looper = threading.Thread(target=loop.run_forever)
    consumer = threading.Thread(target=consume, args=(url, loop, tasks))
    looper.start()
    consumer.start()
    produce(url)

    consumer.join()
    for task in tasks:
        task.result()
    loop.call_soon_threadsafe(loop.stop)
    looper.join()
    loop.close()


main(sys.argv[1])
