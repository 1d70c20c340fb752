"""Resumable downloads: ranges, mirrors in turn, checksum while streaming."""

import asyncio
import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from filelock import AsyncFileLock
from yarl import URL

from edge_glass.core import interrupts, records, retries
from edge_glass.core.atomic_files import disk_full, sync_folder
from edge_glass.core.errors import EdgeGlassError, NetworkError, denied
from edge_glass.core.progress import ByteTick
from edge_glass.core.spec import Source, SourceFacts
from edge_glass.sources import addresses
from edge_glass.sources.contents import Checksums
from edge_glass.sources.hosts import retry_after

AT_ONCE = 4
ATTEMPTS = 5  # in a row that bring less than a chunk, per url
UNKNOWN = 2  # at a host whose name is not known, before anything arrived: there is no network
CHUNK = 2**18
BACKOFF = 0.5  # seconds before the second attempt
DENIALS = (401, 403)
NAMED = 12  # files that an error names
MOST = 2**40  # bytes of a file whose size nobody tells
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "edge-glass"}
LASTS = (
    aiohttp.TooManyRedirects,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    aiohttp.ClientSSLError,
)
REMEDY = (
    "Make room there, or move it to a larger disk and set EDGE_GLASS_CACHE to its new place, and "
    "run the same command again: it goes on where it stopped."
)

sleep = asyncio.sleep


class _Again(Exception):
    """A failure that another attempt may not meet; `after` is the server's Retry-After in s."""

    def __init__(self, reason: str, after: float = 0) -> None:
        super().__init__(reason)
        self.after = after


class _Unknown(_Again):
    """The name of the host is not known."""


class _Refused(Exception):
    """A failure that this URL will repeat."""


class _Failed(Exception):
    """A file that no URL gave; `reasons` are URLs with what became of them."""

    def __init__(self, name: str, reasons: list[tuple[str, str]], hub: bool) -> None:
        super().__init__(name)
        self.name, self.reasons, self.hub = name, reasons, hub


@dataclass(frozen=True)
class Job:
    """One file to fetch: where it goes, and the URLs to try in turn."""

    name: str
    path: Path
    source: Source
    urls: list[str]
    git: str | None = None  # the digest by which Git knows the file, where it has no checksum
    authorization: str | None = field(default=None, repr=False)  # for the servers of `urls` alone
    page: str | None = None  # on the Hub, where access is asked for


def fetch(jobs: list[Job], tick: ByteTick, at_once: int = AT_ONCE) -> dict[str, SourceFacts]:
    """Fetch every file that is not in the store; what is there is not asked for again.

    Returns bytes and checksums by file name. Raises EdgeGlassError with all files that no URL
    gave whole; whatever arrived stays and the next call goes on from there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return interrupts.run(_fetch(jobs, tick, at_once))
    with ThreadPoolExecutor(1) as apart:  # a notebook's own loop runs in this thread
        return apart.submit(lambda: asyncio.run(_fetch(jobs, tick, at_once))).result()


async def _fetch(jobs: list[Job], tick: ByteTick, at_once: int) -> dict[str, SourceFacts]:
    gate = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(
        timeout=TIMEOUT,
        headers=HEADERS,
        auto_decompress=False,
        trust_env=True,
        requote_redirect_url=False,
    ) as session:
        tasks = [_Download(session, job, tick).run(gate) for job in jobs]
        results = await asyncio.gather(*tasks, return_exceptions=True)
    problems = [problem for r in results if isinstance(r, EdgeGlassError) for problem in r.problems]
    if failed := [result for result in results if isinstance(result, _Failed)]:
        problems.append(_failures(failed))
    if problems:
        raise NetworkError(*dict.fromkeys(problems))
    if broken := [result for result in results if isinstance(result, BaseException)]:
        raise broken[0]
    arrived = [result for result in results if isinstance(result, SourceFacts)]
    return {job.name: facts for job, facts in zip(jobs, arrived, strict=True)}


def stored(path: Path, source: Source) -> SourceFacts | None:
    """Bytes and checksums of a finished download, None if it is not there or not what is asked."""
    record = records.read(_record(path))
    if record is None or not path.is_file():
        return None
    stat = path.stat()
    untouched = record.pop("mtime_ns") == stat.st_mtime_ns and record["bytes"] == stat.st_size
    facts, wanted = SourceFacts(**record), source.checksum
    return facts if untouched and (not wanted or facts.digest(wanted[0]) == wanted[1]) else None


class _Known:
    """Says who asks, to the server of a URL and to none that it leads to."""

    def __init__(self, url: str, authorization: str) -> None:
        self._origin, self._said = URL(url).origin(), authorization

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.origin() == self._origin:
            request.headers["Authorization"] = self._said
        return await handler(request)


class _Download:
    """One file on its way: what has arrived of it so far, with its checksums."""

    def __init__(self, session: aiohttp.ClientSession, job: Job, tick: ByteTick) -> None:
        self._session, self._job, self._tick = session, job, tick
        self._part = _part(job.path)

    async def run(self, gate: asyncio.Semaphore) -> SourceFacts:
        """Fetch the file, unless it is there; raises _Failed if no URL gives it."""
        job = self._job
        async with gate:
            with disk_full(job.path.parent, REMEDY):
                job.path.parent.mkdir(parents=True, exist_ok=True)
                async with AsyncFileLock(f"{job.path}.lock"):  # another process may fetch it
                    if (facts := stored(job.path, job.source)) is not None:
                        return facts
                    return await self._from_any()

    async def _from_any(self) -> SourceFacts:
        await asyncio.to_thread(self._open)
        reasons = []
        try:
            for url in self._job.urls:
                try:
                    await self._from(url)
                    return await asyncio.to_thread(self._store)
                except (_Again, _Refused) as error:
                    reasons.append((url, str(error)))
        finally:
            self._file.close()
        raise _Failed(self._job.name, reasons, self._job.page is not None)

    def _open(self) -> None:
        path = self._job.path
        if path.exists() and not self._part.exists():
            path.rename(self._part)  # of no record, or of another version: let the checksum tell
        # unbuffered, so that a killed download leaves all that it was given
        self._file = self._part.open("r+b" if self._part.exists() else "w+b", buffering=0)
        self._sums = Checksums()
        while chunk := self._file.read(2**20):
            self._sums.update(chunk)

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._sums = Checksums()

    def _store(self) -> SourceFacts:
        """Move the file to its place. Its record comes first: killed between them, it is whole."""
        os.fsync(self._file.fileno())
        facts, time = self._sums.facts(), self._part.stat().st_mtime_ns
        known = {"bytes": facts.bytes, "md5": facts.md5, "sha256": facts.sha256, "mtime_ns": time}
        records.write(_record(self._job.path), known)
        self._part.rename(self._job.path)
        sync_folder(self._job.path.parent)
        return facts

    async def _from(self, url: str) -> None:
        """Fetch from one URL until the file is whole, or while attempts bring something new."""
        vain, most, start = 0, self._sums.bytes, self._sums.bytes
        while True:
            try:
                return await self._attempt(url)
            except _Again as error:
                vain = 0 if self._sums.bytes >= most + CHUNK else vain + 1
                most = max(most, self._sums.bytes)
                hopeless = isinstance(error, _Unknown) and most == start
                most_vain = UNKNOWN if hopeless else ATTEMPTS
                wait = retries.pause(vain, most_vain, BACKOFF, error.after)
                if wait is None:
                    raise
                await sleep(wait)

    async def _attempt(self, url: str) -> None:
        wanted = self._job.source.checksum
        if wanted is None:
            self._restart()  # nobody could tell whether the rest belongs to what is here
        resumed = self._sums.bytes > 0
        if not resumed or self._sums.bytes != self._job.source.bytes:
            try:
                await self._receive(url)
            except LASTS as error:
                raise _Refused(f"{type(error).__name__}: {error}") from error
            except aiohttp.ClientConnectorDNSError as error:
                raise _Unknown(f"{error.host} is not known here: is there a network?") from error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise _Again(f"{type(error).__name__}: {error}") from error
        if wanted is not None and (digest := self._sums.facts().digest(wanted[0])) != wanted[1]:
            self._restart()
            reason = f"{wanted[0]} {digest}, upstream publishes {wanted[1]}"
            raise (_Again if resumed else _Refused)(reason)  # what was here may be at fault
        if self._job.git is not None and (digest := self._git()) != self._job.git:
            raise _Refused(f"Git knows the file as {digest}, the Hub lists {self._job.git}")

    def _git(self) -> str:
        digest = hashlib.sha1(b"blob %d\0" % self._sums.bytes, usedforsecurity=False)
        digest.update(self._part.read_bytes())  # of files that are small, as others have checksums
        return digest.hexdigest()

    async def _receive(self, url: str) -> None:
        size = self._sums.bytes
        headers = {"Range": f"bytes={size}-"} if size else {}
        known = [_Known(url, said)] if (said := self._job.authorization) else []
        get = self._session.get(
            _as_written(url), headers=headers, max_redirects=5, middlewares=known
        )
        async with get as answer:
            first, total = _range(answer)
            if answer.status == 416 and total == size:
                return
            if answer.status in retries.STATUSES:
                after = retry_after(answer.headers.get("Retry-After"))
                raise _Again(f"HTTP {answer.status}", after)
            if answer.status not in (200, 206, 416):
                page = self._job.page if answer.status in DENIALS else None
                raise _Refused(f"HTTP {answer.status}{f': {denied(page)}' if page else ''}")
            if answer.status != 416:
                _examine(answer, self._job, total)
            if first != size:
                self._restart()
                if answer.status != 200:
                    sent = answer.headers.get("Content-Range")
                    raise _Again(f"HTTP {answer.status} with Content-Range {sent}")
            await self._stream(answer, self._job.source.bytes or total)

    async def _stream(self, answer: aiohttp.ClientResponse, total: int | None) -> None:
        async for chunk in answer.content.iter_chunked(CHUNK):
            if self._sums.bytes + len(chunk) > (total or MOST):
                raise _Refused(f"more than the {total or MOST} bytes that it should have")
            left = memoryview(chunk)
            while left:
                left = left[self._file.write(left) :]
            self._sums.update(chunk)
            self._tick(self._job.name, self._sums.bytes, total)
        if total is not None and self._sums.bytes < total:
            raise _Again(f"ended after {self._sums.bytes} of {total} bytes")


def _failures(failed: list[_Failed]) -> str:
    """All files that could not be fetched as one problem: each cause is named once."""
    causes: dict[str, list[str]] = {}
    for one in failed:
        for url, reason in one.reasons:
            where = url if len(failed) == 1 else "…".join(url.rsplit(one.name, 1))
            causes.setdefault(f"{where}: {reason}", []).append(one.name)
    which = "it" if len(failed) == 1 else "them"
    lines = [f"{_several([one.name for one in failed], NAMED)} could not be fetched:"]
    for cause, names in causes.items():
        lines.append(
            f"  {cause}" + (f" ({_several(names, 3)})" if len(names) < len(failed) else "")
        )
    mirror = "fetch from a mirror of yours (--mirror URL), or " if not failed[0].hub else ""
    lines.append(
        f"  What arrived is kept: run the same command again to go on; or {mirror}get {which} by "
        "other means and pass the folder as --raw DIR."
    )
    return "\n".join(lines)


def _several(names: list[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more:,} more"


def _as_written(url: str) -> URL | str:
    """A valid URL to be sent byte for byte: signatures cover what is written."""
    with suppress(ValueError):  # then aiohttp says what is wrong
        return url if addresses.UNQUOTED.search(url) else addresses.written(url)
    return url


def _range(answer: aiohttp.ClientResponse) -> tuple[int | None, int | None]:
    """Where the bytes of an answer begin, and the bytes in all."""
    if answer.status == 200:
        return 0, answer.content_length
    span = re.fullmatch(
        r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", answer.headers.get("Content-Range", "")
    )
    first, total = span.groups() if span else (None, None)
    return int(first) if first else None, int(total) if total else None


def _examine(answer: aiohttp.ClientResponse, job: Job, total: int | None) -> None:
    """Raise _Refused, before what is here gets lost, if this cannot be the file."""
    promised = job.source.bytes
    if total is not None and promised not in (None, total):
        raise _Refused(f"{total} bytes, upstream publishes {promised}")
    page = answer.content_type == "text/html" and not job.name.endswith((".html", ".htm"))
    if page and (total is None or promised != total):
        raise _Refused("a web page instead of the file")


def begun(path: Path) -> bool:
    """Whether some of a file has arrived that is not whole yet."""
    return (part := _part(path)).exists() and part.stat().st_size > 0


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".json")
