"""Rows that name a URL, fetched ahead by an event loop that runs while a row is waited for.

It has no thread of its own: two that take turns at Python's lock cost more than they win. While
rows are worked on, what arrives waits in the sockets.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from edge_glass.fetch.bodies import Bodies
from edge_glass.fetch.bundle import Bundle
from edge_glass.fetch.remote import Fetched, Remote
from edge_glass.fetch.web import Web

try:
    import uvloop as loops  # much less work for each answer
except ImportError:  # there is none for Windows
    import asyncio as loops  # type: ignore[no-redef]

if TYPE_CHECKING:
    from edge_glass.rows import Row

Ask = dict[str, Any]
# rows under way for each that is waited for, so that a slow one holds up nobody: so many, and so
# many bytes on disk
WINDOW, WINDOW_BYTES = 1024, 250_000_000


class _Task:
    """A URL under way; who waits for it lets the others get on, too."""

    __slots__ = ("_task", "_urls")

    def __init__(self, urls: "Urls", task: asyncio.Task[Fetched]) -> None:
        self._urls, self._task = urls, task

    def result(self) -> Fetched:
        if not self._task.done():
            self._urls.run_until(self._task)
        return self._task.result()


class Urls:
    """Fetches the URLs that rows ask for: `{"url": …}`.

    With `etag` and `modified` of an earlier answer it may be 304, without a body.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.at_once = min(WINDOW, WINDOW_BYTES // remote.row_bytes) or 1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._elsewhere: ThreadPoolExecutor | None = None

    def submit(self, row: "Row") -> _Task:
        """Begin to fetch a row's URL."""
        assert row.ask is not None
        if self._loop is None:
            self._loop = self._start()
        return _Task(self, self._loop.create_task(self._fetch(row.ask)))

    def run_until(self, task: asyncio.Task[Any]) -> None:
        """Run the event loop until `task` is done."""
        loop = task.get_loop()
        task.add_done_callback(lambda _: loop.stop())
        while not task.done():  # a stop may be that of a wait before, which was interrupted
            self._run(loop)

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
            self.run_until(self._loop.create_task(self._end()))
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
        self._loop = loops.new_event_loop()
        task = self._loop.create_task(self._begin())
        self.run_until(task)
        task.result()
        return self._loop

    async def _begin(self) -> None:
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
        url, want = ask["url"], self._remote.want
        answer = await self._web.get(url, want, ask.get("etag"), ask.get("modified"))
        return Fetched(
            url=url,
            content=self._bodies.keep(answer.body),
            hash=sha256(answer.body),  # now that it is in the processor's cache
            status=answer.status,
            dropped=answer.dropped,
            final_url=answer.final_url,
            etag=answer.etag,
            last_modified=answer.last_modified,
        )
