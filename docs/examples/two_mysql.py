# SPDX-License-Identifier: MIT
"""Two MySQL servers are asked side by side who their users are.

usage: two_mysql.py HOST:PORT HOST:PORT
"""
import asyncio
import sys

import aiomysql


async def ask(name, server):
    print("start", name)
    host, port = server.split(":")
    conn = await aiomysql.connect(host=host, port=int(port), user="app", password="secret", db="mysql")
    async with conn.cursor() as cursor:
        await cursor.execute("SELECT Host, User FROM user WHERE User = %s ORDER BY Host", ("app",))
        rows = await cursor.fetchall()
    conn.close()
    return rows


async def main(first, second):
    for rows in await asyncio.gather(ask("first", first), ask("second", second)):
        for host, user in rows:
            print(f"{user}@{host}")


asyncio.run(main(*sys.argv[1:]))
