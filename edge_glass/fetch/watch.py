"""Limits in time, for all requests under way: one look at them now and then, no timer for each."""

import asyncio
from dataclasses import dataclass
from typing import Any

from edge_glass.fetch.remote import Limits

PERIOD = 0.1  # seconds


@dataclass(slots=True, eq=False)
class Request:
    """A request under way; times are the watch's."""

    timeout: asyncio.Timeout
    began: float
    heard: float  # when its answer last grew
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
        self._now = 0.0
        self._requests: set[Request] = set()

    def begin(self, timeout: asyncio.Timeout) -> Request:
        """From now on `timeout` expires if the request breaks a limit."""
        request = Request(timeout, self._now, self._now)
        self._requests.add(request)
        return request

    def answered(self, request: Request, content: Any) -> None:
        """Headers are there, `content` is to come."""
        request.content, request.answered = content, self._now

    def end(self, request: Request) -> None:
        """It is over."""
        self._requests.discard(request)

    async def run(self) -> None:
        """Look at all of them again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(PERIOD)
            now = loop.time()
            self._now += min(now - last, 2 * PERIOD)
            last = now
            for request in self._requests:
                if not request.why and (why := self._look(request)):
                    request.why = why
                    request.timeout.reschedule(now)

    def _look(self, request: Request) -> str:
        """Which limit a request breaks, in words that are the same every time."""
        limits, size = self._limits, getattr(request.content, "total_bytes", 0)
        if size != request.size:
            request.size, request.heard = size, self._now
        receiving = self._now - request.answered
        if self._now - request.began > limits.total:
            return f"took more than {limits.total:g} s"
        if request.content and receiving > limits.grace and size < limits.min_rate * receiving:
            return f"slower than {limits.min_rate:g} bytes a second"
        if self._now - max(request.heard, request.answered) > limits.silence:
            return f"silent for {limits.silence:g} s"
        return ""
