# SPDX-License-Identifier: MIT
"""The way tutorials show it: pop an item, start a task, insert its row; a semaphore bounds the tasks.

    tutorial.py REDIS-SOCKET MYSQL-SOCKET LIST      until SIGTERM
"""
import asyncio
import json
import signal
import sys

import aiomysql
import redis.asyncio
import uvloop

AT_ONCE = 20

INSERT = ("INSERT INTO orders (uid, customer_id, amount, currency, note, placed_at)"
          " VALUES (%s, %s, %s, %s, %s, %s)")


async def handle(pool, semaphore, item):
    try:
        order = json.loads(item)
        async with pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(INSERT, (
                order["order_uid"], order["customer_id"], order["amount"],
                order.get("currency", "EUR"), order["note"], order["placed_at"][:19]))
    finally:
        semaphore.release()


async def main(redis_path, mysql_path, key):
    client = redis.asyncio.Redis(unix_socket_path=redis_path)
    pool = await aiomysql.create_pool(
        unix_socket=mysql_path, user="app", db="shop", charset="utf8mb4", autocommit=True,
        minsize=AT_ONCE, maxsize=AT_ONCE)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    semaphore, tasks = asyncio.Semaphore(AT_ONCE), set()
    while not stop.is_set():
        popped = await client.blpop(key, timeout=1)
        if popped is None:
            continue
        await semaphore.acquire()
        task = asyncio.create_task(handle(pool, semaphore, popped[1]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    pool.close()
    await pool.wait_closed()
    await client.close()


uvloop.install()
asyncio.run(main(*sys.argv[1:]))
