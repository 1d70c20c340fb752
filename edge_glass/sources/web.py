"""One URL after another, from hosts that nobody vouches for: what became of each is an `Answer`.

Every limit ends in an outcome, and none of them keeps other URLs waiting.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from edge_glass.core import retries
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.version import VERSION
from edge_glass.media import magic
from edge_glass.sources import addresses, hosts
from edge_glass.sources.bundle import Bundle
from edge_glass.sources.consent import AGENT, Consent
from edge_glass.sources.responses import STATUSES, WHOLE, Answer, decoded, explain, header, is_part
from edge_glass.sources.row_fetch import Limits
from edge_glass.sources.timeouts import Watch

HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": f"{AGENT}/{VERSION} (dataset builder; asks robots.txt, TDM-Rep)",
}
MAX_HEADER = 2**15  # bytes of one header; sites with long policies send some 10,000
REDIRECTS = (301, 302, 303, 307, 308)
WANTED = {"image": ("image/",), "sound": ("audio/", "video/mp4", "video/webm"), "file": ("",)}
Headers = dict[str, str] | None
Receive = Callable[[aiohttp.ClientResponse], Awaitable[None]]


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
        return addresses.opened(address, public=not self.limits.intranet)

    async def __aenter__(self) -> "Web":
        limits = self.limits
        # a name for each request under way, so that none waits behind names that nobody answers
        self._names = ThreadPoolExecutor(limits.at_once, thread_name_prefix="names")
        asyncio.get_running_loop().set_default_executor(self._names)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=300,
                resolver=self._resolver,
                socket_factory=self._socket,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect),
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )
        self._hosts = hosts.Hosts(limits.at_once, limits.per_host)
        self._consent = Consent(self._small, self._ignored)
        self._watch = Watch(limits)
        self._watching = asyncio.create_task(self._watch.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await self._session.close()
        self._names.shutdown(wait=False, cancel_futures=True)

    async def get(
        self, url: str, want: str = "file", etag: str | None = None, modified: str | None = None
    ) -> Answer:
        """What becomes of `url`; `want` is a key of WANTED. Nothing is raised for the far end.

        With `etag` or `modified` (the Last-Modified of an earlier answer) a server may say 304:
        unchanged, without a body.
        """
        since = {"If-None-Match": etag, "If-Modified-Since": modified}
        extra = {name: value for name, value in since.items() if value} or None

        async def fetch(answer: Answer) -> None:
            await self._follow(addresses.parse(url), WANTED[want], extra, answer)
            if answer.status == 304 and not extra:
                raise Dropped(Outcome.BAD_ANSWER, "HTTP 304")

        return await self._answered(url, fetch)

    async def crawl_delay(self, url: URL) -> float:
        """Seconds that a host wants between two requests. Raises Dropped if it cannot be asked."""
        return await self._consent.crawl_delay(url, addresses.origin(url))

    async def _answered(
        self, url: str, fetch: Callable[[Answer], Awaitable[None]], where: str = ""
    ) -> Answer:
        """What comes of fetching a URL, tried as often as that may heal."""
        for tried in count(1):
            answer = Answer(url)
            try:
                await fetch(answer)
            except Dropped as drop:
                answer.dropped, answer.body = (drop.outcome, drop.detail), b""
            except (aiohttp.ClientError, OSError, ValueError, EOFError) as error:
                outcome, detail = explain(error)
                answer.dropped, answer.body = (outcome, f"{where}{detail}"), b""
            if (wait := _pause(answer, tried)) is None:
                break
            if wait:
                await hosts.sleep(wait)
        return answer

    async def _follow(
        self, url: URL, want: tuple[str, ...], extra: Headers, answer: Answer
    ) -> None:
        for _ in range(self.limits.redirects + 1):
            origin = addresses.origin(url)
            await self._consent.may_ask(url, origin)
            receive = partial(self._receive, want=want, answer=answer)
            onward = await self._ask(url, origin, extra, answer, receive)
            if onward is None:
                return
            url = onward
            answer.final_url = str(url)
        raise Dropped(Outcome.REDIRECTED_TOO_OFTEN, f"more than {self.limits.redirects} times")

    async def _ask(
        self, url: URL, origin: str, extra: Headers, answer: Answer, receive: Receive
    ) -> URL | None:
        """One request, in the host's turn and time: received, or the URL that it leads on to."""
        async with self._hosts.turn(origin) as host, self._watch.request() as request:
            headers = (extra or {}) | answer.cookie(url)
            bundled = isinstance(self._resolver, Bundle)  # which answers for both schemes
            at = url.with_scheme("http") if bundled else url
            get = self._session.get(at, headers=headers, allow_redirects=False)
            async with get as response:
                self._watch.begun(request, response.content)
                onward = self._begin(response, host, answer)
                if onward is None:
                    await receive(response)
                return onward

    def _begin(
        self, response: aiohttp.ClientResponse, host: hosts.Host, answer: Answer
    ) -> URL | None:
        """Note what the headers say; the URL that they lead on to."""
        status, headers = response.status, response.headers
        answer.status = status
        answer.etag = header(headers, "ETag")
        answer.last_modified = header(headers, "Last-Modified")
        if status in (429, 503):
            after = hosts.retry_after(headers.get("Retry-After"))
            if status == 429 or after:
                host.refused(after)
                raise Dropped(Outcome.RATE_LIMITED, f"HTTP {status}")
        host.refusals = 0
        if status in REDIRECTS and "Location" in headers:
            answer.keep_cookies(response)
            sent = {name.lower(): value for name, value in response.raw_headers}
            return addresses.onward(response.url, sent[b"location"])
        return None

    async def _receive(
        self, response: aiohttp.ClientResponse, want: tuple[str, ...], answer: Answer
    ) -> None:
        status = response.status
        if status == 304:
            return
        if status not in WHOLE or is_part(status, response.headers):
            fallback = Outcome.SERVER_ERROR if status >= 500 else Outcome.BAD_ANSWER
            raise Dropped(STATUSES.get(status, fallback), f"HTTP {status}")
        self._consent.may_keep(response.headers)
        answer.body = await self._body(response, self.max_bytes)
        if not answer.body:
            raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
        head = answer.body[: magic.HEAD]
        answer.kind = magic.kind(head)
        if not (answer.kind or "").startswith(want):
            raise Dropped(Outcome.WRONG_KIND, magic.looks_like(head))
        self._consent.may_mine(answer.body)

    async def _body(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        """The whole body, decoded. Raises Dropped beyond `most` bytes."""
        if (response.content_length or 0) > most:
            raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {most} bytes")
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {most} bytes")
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return decoded(body, response.headers.get("Content-Encoding", ""), most)

    async def _small(self, url: URL, most: int) -> tuple[int, bytes]:
        """Status and the first bytes of a text that a host keeps for robots. Raises Dropped."""
        answer = await self._answered(str(url), partial(self._text, url, most), f"{url.path}: ")
        if answer.dropped:
            raise Dropped(*answer.dropped)
        return answer.status or 0, answer.body

    async def _text(self, url: URL, most: int, answer: Answer) -> None:
        async def receive(response: aiohttp.ClientResponse) -> None:
            answer.body = await self._head(response, most)

        for _ in range(self.limits.redirects + 1):
            onward = await self._ask(url, addresses.origin(url), None, answer, receive)
            if onward is None:
                return
            url = onward
        answer.status = 404

    async def _head(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        body = b""
        if response.status in WHOLE:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= most:
                    break
        return decoded(body[:most], response.headers.get("Content-Encoding", ""), most)


def _pause(answer: Answer, tried: int) -> float | None:
    """Seconds before a URL is asked again, after as many tries; None: it is not."""
    failed = (answer.status or 0) >= 500
    outcome = answer.dropped[0] if answer.dropped else Outcome.SERVER_ERROR if failed else None
    tries = retries.TRIES.get(outcome, 1) if outcome else 1
    rests = outcome == Outcome.RATE_LIMITED  # then the host keeps us waiting
    return retries.pause(tried, tries, 0 if rests else hosts.BACK_OFF)
