# SPDX-License-Identifier: MIT
"""Several pages are fetched side by side.

usage: fetch_pages.py URL
"""
import asyncio
import sys

import aiohttp


async def fetch(session, url):
    async with session.get(url) as response:
        text = await response.text()
        return f"{response.status} {text}"


async def main(base):
    async with aiohttp.ClientSession() as session:
        pages = ["red", "green", "blue", "missing"]
        texts = await asyncio.gather(*(fetch(session, f"{base}/{page}") for page in pages))
        for page, text in zip(pages, texts):
            print(f"{page}: {text}")


asyncio.run(main(sys.argv[1]))
