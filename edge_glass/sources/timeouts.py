"""Limits in time, for all requests under way: one look at them now and then, no timer for each."""

import asyncio
from typing import Any

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.sources.row_fetch import Limits

PERIOD = 0.1  # seconds


class Request:
    """A request under way, from the `with` to its end; times are the watch's.

    If it breaks a limit, its task is cancelled and the block raises Dropped.
    """

    def __init__(self, watch: "Watch") -> None:
        self._watch = watch
        self.began = self.heard = watch.now
        self.content: Any = None  # aiohttp's StreamReader, once the headers are there
        self.answered = 0.0  # when that was
        self.size = 0
        self.why = ""  # it was ended

    def __enter__(self) -> "Request":
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelled = task, task.cancelling()
        self._watch.requests.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._watch.requests.discard(self)
        ended = bool(self.why) and self._task.uncancel() <= self._cancelled
        if ended and kind is asyncio.CancelledError:
            raise Dropped(Outcome.TIMED_OUT, self.why) from None

    def begun(self, content: Any) -> None:
        """Headers are there, `content` is to come."""
        self.content, self.answered = content, self._watch.now

    def end(self, why: str) -> None:
        """It takes too long."""
        self.why = why
        self._task.cancel()


class Watch:
    """Ends requests that take too long: in all, between two bytes, or for their size.

    Its clock stands still while the process does: a machine that slept finds its answers waiting.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.now = 0.0
        self.requests: set[Request] = set()

    def request(self) -> Request:
        """A request to be watched."""
        return Request(self)

    async def run(self) -> None:
        """Look at all of them again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(PERIOD)
            now = loop.time()
            self.now += min(now - last, 2 * PERIOD)
            last = now
            for request in self.requests:
                if not request.why and (why := self._look(request)):
                    request.end(why)

    def _look(self, request: Request) -> str:
        """Which limit a request breaks, in words that are the same every time."""
        limits, size = self._limits, getattr(request.content, "total_bytes", 0)
        if size != request.size:
            request.size, request.heard = size, self.now
        receiving = self.now - request.answered
        if self.now - request.began > limits.total:
            return f"took more than {limits.total:g} s"
        if request.content and receiving > limits.grace and size < limits.min_rate * receiving:
            return f"slower than {limits.min_rate:g} bytes a second"
        if self.now - max(request.heard, request.answered) > limits.silence:
            return f"silent for {limits.silence:g} s"
        return ""
