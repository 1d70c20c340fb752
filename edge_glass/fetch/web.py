"""One URL after another, from hosts that nobody vouches for: what became of each is an `Answer`.

Every limit ends in an outcome, and none of them keeps other URLs waiting.
"""

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDictProxy
from yarl import URL

from edge_glass import __version__
from edge_glass.fetch import hosts, safety
from edge_glass.fetch.bundle import Bundle
from edge_glass.fetch.consent import AGENT, Consent
from edge_glass.fetch.remote import Limits
from edge_glass.fetch.safety import PrivateAddress
from edge_glass.ledger import Dropped, Outcome
from edge_glass.media import magic

HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": f"{AGENT}/{__version__} (dataset builder; asks robots.txt, TDM-Rep)",
}
MAX_HEADER = 2**15  # bytes of one header; sites with long policies send some 10,000
REDIRECTS = (301, 302, 303, 307, 308)
TRIES = {  # of what may heal
    Outcome.RATE_LIMITED: 3,
    Outcome.SERVER_ERROR: 2,
    Outcome.NETWORK_ERROR: 2,
}
STATUSES = {
    **dict.fromkeys((401, 402, 403), Outcome.FORBIDDEN),
    **dict.fromkeys((404, 410), Outcome.REMOVED),
    408: Outcome.TIMED_OUT,
    429: Outcome.RATE_LIMITED,
    451: Outcome.GEO_BLOCKED,
}
WANTED = {"image": ("image/",), "audio": ("audio/", "video/mp4", "video/webm"), "file": ("",)}
ERRORS: list[tuple[tuple[type[Exception], ...], Outcome]] = [  # the first that fits
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), Outcome.HOST_NOT_FOUND),
    ((aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError), Outcome.TLS_ERROR),
    ((TimeoutError,), Outcome.TIMED_OUT),
    ((aiohttp.InvalidURL,), Outcome.BAD_URL),
    ((aiohttp.ClientResponseError, ValueError), Outcome.BAD_ANSWER),
]
RESOLVERS = 32  # names that are looked up at once


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a URL. `final_url` is where redirects led, if they did."""

    url: str
    status: int | None = None
    final_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    kind: str | None = None
    body: bytes = b""
    dropped: tuple[Outcome, str] | None = None


@dataclass
class _Trail:
    """What is known so far of a URL that is being fetched."""

    answer: Answer


class Web:
    """A session with the web: `async with Web(Limits()) as web: await web.get(url, "image")`."""

    def __init__(
        self,
        limits: Limits | None = None,
        ignored: Collection[str] = (),
        resolver: AbstractResolver | None = None,
        max_bytes: int = 50_000_000,
    ) -> None:
        self.limits, self.max_bytes = limits or Limits(), max_bytes
        self._ignored, self._resolver = ignored, resolver

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        if isinstance(self._resolver, Bundle):
            return self._resolver.socket(address)
        check = safety.any_socket if self.limits.intranet else safety.public_socket
        return check(address)

    async def __aenter__(self) -> "Web":
        limits = self.limits
        self._names = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="names")
        asyncio.get_running_loop().set_default_executor(self._names)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=300,
                resolver=self._resolver,
                socket_factory=self._socket,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.connect, sock_read=limits.silence
            ),
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )
        self._hosts = hosts.Hosts(limits.at_once, limits.per_host)
        self._consent = Consent(self._small, self._ignored)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._names.shutdown(wait=False, cancel_futures=True)

    async def get(self, url: str, want: str = "file", etag: str | None = None) -> Answer:
        """What becomes of `url`; `want` is a key of WANTED. Nothing is raised for the far end.

        With `etag` (of an earlier answer) a server may say 304: unchanged, without a body.
        """
        extra = {"If-None-Match": etag} if etag else {}
        for attempt in range(1, max(TRIES.values()) + 1):
            answer = await self._try(url, WANTED[want], extra)
            if answer.dropped is None or attempt >= TRIES.get(answer.dropped[0], 1):
                break
            if answer.dropped[0] != Outcome.RATE_LIMITED:  # for that the host keeps us waiting
                await hosts.sleep(hosts.BACK_OFF * attempt)
        return answer

    async def _try(self, url: str, want: tuple[str, ...], extra: dict[str, str]) -> Answer:
        trail = _Trail(Answer(url))
        try:
            await self._follow(safety.parse(url), want, extra, trail)
            return trail.answer
        except Dropped as drop:
            outcome, detail = drop.outcome, drop.detail
        except (aiohttp.ClientError, OSError, ValueError, EOFError) as error:
            outcome, detail = _explain(error)
        return replace(trail.answer, body=b"", dropped=(outcome, detail))

    async def _follow(
        self, url: URL, want: tuple[str, ...], extra: dict[str, str], trail: _Trail
    ) -> None:
        for _ in range(self.limits.redirects + 1):
            await self._consent.may_ask(url)
            async with self._asked(url, extra, trail) as (response, onward):
                if onward is None:
                    return await self._receive(response, want, trail)
            url = onward
            trail.answer = replace(trail.answer, final_url=str(url))
        raise Dropped(Outcome.REDIRECTED_TOO_OFTEN, f"more than {self.limits.redirects} times")

    @asynccontextmanager
    async def _asked(
        self, url: URL, extra: dict[str, str], trail: _Trail
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, URL | None]]:
        """The answer to one request, in the host's turn and time, and where it leads on to."""
        origin = safety.origin(url)
        async with (
            self._hosts.turn(origin),
            asyncio.timeout(self.limits.total),
            self._session.get(url, headers=extra, allow_redirects=False) as response,
        ):
            yield response, self._begin(response, origin, trail)

    def _begin(self, response: aiohttp.ClientResponse, origin: str, trail: _Trail) -> URL | None:
        """Note what the headers say; the URL that they lead on to."""
        status, headers = response.status, response.headers
        trail.answer = replace(
            trail.answer,
            status=status,
            etag=_header(headers, "ETag"),
            last_modified=_header(headers, "Last-Modified"),
        )
        after = hosts.retry_after(headers.get("Retry-After"))
        if status == 429 or (status == 503 and after):
            self._hosts.refused(origin, after)
            raise Dropped(Outcome.RATE_LIMITED, f"HTTP {status}")
        self._hosts.answered(origin)
        if status in REDIRECTS and "Location" in headers:
            return safety.onward(response.url, headers["Location"])
        return None

    async def _receive(
        self, response: aiohttp.ClientResponse, want: tuple[str, ...], trail: _Trail
    ) -> None:
        status = response.status
        if status == 304:
            return
        if status != 200:
            fallback = Outcome.SERVER_ERROR if status >= 500 else Outcome.BAD_ANSWER
            raise Dropped(STATUSES.get(status, fallback), f"HTTP {status}")
        self._consent.may_keep(response.headers)
        body = await self._body(response, self.max_bytes)
        if not body:
            raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
        kind = magic.kind(body[: magic.HEAD])
        if not (kind or "").startswith(want):
            raise Dropped(Outcome.WRONG_KIND, magic.looks_like(body[: magic.HEAD]))
        trail.answer = replace(trail.answer, body=body, kind=kind)

    async def _body(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        """The whole body, decoded. Raises Dropped beyond `most` bytes, or if it is too slow."""
        if (response.content_length or 0) > most:
            raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {most} bytes")
        limits, start = self.limits, hosts.clock()
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {most} bytes")
            seconds = hosts.clock() - start
            if seconds > limits.grace and size < limits.min_rate * seconds:
                raise Dropped(Outcome.TIMED_OUT, f"slower than {limits.min_rate:g} bytes a second")
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return _decoded(body, response.headers.get("Content-Encoding", ""), most)

    async def _small(self, url: URL, most: int) -> tuple[int, bytes]:
        """Status and the first bytes of a text that a host keeps for robots. Raises Dropped."""
        trail = _Trail(Answer(str(url)))
        try:
            for _ in range(self.limits.redirects + 1):
                async with self._asked(url, {}, trail) as (response, onward):
                    if onward is None:
                        return response.status, await self._head(response, most)
                url = onward
            return 404, b""
        except (aiohttp.ClientError, OSError, ValueError, EOFError) as error:
            outcome, detail = _explain(error)
            raise Dropped(outcome, f"{url.path}: {detail}") from None

    async def _head(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        body = b""
        if response.status == 200:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= most:
                    break
        return _decoded(body[:most], response.headers.get("Content-Encoding", ""), most)


def _explain(error: Exception) -> tuple[Outcome, str]:
    """The outcome of an exception; the detail says the same every time it happens."""
    if isinstance(inner := getattr(error, "os_error", error), PrivateAddress):
        return Outcome.PRIVATE_ADDRESS, str(inner)
    for kinds, outcome in ERRORS:
        if isinstance(error, kinds):
            return outcome, type(error).__name__
    return Outcome.NETWORK_ERROR, type(error).__name__


def _header(headers: CIMultiDictProxy[str], name: str) -> str | None:
    value = headers.get(name)
    return value if value and len(value) <= 256 and value.isprintable() else None


def _decoded(body: bytes, encoding: str, most: int) -> bytes:
    """The body without the compression that nobody asked for. Raises Dropped beyond `most`."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Dropped(Outcome.BAD_ANSWER, f"Content-Encoding {encoding[:20]!a}")
    inflate: Any = zlib.decompressobj(zlib.MAX_WBITS | 32)  # reads gzip and zlib headers
    try:
        plain: bytes = inflate.decompress(body, most + 1)
    except zlib.error:
        raise Dropped(Outcome.BAD_ANSWER, f"not {encoding} as it says") from None
    if len(plain) > most:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {most} bytes, decompressed")
    return plain
