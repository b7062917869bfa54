# SPDX-License-Identifier: MIT
"""Ten sleepers, and half a second of patience: what is not done by then is cancelled."""
import asyncio


async def sleeper(n):
    try:
        await asyncio.sleep(0.1 * n)
    except asyncio.CancelledError:
        print(f"sleeper {n} is cancelled")
        raise
    print(f"sleeper {n} is done")


async def main():
    sleepers = [asyncio.create_task(sleeper(n)) for n in range(10)]
    done, pending = await asyncio.wait(sleepers, timeout=0.55)
    print(f"{len(done)} done, {len(pending)} pending")
    for task in sleepers:
        task.cancel()
    await asyncio.wait(sleepers)


asyncio.run(main())
