# SPDX-License-Identifier: MIT
"""A hash is written to two Redis servers side by side, and read back.

usage: two_redis.py URL URL
"""
import asyncio
import sys

import redis.asyncio as redis


async def describe(url, name, wheels):
    print("start", name)
    client = redis.from_url(url, decode_responses=True)
    await client.hset("vehicle", mapping={"name": name, "wheels": wheels})
    vehicle = await client.hgetall("vehicle")
    await client.close()
    return vehicle


async def main(first, second):
    for vehicle in await asyncio.gather(describe(first, "car", 4), describe(second, "bike", 2)):
        print(vehicle["name"], "has", vehicle["wheels"], "wheels")


asyncio.run(main(*sys.argv[1:]))
