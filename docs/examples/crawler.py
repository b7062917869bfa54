# SPDX-License-Identifier: MIT
"""600 files are fetched, 500 at a time, and saved in threads.

usage: crawler.py URL FOLDER
"""
import asyncio
import os
import sys

import aiohttp


def save(path, body):
    with open(path, "wb") as file:
        file.write(body)


async def download(session, at_once, base, folder, number):
    async with at_once:
        async with session.get(f"{base}/file/{number}") as response:
            body = await response.read()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, save, os.path.join(folder, f"python-{number}"), body)
    return len(body)


async def main(base, folder):
    at_once = asyncio.Semaphore(500)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sizes = await asyncio.gather(
            *(download(session, at_once, base, folder, number) for number in range(600)))
    print(f"saved {len(sizes)} files, {sum(sizes)} bytes")


asyncio.run(main(*sys.argv[1:]))
