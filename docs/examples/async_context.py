# SPDX-License-Identifier: MIT
"""A scope whose entry and exit may wait, and whose exit runs whatever happens inside."""
import asyncio


class Server:
    async def __aenter__(self):
        await asyncio.sleep(1)
        print("connected")
        return self

    async def __aexit__(self, kind, error, trace):
        print("closing after", "an error" if kind else "success")
        await asyncio.sleep(1)
        print("closed")

    async def ask(self, question):
        if not question:
            raise ValueError("nothing was asked")
        await asyncio.sleep(1)
        print("an answer to", question)


async def main():
    for question in "why", "":
        try:
            async with Server() as server:
                await server.ask(question)
        except ValueError as error:
            print("failed:", error)


asyncio.run(main())
