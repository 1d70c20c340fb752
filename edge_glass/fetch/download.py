"""Resumable downloads: ranges, mirrors in turn, checksum while streaming."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from filelock import FileLock
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential

from edge_glass.errors import EdgeGlassError
from edge_glass.progress import ByteTick
from edge_glass.spec import Source

AT_ONCE = 4
ATTEMPTS = 5  # per url, each resuming where the last one ended
CHUNK = 2**18
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "edge-glass"}
HEALS = {408, 425, 429, 500, 502, 503, 504}


class _Again(Exception):
    """A failure that another attempt may not meet; `after` is the server's Retry-After in s."""

    def __init__(self, reason: str, after: float = 0) -> None:
        super().__init__(reason)
        self.after = after


class _Refused(Exception):
    """A failure that this URL will repeat."""


@dataclass(frozen=True)
class Job:
    """One file to fetch: where it goes, and the URLs to try in turn."""

    name: str
    path: Path
    source: Source
    urls: list[str]


def fetch(jobs: list[Job], tick: ByteTick) -> dict[str, dict[str, Any]]:
    """Fetch every file that is not in the store; what is there is not asked for again.

    Returns bytes and checksums by file name. Raises EdgeGlassError with all files that no URL
    gave whole; whatever arrived stays and the next call goes on from there.
    """
    return asyncio.run(_fetch(jobs, tick))


async def _fetch(jobs: list[Job], tick: ByteTick) -> dict[str, dict[str, Any]]:
    gate = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(
        timeout=TIMEOUT, headers=HEADERS, auto_decompress=False, trust_env=True
    ) as session:
        tasks = [_one(session, gate, job, tick) for job in jobs]
        results = await asyncio.gather(*tasks, return_exceptions=True)
    problems = [problem for r in results if isinstance(r, EdgeGlassError) for problem in r.problems]
    if problems:
        raise EdgeGlassError(*problems)
    if broken := [result for result in results if isinstance(result, BaseException)]:
        raise broken[0]
    return {job.name: facts for job, facts in zip(jobs, results, strict=True)}  # type: ignore[misc]


async def _one(
    session: aiohttp.ClientSession, gate: asyncio.Semaphore, job: Job, tick: ByteTick
) -> dict[str, Any]:
    async with gate:
        job.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{job.path}.lock")
        await asyncio.to_thread(lock.acquire)
        try:
            if (facts := stored(job.path, job.source)) is not None:
                return facts
            return await _from_any(session, job, tick)
        finally:
            lock.release()


def stored(path: Path, source: Source) -> dict[str, Any] | None:
    """Bytes and checksums of a finished download, None if it is not there or not what is asked."""
    try:
        record: dict[str, Any] = json.loads(_record(path).read_text())
        stat = path.stat()
    except (OSError, ValueError):
        return None
    untouched = record.pop("mtime_ns") == stat.st_mtime_ns and record["bytes"] == stat.st_size
    wanted = source.checksum
    return record if untouched and (wanted is None or record[wanted[0]] == wanted[1]) else None


async def _from_any(session: aiohttp.ClientSession, job: Job, tick: ByteTick) -> dict[str, Any]:
    reasons = []
    for url in job.urls:
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(ATTEMPTS),
                wait=_wait,
                retry=retry_if_exception_type(_Again),
                reraise=True,
            ):
                with attempt:
                    return await _attempt(session, url, job, tick)
        except (_Again, _Refused) as error:
            reasons.append(f"{url}: {error}")
    raise EdgeGlassError(
        f"{job.name} could not be fetched ({'; '.join(reasons)}). What arrived is kept: run the "
        "same command again to go on, or get the file by other means and pass its folder as --raw."
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    backoff = wait_exponential(multiplier=0.5, max=30)(state)
    return max(backoff, min(getattr(error, "after", 0), 120))


async def _attempt(
    session: aiohttp.ClientSession, url: str, job: Job, tick: ByteTick
) -> dict[str, Any]:
    part = job.path.with_name(job.path.name + ".part")
    # without a checksum nobody could tell whether the rest belongs to what is here
    have = part.stat().st_size if part.exists() and job.source.checksum else 0
    if job.source.bytes is None or have != job.source.bytes:
        try:
            await _receive(session, url, job, part, have, tick)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Again(f"{type(error).__name__}: {error}") from error
    facts = await asyncio.to_thread(checksums, part)
    _compare(facts, job, part)
    return await asyncio.to_thread(_store, part, job.path, facts)


async def _receive(
    session: aiohttp.ClientSession, url: str, job: Job, part: Path, have: int, tick: ByteTick
) -> None:
    headers = {"Range": f"bytes={have}-"} if have else {}
    async with session.get(url, headers=headers, max_redirects=5) as answer:
        if answer.status == 416 and have:
            part.unlink()
            raise _Again("the server has fewer bytes than are here: starting over")
        if answer.status in HEALS:
            raise _Again(f"HTTP {answer.status}", _seconds(answer.headers.get("Retry-After", "")))
        if answer.status not in (200, 206):
            raise _Refused(f"HTTP {answer.status}")
        if answer.status == 206 and not _continues(answer, have):
            raise _Refused(f"asked for bytes from {have}, got {answer.headers['Content-Range']}")
        start = have if answer.status == 206 else 0
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            await _stream(answer, file.write, job, start, tick)


async def _stream(
    answer: aiohttp.ClientResponse, write: Callable[[bytes], int], job: Job, done: int, tick: ByteTick
) -> None:
    limit = job.source.bytes
    async for chunk in answer.content.iter_chunked(CHUNK):
        done += len(chunk)
        if limit is not None and done > limit:
            raise _Refused(f"more than the {limit} bytes that upstream publishes")
        write(chunk)
        tick(job.name, done, limit or answer.content_length)
    if limit is not None and done < limit:
        raise _Again(f"ended after {done} of {limit} bytes")


def _continues(answer: aiohttp.ClientResponse, have: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdigit() else 0


def checksums(path: Path) -> dict[str, Any]:
    """Bytes, md5 and sha256 of a file."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            md5.update(chunk)
            sha256.update(chunk)
    return {"bytes": path.stat().st_size, "md5": md5.hexdigest(), "sha256": sha256.hexdigest()}


def _compare(facts: dict[str, Any], job: Job, part: Path) -> None:
    wanted = job.source.checksum
    if wanted is not None and facts[wanted[0]] != wanted[1]:
        part.unlink()
        raise _Refused(f"{wanted[0]} {facts[wanted[0]]}, upstream publishes {wanted[1]}")


def _store(part: Path, path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(path)
    record = facts | {"mtime_ns": path.stat().st_mtime_ns}
    aside = path.with_name(path.name + ".json.tmp")
    aside.write_text(json.dumps(record))
    aside.rename(_record(path))
    return facts


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".json")
