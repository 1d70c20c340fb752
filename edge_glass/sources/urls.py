"""Rows that name a URL, fetched ahead by an event loop that runs while a row is waited for.

It has no thread of its own: two that take turns at Python's lock cost more than they win. While
rows are worked on, what arrives waits in the sockets.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from edge_glass.core.row import JsonObject
from edge_glass.sources.bundle import Bundle
from edge_glass.sources.row_fetch import Fetched, Remote
from edge_glass.sources.spool import Bodies
from edge_glass.sources.web import Web

try:
    import uvloop as loops  # much less work for each answer
except ImportError:  # there is none for Windows
    import asyncio as loops  # type: ignore[no-redef]

if TYPE_CHECKING:
    from edge_glass.core.row import Row

Ask = JsonObject
WINDOW = 1024  # rows under way for each that is waited for, so that a slow one holds up nobody


class _Line:
    """The URLs of one host. Nothing is begun for those that wait: they would crowd the caches."""

    def __init__(self) -> None:
        self.under_way, self.waiting = 0, deque[_Url]()


class _Url:
    """What a row asks for; who waits for it lets the others get on, too."""

    def __init__(self, urls: "Urls", ask: Ask) -> None:
        self._urls, self.ask = urls, ask
        self.host: str = ask["url"].partition("//")[2].partition("/")[0]
        self.task: asyncio.Task[Fetched] | None = None

    def done(self) -> bool:
        return self.task is not None and self.task.done()

    def result(self) -> Fetched:
        self._urls.run_until(self)
        assert self.task is not None
        return self.task.result()


class Urls:
    """Fetches the URLs that rows ask for: `{"url": …}`.

    With `etag` and `modified` of an earlier answer it may be 304, without a body.
    """

    at_once = WINDOW

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: dict[str, _Line] = {}
        self._wanted: _Url | None = None
        self._elsewhere: ThreadPoolExecutor | None = None

    def submit(self, row: "Row") -> _Url:
        """Begin to fetch a row's URL, or let it stand in line at its host."""
        assert row.fetch_request is not None
        if self._loop is None:
            self._loop = self._start()
        url = _Url(self, row.fetch_request)
        line = self._lines.setdefault(url.host, _Line())
        if line.under_way < self._remote.network.web.per_host:
            self._begin(url, line)
        else:
            line.waiting.append(url)
        return url

    def _begin(self, url: _Url, line: _Line) -> None:
        assert self._loop is not None
        line.under_way += 1
        url.task = self._loop.create_task(self._fetch(url.ask))
        url.task.add_done_callback(lambda _: self._ended(url, line))

    def _ended(self, url: _Url, line: _Line) -> None:
        if url is self._wanted and self._loop:
            self._loop.stop()
        line.under_way -= 1
        if line.waiting:
            self._begin(line.waiting.popleft(), line)
        elif not line.under_way:
            del self._lines[url.host]

    def run_until(self, url: _Url) -> None:
        """Run the event loop until `url` is done."""
        assert self._loop is not None
        self._wanted = url
        while not url.done():  # a stop may be that of a wait before, which was interrupted
            self._run(self._loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._elsewhere is None:
            loop.run_forever()
            return
        running = self._elsewhere.submit(loop.run_forever)
        try:
            running.result()
        except BaseException:  # an interrupt comes to this thread, not to the one that has the loop
            loop.call_soon_threadsafe(loop.stop)
            running.result()
            raise

    def close(self) -> None:
        """Stop whatever is under way."""
        if self._loop is not None:
            for line in self._lines.values():
                line.waiting.clear()
            self._complete(self._loop, self._end())
            self._loop.close()
            self._bodies.close()
        if self._elsewhere:
            self._elsewhere.shutdown()

    def _start(self) -> asyncio.AbstractEventLoop:
        try:
            asyncio.get_running_loop()
            self._elsewhere = ThreadPoolExecutor(1)  # in a notebook this thread has a loop already
        except RuntimeError:
            pass
        self._bodies = Bodies(self._remote.store)
        loop = loops.new_event_loop()
        self._complete(loop, self._open())
        return loop

    def _complete(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        task.add_done_callback(lambda _: loop.stop())
        while not task.done():
            self._run(loop)
        task.result()

    async def _open(self) -> None:
        remote = self._remote
        bundle = Bundle(remote.bundle) if remote.bundle else None
        if bundle:
            await bundle.start()
        self._web = Web(remote.network.web, remote.ignored, bundle, remote.max_bytes)
        await self._web.__aenter__()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._web.__aexit__()

    async def _fetch(self, ask: Ask) -> Fetched:
        asked = ask["url"], self._remote.want, ask.get("etag"), ask.get("modified")
        answer = await self._web.get(*asked)
        answer.hash = sha256(answer.body)  # now that it is in the processor's cache
        answer.content, answer.body = self._bodies.keep(answer.body), b""
        return answer
