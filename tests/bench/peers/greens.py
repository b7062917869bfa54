# SPDX-License-Identifier: MIT
"""gevent, and with PEER_PREFIX=greenlet_ the two rows that greenlets alone can have.

    greens.py ROW COUNT [TIMES] | greens.py echo PORT
"""
import os
import socket
import sys

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.queue import Queue
from gevent.server import StreamServer
from gevent.threadpool import ThreadPool
from greenlet import getcurrent, greenlet

from measure import Measure, draws


def nothing(_=None):
    pass


def switch(n):
    left = n

    def in_turn():
        nonlocal left
        while left > 0:
            left -= 1
            gevent.sleep(0)
    gevent.joinall([gevent.spawn(in_turn), gevent.spawn(in_turn)])


def greenlet_switch(n):
    """Each names the other: nobody schedules."""
    left = n

    def first():
        nonlocal left
        while left > 0:
            left -= 1
            b.switch()

    def second():
        nonlocal left
        while left > 0:
            left -= 1
            a.switch()
    parent = getcurrent()
    a, b = greenlet(first, parent), greenlet(second, parent)
    a.switch()


def spawn(n):
    for _ in range(n):
        gevent.spawn(nothing).join()


def greenlet_spawn(n):
    for _ in range(n):
        greenlet(nothing).switch()


def gather(n):
    for _ in range(10):
        gate = Event()
        tasks = [gevent.spawn(gate.wait) for _ in range(n // 10)]
        gevent.sleep(0)
        gate.set()
        gevent.joinall(tasks)


def pingpong(n):
    there, back = Queue(1), Queue(1)

    def answer():
        for _ in range(n):
            back.put(there.get() + 1)
    other, ball = gevent.spawn(answer), 0
    for _ in range(n):
        there.put(ball)
        ball = back.get()
    other.join()
    assert ball == n


def stream(n):
    queue = Queue(1024)

    def produce():
        for i in range(n):
            queue.put(i)
    gevent.spawn(produce)
    assert sum(queue.get() for _ in range(n)) == n * (n - 1) // 2


def waitfor(n):
    ready = Event()
    ready.set()
    for _ in range(n):
        with gevent.Timeout(1):
            ready.wait()


def waitfor_yield(n):
    def for_ever():
        while True:
            gevent.sleep(0)
    other = gevent.spawn(for_ever)
    for _ in range(n):
        with gevent.Timeout(1):
            gevent.sleep(0)
    other.kill()


def sem(n):
    permits = Semaphore(500)

    def with_permit():
        with permits:
            gevent.sleep(0)
    gevent.joinall([gevent.spawn(with_permit) for _ in range(n)])


def sleep(n, times=1):
    def often(i):
        dice = draws(i)
        for _ in range(times):
            gevent.sleep(next(dice) % 1000000 / 1e6)
    gevent.joinall([gevent.spawn(often, i) for i in range(n)])


def executor(n):
    pool = ThreadPool(1)
    for _ in range(n):
        pool.spawn(nothing).get()


def executor_batch(n):
    ThreadPool(4).map(nothing, range(n))


def executor_futures(n):
    pool = ThreadPool(4)
    for result in [pool.spawn(nothing) for _ in range(n)]:
        result.get()


def serve_one(client, address):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := client.recv(256 * 1024):
        client.sendall(data)


def main(row, n, *rest):
    if row == "echo":
        StreamServer(("127.0.0.1", n), serve_one).serve_forever()
    measure = Measure()
    if row.startswith("sleep"):
        sleep(n, *rest or ((10,) if row == "sleep100k" else ()))
    else:
        globals()[os.environ.get("PEER_PREFIX", "") + row](n)
    measure.show(row, n * (2 if row == "pingpong" else 1))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
