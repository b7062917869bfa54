# SPDX-License-Identifier: MIT
"""A loop in a thread of its own gets one more task each second."""
import asyncio
import threading
import time


async def job(n):
    print("begin", n)
    await asyncio.sleep(2.5)
    print("end", n)


def main():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    jobs = []
    for n in range(3):
        jobs.append(asyncio.run_coroutine_threadsafe(job(n), loop))
        time.sleep(1)
    for future in jobs:
        future.result()

    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


main()
