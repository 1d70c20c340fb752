"""The web in a folder: bundled files under the names of their hosts, for samples that run offline.

They go through the same fetcher as anything from outside: `http://photos.example/a.jpg` is the file
`photos.example/a.jpg`. Whatever a list names, nothing leaves this machine.
"""

import asyncio
import hashlib
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp.abc import AbstractResolver, ResolveResult

from edge_glass.sources.addresses import PrivateAddress

HOST = "127.0.0.1"
MAX_REQUEST = 2**14
ENDS = (  # of a connection; asyncio prints a traceback for one that the loop's end cancels
    ConnectionError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
    asyncio.CancelledError,
)


class Bundle(AbstractResolver):
    """A server over a folder, and the resolver that finds every name there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._client, HOST, 0, limit=MAX_REQUEST)
        self._port = self._server.sockets[0].getsockname()[1]

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """This server, for each name that has a folder."""
        if not (self._folder / host).is_dir():
            raise socket.gaierror(f"no folder {host}")
        resolved = ResolveResult(
            hostname=host, host=HOST, port=self._port, family=socket.AF_INET, proto=0, flags=0
        )
        return [resolved]

    def socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for this server alone. Raises PrivateAddress."""
        family, kind, protocol, _, (host, port, *_) = address
        if (host, port) != (HOST, self._port):
            raise PrivateAddress
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Stop listening."""
        self._server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*ENDS):
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(self._answer(request))
                await writer.drain()
        writer.close()

    def _answer(self, request: str) -> bytes:
        first, *lines = request.strip().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        path = unquote(first.split(" ")[1].partition("?")[0]).lstrip("/")
        file = (self._folder / headers.get("host", "").partition(":")[0] / path).resolve()
        if not (file.is_relative_to(self._folder) and file.is_file()):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        body = file.read_bytes()
        tag = hashlib.sha256(body).hexdigest()[:16]
        head = f'HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: "{tag}"\r\n\r\n'
        return head.encode() + body
