# SPDX-License-Identifier: MIT
"""Tasks from another thread that wait: 6 s and 4 s are 6 s, as they run side by side."""
import asyncio
import threading
import time


async def nap(seconds):
    await asyncio.sleep(seconds)
    print(f"waited for {seconds} s")
    return seconds


def main():
    begin = time.monotonic()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    long = asyncio.run_coroutine_threadsafe(nap(6), loop)
    short = asyncio.run_coroutine_threadsafe(nap(4), loop)
    print("both were handed over")
    print("results", long.result(), short.result())

    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    print(f"took {time.monotonic() - begin:.0f} s")


main()
