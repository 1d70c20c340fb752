"""The web in a folder: bundled files under the names of their hosts, for samples that run offline.

They go through the same fetcher as anything from outside: `http://photos.example/a.jpg` is the file
`photos.example/a.jpg`. Whatever a list names, nothing leaves this machine.
"""

import hashlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp.abc import AbstractResolver, ResolveResult

from edge_glass.sources.addresses import PrivateAddress

if TYPE_CHECKING:
    from aiohttp import web

HOST = "127.0.0.1"


class Bundle(AbstractResolver):
    """A server over a folder, and the resolver that finds every name there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def start(self) -> None:
        """Listen on a free port."""
        from aiohttp import web

        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self._port = self._runner.addresses[0][1]

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
        await self._runner.cleanup()

    async def _answer(self, request: "web.BaseRequest") -> "web.StreamResponse":
        from aiohttp import web

        try:
            file = (self._folder / (request.url.host or "") / request.path.lstrip("/")).resolve()
            body = file.read_bytes() if file.is_relative_to(self._folder) else None
        except (OSError, ValueError):  # none, a folder, or a name that no file can have
            body = None
        if body is None:
            return web.Response(status=404)
        tag = hashlib.sha256(body).hexdigest()[:16]
        return web.Response(body=body, headers={"ETag": f'"{tag}"'})
