# SPDX-License-Identifier: MIT
"""An iterator that may wait for its next value."""
import asyncio


class Reader:
    def __init__(self):
        self.count = 0

    async def readline(self):
        await asyncio.sleep(0.01)
        self.count += 1
        return self.count if self.count < 100 else None

    def __aiter__(self):
        return self

    async def __anext__(self):
        line = await self.readline()
        if line is None:
            raise StopAsyncIteration
        return line


async def main():
    async for line in Reader():
        print(line)


asyncio.run(main())
