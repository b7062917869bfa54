# SPDX-License-Identifier: MIT
"""A stream proxy that lets go wrong what goes wrong between a client and its server.

It listens on a unix socket (or a loopback port) and passes bytes on to a server until told otherwise.
Every change takes effect before the call returns. It runs in a thread of its own.
"""
import asyncio
import os
import socket
import struct
import threading


class _Link:
    """One client's connection and its other half at the server."""

    def __init__(self, client_writer):
        self.client = client_writer
        self.server = None
        self.lose_reply = False  # the server's next answer goes nowhere, then the link is cut
        self.held = False  # nothing goes up
        self.task = None


class _Watch:
    """A request that is waited for, and what becomes of it."""

    def __init__(self, pattern, fate, times, action):
        self.pattern, self.fate, self.times, self.action = pattern, fate, times, action


class Proxy:
    """target and listen: the path of a unix socket, or (host, port).

    Patterns are looked for in what one read brings, so they should stand early in a request.
    """

    def __init__(self, target, listen):
        self.target = target
        self.listen = listen
        self.links = set()
        self.connections = 0  # accepted so far
        self._stalled = set()
        self._delay = 0.0
        self._chunk = 0
        self._greeting = b""
        self._greetings = 0
        self._kept = set()
        self._watched = []
        self._server = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxy")
        self._thread.start()
        self._do(self._accept())

    # What a story says.

    def refuse(self):
        """Nobody listens any more; connections that exist stay."""
        self._do(self._stop_listening())

    def accept(self):
        """Ends refuse()."""
        self._do(self._accept())

    def cut(self):
        """Ends every connection at once, with a reset where the transport has one."""
        self._do(self._cut(list(self.links)))

    def down(self):
        """refuse() and cut(): the server is gone, as far as the client can see."""
        self.refuse()
        self.cut()

    def stall(self, direction="both"):
        """Passes nothing on, and keeps everything open: up (to the server), down or both."""
        self._do(self._stall({"up", "down"} if direction == "both" else {direction}))

    def resume(self):
        """Ends stall(); what waited is passed on, as by a network that was away for a while."""
        self._do(self._stall(set()))

    def vanish(self):
        """The client's host is gone: its connections stay open at the server, silent, whatever the
        client does, until release(). New connections pass."""
        self._do(self._vanish())

    def release(self):
        """Closes what vanish() has kept open."""
        self._do(self._release())

    def delay(self, seconds):
        """Each piece waits so long before it is passed on."""
        self._do(self._set(_delay=seconds))

    def split(self, size=1):
        """Passes bytes on in pieces of this size, each in a segment of its own; 0 ends that."""
        self._do(self._set(_chunk=size))

    def greet(self, data, times=1):
        """The next `times` connections are answered with these bytes by the proxy itself, and closed
        once the client has closed or asked something; the server never sees them."""
        self._do(self._set(_greeting=data, _greetings=times))

    def lose_reply(self, pattern, times=1):
        """The next request containing the pattern reaches the server, its reply never arrives: the
        client's connection is cut when the server has answered. Outcome unknown, and carried out."""
        self._do(self._watch(pattern, "lose_reply", times))

    def lose_request(self, pattern, times=1, action=None):
        """The next request containing the pattern never reaches the server: the connection is cut.
        Outcome unknown to the client, and not carried out. action as in on_request()."""
        self._do(self._watch(pattern, "lose_request", times, action))

    def on_request(self, pattern, action, times=1):
        """Calls action() when a request containing the pattern was passed on, before its reply is
        (which the server may have sent all the same).
        It runs in the proxy's thread: it may signal a process or set a flag, no more."""
        self._do(self._watch(pattern, "pass", times, action))

    def hold_request(self, pattern, action=None):
        """The next request containing the pattern, and all that follows it on its connection, waits
        on the way until let_go(): a server that carries it out late. action as in on_request()."""
        self._do(self._watch(pattern, "hold", 1, action))

    def let_go(self):
        """Ends hold_request() for what is held now."""
        self._do(self._let_go())

    @property
    def holding(self):
        """How many connections hold_request() holds."""
        return sum(link.held for link in self.links)

    @property
    def pending(self):
        """How many of the requests that lose_reply() and the like wait for have not come yet."""
        return sum(watch.times for watch in self._watched)

    def close(self):
        if self._loop.is_closed():
            return
        self._do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # How it is done, in the proxy's own thread.

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _set(self, **values):
        self.__dict__.update(values)

    async def _watch(self, pattern, fate, times, action=None):
        self._watched.append(_Watch(pattern, fate, times, action))

    async def _accept(self):
        if self._server is not None:
            return
        if isinstance(self.listen, str):
            if os.path.exists(self.listen):
                os.unlink(self.listen)
            self._server = await asyncio.start_unix_server(self._serve, self.listen)
        else:
            self._server = await asyncio.start_server(self._serve, *self.listen)

    async def _stop_listening(self):
        if self._server is not None:
            self._server.close()
            self._server = None
            if isinstance(self.listen, str) and os.path.exists(self.listen):
                os.unlink(self.listen)

    async def _stall(self, directions):
        self._stalled = directions

    async def _cut(self, links):
        for link in links:
            for writer in (link.client, link.server):
                if writer is not None:
                    self._reset(writer)

    async def _vanish(self):
        self._kept = set(self.links)

    async def _release(self):
        kept, self._kept = self._kept, set()
        await self._cut(kept)

    async def _let_go(self):
        for link in self.links:
            link.held = False

    async def _shut(self):
        await self._stop_listening()
        self._kept = set()
        await self._cut(list(self.links))
        tasks = [link.task for link in self.links if link.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    def _reset(writer):
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
        writer.transport.abort()

    async def _serve(self, client_reader, client_writer):
        self.connections += 1
        link = _Link(client_writer)
        link.task = asyncio.current_task()
        self.links.add(link)
        try:
            if self._greetings > 0:
                self._greetings -= 1
                await self._greet(client_reader, client_writer)
                return
            if isinstance(self.target, str):
                server_reader, link.server = await asyncio.open_unix_connection(self.target)
            else:
                server_reader, link.server = await asyncio.open_connection(*self.target)
            for writer in (link.client, link.server):
                sock = writer.get_extra_info("socket")
                if sock.family != socket.AF_UNIX:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = asyncio.ensure_future(self._pump(link, client_reader, link.server, "up"))
            down = asyncio.ensure_future(self._pump(link, server_reader, link.client, "down"))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.links.discard(link)
            self._reset(link.client)
            if link.server is not None:
                self._reset(link.server)

    async def _greet(self, reader, writer):
        writer.write(self._greeting)
        await writer.drain()
        await reader.read(65536)

    def _held(self, link, direction):
        return direction in self._stalled or link in self._kept or (link.held and direction == "up")

    async def _pump(self, link, reader, writer, direction):
        try:
            while True:
                data = await reader.read(65536)
                while self._held(link, direction):
                    await asyncio.sleep(0.005)
                if not data:
                    return
                watch = self._match(data) if direction == "up" else None
                if watch is not None and watch.fate == "lose_reply":
                    link.lose_reply = True
                if link.lose_reply and direction == "down":
                    await self._drain(reader)
                    return
                if watch is not None and watch.fate == "hold":
                    link.held = True
                    if watch.action:
                        watch.action()
                        watch.action = None
                lost = watch is not None and watch.fate == "lose_request"
                if not lost:
                    await self._pass(link, data, writer, direction)
                if watch is not None and watch.action:
                    watch.action()
                if lost:
                    return
        except (OSError, RuntimeError):
            pass

    @staticmethod
    async def _drain(reader):
        """The answer seen may have been to an earlier request on the connection: let the server
        finish before it is cut."""
        try:
            while await asyncio.wait_for(reader.read(65536), 0.1):
                pass
        except asyncio.TimeoutError:
            pass

    async def _pass(self, link, data, writer, direction):
        size = self._chunk or len(data)
        for at in range(0, len(data), size):
            if self._delay:
                await asyncio.sleep(self._delay)
            while self._held(link, direction):
                await asyncio.sleep(0.005)
            writer.write(data[at:at + size])
            await writer.drain()
            if size < len(data):
                await asyncio.sleep(0)

    def _match(self, data):
        for watch in self._watched:
            if watch.times > 0 and watch.pattern in data:
                watch.times -= 1
                return watch
        return None
