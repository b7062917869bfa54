# SPDX-License-Identifier: MIT
"""redis-py's asyncio client, aiomysql and aiohttp, each as its own documentation uses it.

    clients_aio.py redis_get|redis_set|mysql_select|http_get TASKS COUNT URL
"""
import asyncio
import os
import sys
from urllib.parse import urlsplit

from measure import Measure, draws

KEY, VALUE = "key:__rand_int__", b"sixteen bytes..."
SELECT = "SELECT v FROM kv WHERE k = %s"


async def redis_row(row, tasks, each, url):
    import redis.asyncio as redis
    options = {"ssl_ca_certs": os.environ["PEER_CA"]} if url.startswith("rediss:") else {}
    client = redis.from_url(url, max_connections=tasks, **options)
    await client.set(KEY, VALUE)

    async def often():
        for _ in range(each):
            if row == "redis_get":
                assert await client.get(KEY) == VALUE
            else:
                await client.set(KEY, VALUE)
    await asyncio.gather(*(client.ping() for _ in range(tasks)))  # connects
    measure = Measure()
    await asyncio.gather(*(often() for _ in range(tasks)))
    measure.show(row, each * tasks)
    await client.close()


async def mysql_row(row, tasks, each, url):
    import aiomysql
    where = {"unix_socket": url} if url.startswith("/") else {
        "host": "127.0.0.1", "port": int(url), "password": "secret"}
    pool = await aiomysql.create_pool(user="app", db="shop", minsize=tasks, maxsize=tasks, **where)

    async def often(i):
        numbers = draws(i)
        async with pool.acquire() as conn:
            async with conn.cursor() as cursor:
                for _ in range(each):
                    await cursor.execute(SELECT, (1 + next(numbers) % 10000,))
                    assert await cursor.fetchone()
    measure = Measure()
    await asyncio.gather(*(often(i) for i in range(tasks)))
    measure.show(row, each * tasks)
    pool.close()
    await pool.wait_closed()


async def http_row(row, tasks, each, url):
    import aiohttp
    connector = aiohttp.TCPConnector(limit=tasks, ssl=not urlsplit(url).scheme == "https")
    async with aiohttp.ClientSession(connector=connector) as session:
        async def often():
            for _ in range(each):
                async with session.get(url) as response:
                    assert response.status == 200 and await response.read()
        measure = Measure()
        await asyncio.gather(*(often() for _ in range(tasks)))
        measure.show(row, each * tasks)


def main():
    row, tasks, count, url = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    run = {"redis": redis_row, "mysql": mysql_row, "http": http_row}[row.split("_")[0]]
    asyncio.run(run(row, tasks, count // tasks, url))


if __name__ == "__main__":
    main()
