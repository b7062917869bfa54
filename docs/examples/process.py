# SPDX-License-Identifier: MIT
"""Programs are run; one of them gets input, one takes too long."""
import asyncio
from asyncio.subprocess import PIPE


async def run(*argv, text=None):
    process = await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        out, _ = await asyncio.wait_for(process.communicate(text), 2)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
        print(argv[0], "took too long")
    else:
        print(argv[0], "exited with", process.returncode)
        print(out.decode(), end="")


async def main():
    await run("echo", "hello", "from a program")
    await run("sort", "-r", text=b"one\ntwo\nthree\n")
    await run("false")
    await run("sleep", "60")


asyncio.run(main())
