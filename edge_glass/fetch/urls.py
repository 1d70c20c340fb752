"""Rows that name a URL, fetched ahead by an event loop in a thread of the worker process."""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

from edge_glass.fetch.bodies import Bodies
from edge_glass.fetch.bundle import Bundle
from edge_glass.fetch.remote import Fetched, Remote
from edge_glass.fetch.web import Web

if TYPE_CHECKING:
    from edge_glass.rows import Row

WINDOW = 1024  # rows under way for each that is waited for, so that a slow one holds up nobody


class Urls:
    """Fetches the URLs that rows ask for: `{"url": …}`."""

    at_once = WINDOW

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._thread: threading.Thread | None = None
        self._asked: deque[tuple[str, Future[Fetched]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()  # the loop itself would forget them

    def submit(self, row: "Row") -> Future[Fetched]:
        """Begin to fetch a row's URL."""
        assert row.ask is not None
        if self._thread is None:
            self._start()
        future: Future[Fetched] = Future()
        self._asked.append((row.ask["url"], future))
        if len(self._asked) == 1:  # or else the loop is told already
            self._loop.call_soon_threadsafe(self._begin)
        return future

    def close(self) -> None:
        """Stop whatever is under way."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
            self._bodies.close()

    def _start(self) -> None:
        self._bodies = Bodies(self._remote.store)
        self._loop, self._end = asyncio.new_event_loop(), asyncio.Event()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        remote = self._remote
        bundle = Bundle(remote.bundle) if remote.bundle else None
        if bundle:
            await bundle.start()
        limits = remote.network.web
        async with Web(limits, remote.ignored, bundle, remote.max_bytes) as self._web:
            started.set()
            await self._end.wait()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    def _begin(self) -> None:
        while self._asked:
            task = asyncio.create_task(self._one(*self._asked.popleft()))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _one(self, url: str, future: Future[Fetched]) -> None:
        try:
            future.set_result(await self._fetch(url))
        except Exception as error:
            future.set_exception(error)  # raised where the row is waited for

    async def _fetch(self, url: str) -> Fetched:
        answer = await self._web.get(url, self._remote.want)
        return Fetched(
            url=url,
            content=self._bodies.keep(answer.body),
            status=answer.status,
            dropped=answer.dropped,
            final_url=answer.final_url,
            etag=answer.etag,
            last_modified=answer.last_modified,
        )
