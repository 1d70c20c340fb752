"""Limits in time, for all requests under way: one look at them now and then, no timer for each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.sources.row_fetch import Limits

PERIOD = 0.1  # seconds


@dataclass(eq=False)
class Request:
    """A request under way; times are the watch's."""

    began: float
    heard: float
    timer: asyncio.Timeout
    content: Any = None  # aiohttp's StreamReader, once the headers are there
    answered: float = 0.0  # when that was
    size: int = 0
    why: str = ""  # it was ended


class Watch:
    """Ends requests that take too long: in all, between two bytes, or for their size.

    Its clock stands still while the process does: a machine that slept finds its answers waiting.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.now = 0.0
        self.requests: set[Request] = set()

    @asynccontextmanager
    async def request(self) -> AsyncIterator[Request]:
        """A request to be watched until the block ends; Dropped if it breaks a limit."""
        request = Request(self.now, self.now, asyncio.timeout(None))
        self.requests.add(request)
        try:
            async with request.timer:
                yield request
        except TimeoutError:
            if not request.timer.expired():
                raise
            raise Dropped(Outcome.TIMED_OUT, request.why) from None
        finally:
            self.requests.discard(request)

    def begun(self, request: Request, content: Any) -> None:
        """Headers are there, `content` is to come."""
        request.content, request.answered = content, self.now

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
                    request.why = why
                    request.timer.reschedule(now)

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
