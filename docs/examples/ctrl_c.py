# SPDX-License-Identifier: MIT
"""Ctrl-C cancels every task, and each of them cleans up before the program ends."""
import asyncio
import signal


async def worker():
    try:
        print("working")
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(0.1)
        print("cleaned up")
        raise


def cancel_all():
    for task in asyncio.all_tasks():
        print("cancelled:", "yes" if task.cancel() else "no")


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, cancel_all)
    await asyncio.gather(worker(), worker(), worker())


try:
    asyncio.run(main())
except asyncio.CancelledError:
    print("all are over")
