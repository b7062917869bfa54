# SPDX-License-Identifier: MIT
"""Callbacks from another thread that block: 6 s and 3 s are 9 s, as they run one after the other."""
import asyncio
import threading
import time


def block(seconds):
    time.sleep(seconds)
    print(f"blocked for {seconds} s")


def main():
    begin = time.monotonic()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    loop.call_soon_threadsafe(block, 6)
    loop.call_soon_threadsafe(block, 3)
    print("both were handed over")

    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    print(f"took {time.monotonic() - begin:.0f} s")


main()
