# SPDX-License-Identifier: MIT
"""asyncio, and with PEER_LOOP=uvloop the same code on uvloop.

    aio.py ROW COUNT [TIMES] | aio.py echo|echo_proto PORT
"""
import asyncio
import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from measure import Measure, draws

BUFFER = 256 * 1024


async def nothing():
    pass


def no_job(_=None):
    pass


async def switch(n):
    left = n

    async def in_turn():
        nonlocal left
        while left > 0:
            left -= 1
            await asyncio.sleep(0)
    await asyncio.gather(in_turn(), in_turn())


async def spawn(n):
    for _ in range(n):
        await asyncio.create_task(nothing())


async def gather(n):
    for _ in range(10):
        gate = asyncio.Event()
        tasks = [asyncio.create_task(gate.wait()) for _ in range(n // 10)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*tasks)


async def pingpong(n):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def answer():
        for _ in range(n):
            await back.put(await there.get() + 1)
    other, ball = asyncio.create_task(answer()), 0
    for _ in range(n):
        await there.put(ball)
        ball = await back.get()
    await other
    assert ball == n


async def stream(n):
    queue = asyncio.Queue(1024)

    async def produce():
        for i in range(n):
            await queue.put(i)
    producer, total = asyncio.create_task(produce()), 0
    for _ in range(n):
        total += await queue.get()
    await producer
    assert total == n * (n - 1) // 2


async def waitfor(n):
    done = asyncio.get_running_loop().create_future()
    done.set_result(1)
    for _ in range(n):
        await asyncio.wait_for(done, 1)


async def waitfor_yield(n):
    async def for_ever():
        while True:
            await asyncio.sleep(0)
    other = asyncio.create_task(for_ever())
    for _ in range(n):
        async with asyncio.timeout(1):
            await asyncio.sleep(0)
    other.cancel()


async def sem(n):
    permits = asyncio.Semaphore(500)

    async def with_permit():
        async with permits:
            await asyncio.sleep(0)
    await asyncio.gather(*[asyncio.create_task(with_permit()) for _ in range(n)])


async def sleep(n, times=1):
    async def often(i):
        dice = draws(i)
        for _ in range(times):
            await asyncio.sleep(next(dice) % 1000000 / 1e6)
    await asyncio.gather(*[asyncio.create_task(often(i)) for i in range(n)])


async def executor(n):
    with ThreadPoolExecutor(1) as pool:
        loop = asyncio.get_running_loop()
        for _ in range(n):
            await loop.run_in_executor(pool, no_job)


async def executor_batch(n):
    with ThreadPoolExecutor(4) as pool:
        await asyncio.to_thread(lambda: list(pool.map(no_job, range(n))))


async def executor_futures(n):
    with ThreadPoolExecutor(4) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*[loop.run_in_executor(pool, no_job) for _ in range(n)])


async def from_thread(run):
    """Runs run(loop) in a thread of its own."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def body():
        run(loop)
        loop.call_soon_threadsafe(over.set_result, None)
    threading.Thread(target=body).start()
    await over


async def submit(n):
    def run(loop):
        for _ in range(n):
            asyncio.run_coroutine_threadsafe(nothing(), loop).result()
    await from_thread(run)


async def submit_batch(n):
    def run(loop):
        for future in [asyncio.run_coroutine_threadsafe(nothing(), loop) for _ in range(n)]:
            future.result()
    await from_thread(run)


def without_delay(transport):
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def by_streams(reader, writer):
    without_delay(writer)
    while data := await reader.read(BUFFER):
        writer.write(data)
        await writer.drain()
    writer.close()


class ByProtocol(asyncio.Protocol):
    """Echo in two callbacks."""

    def connection_made(self, transport):
        self.transport = transport
        without_delay(transport)

    def data_received(self, data):
        self.transport.write(data)


async def serve(row, port):
    if row == "echo":
        server = await asyncio.start_server(by_streams, "127.0.0.1", port, limit=BUFFER)
    else:
        server = await asyncio.get_running_loop().create_server(ByProtocol, "127.0.0.1", port)
    await server.serve_forever()


async def main(row, n, *rest):
    if row.startswith("echo"):
        await serve(row, n)
    measure = Measure()
    if row.startswith("sleep"):
        await sleep(n, *rest or ((10,) if row == "sleep100k" else ()))
    else:
        await globals()[row](n)
    measure.show(row, n * (2 if row == "pingpong" else 1))


if __name__ == "__main__":
    if os.environ.get("PEER_LOOP") == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
