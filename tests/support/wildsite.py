"""A web site on 127.0.0.1 that says whatever a test wants, to the byte, and a resolver beside it.

with Site({"/a.jpg": page(JPEG), "/slow": drip}) as site:
    ...  # site.url, site.log
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from aiohttp.abc import AbstractResolver, ResolveResult

Headers = Mapping[str, str]
Answer = Callable[[asyncio.StreamWriter, Headers], Awaitable[None]]


def head(status: int = 200, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} So", *lines, "", ""]).encode("latin-1")


def page(body: bytes = b"", status: int = 200, *lines: str, length: int | None = None) -> Answer:
    """One answer with its length; `length` is a lie about it."""

    async def answer(writer: asyncio.StreamWriter, _: Headers) -> None:
        said = len(body) if length is None else length
        writer.write(head(status, f"Content-Length: {said}", *lines) + body)
        if length is not None:
            writer.close()

    return answer


def moved(to: str, status: int = 302) -> Answer:
    return page(b"", status, f"Location: {to}")


def in_turn(*answers: Answer) -> Answer:
    """One answer a request, the last one from then on."""
    left = list(answers)

    async def answer(writer: asyncio.StreamWriter, headers: Headers) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(writer, headers)

    return answer


async def endless(writer: asyncio.StreamWriter, _: Headers) -> None:
    writer.write(head(200))
    while True:
        writer.write(b"\xff\xd8\xff" + bytes(2**16))
        await writer.drain()


async def drip(writer: asyncio.StreamWriter, _: Headers) -> None:
    """A byte now and then, for ever."""
    writer.write(head(200, "Content-Length: 1000000"))
    while True:
        writer.write(b"\xff")
        await writer.drain()
        await asyncio.sleep(0.02)


async def header_drip(writer: asyncio.StreamWriter, _: Headers) -> None:
    """A header that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silence(writer: asyncio.StreamWriter, _: Headers) -> None:
    await asyncio.sleep(3600)


async def hang_up(writer: asyncio.StreamWriter, _: Headers) -> None:
    writer.transport.abort()


class Served:
    """A server on an event loop in a thread of its own, for the length of a `with` block."""

    port: int

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        """Serve, say that it is `started`, and go on until `self._end` is set."""
        raise NotImplementedError


class Site(Served):
    def __init__(self, pages: Mapping[str, Answer], host: str = "127.0.0.1") -> None:
        self.pages, self._host = dict(pages), host
        self.log: list[str] = []  # the paths that were asked for
        self.headers: list[Headers] = []

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}"

    def count(self, path: str) -> int:
        return self.log.count(path)

    async def _serve(self, started: threading.Event) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._client, self._host, 0, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._end.wait()
        server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = request.strip().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
                path = first.split(" ")[1]
                self.log.append(path)
                self.headers.append(headers)
                await self.pages.get(path, page(b"", 404))(writer, headers)
                await writer.drain()
        writer.close()


class Names(AbstractResolver):
    """DNS in the place of the real one: each look-up of a name gives the next of its addresses."""

    def __init__(self, port: int, **names: list[str]) -> None:
        self.port, self.names = port, {k.replace("_", "."): list(v) for k, v in names.items()}

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        known = self.names.get(host)
        if not known:
            raise socket.gaierror("no such name")
        address = known.pop(0) if len(known) > 1 else known[0]
        return [
            ResolveResult(hostname=host, host=address, port=self.port, family=0, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Nothing is open."""
