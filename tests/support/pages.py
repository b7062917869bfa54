# SPDX-License-Identifier: MIT
"""A small HTTP server for programs under test: a thread with pages, and files of some size."""
import asyncio
import re
import resource
import threading

PAGES = ("red", "green", "blue")


def answer(path):
    """Status and body of a path: /red is a page, /file/7 a file; /echo and /never are told elsewhere."""
    kind, _, number = path[1:].partition("/")
    if kind == "file":
        return "200 OK", (number + "\n").encode() * 100
    return ("200 OK", f"is {kind}".encode()) if kind in PAGES else ("404 Not Found", b"is not there")


async def read_body(reader, head):
    """What a request sends behind its head."""
    head = head.lower()
    if "\r\nexpect: 100-continue" in head:
        raise ConnectionError
    if "\r\ntransfer-encoding: chunked" not in head:
        size = re.search(r"\r\ncontent-length: (\d+)", head)
        return await reader.readexactly(int(size[1])) if size else b""
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


class PageServer:
    """At url, from start to kill."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.url = None

    def start(self):
        # Several programs may have 500 connections each.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
        self.thread.start()
        listening = asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        server = asyncio.run_coroutine_threadsafe(listening, self.loop).result()
        self.url = "http://127.0.0.1:{}".format(server.sockets[0].getsockname()[1])
        return self

    def kill(self):
        if self.url:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split()[1]
                if path == "/never":
                    await reader.read()
                sent = await read_body(reader, head)
                status, body = ("200 OK", sent) if path == "/echo" else answer(path)
                kind = re.search(r"(?im)^content-type:.*\r\n", head)
                writer.write(f"HTTP/1.1 {status}\r\n{kind.group() if kind else ''}"
                             f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
