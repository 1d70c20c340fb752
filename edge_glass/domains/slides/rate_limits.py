"""How fast a model may be asked, and for how much.

Each success lets one more call be under way now and then, each 429 halves them; and nobody asks
before the time is over that the server names in `Retry-After` or in `x-ratelimit-reset-*`. What is
under way counts at the most that it can cost.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from edge_glass.domains.slides.call_log import Calls, Use
from edge_glass.sources.hosts import retry_after

BACK_OFF = 1.0  # seconds after a first refusal that names no time, doubled after each further one
LONGEST = 120.0  # seconds of rest that are believed
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "": 1}
KINDS = ("requests", "tokens")

sleep = asyncio.sleep
clock = time.monotonic


class SpentError(Exception):
    """The budget has no room for another call."""


class Gate:
    """Turns at a model, `at_once` at most, for so much money and so many tokens; None: no limit."""

    def __init__(
        self, calls: Calls, at_once: int, money: float | None = None, tokens: int | None = None
    ) -> None:
        self._calls, self._money, self._tokens = calls, money, tokens
        self._most, self.allowed = at_once, float(at_once)
        self._under_way: list[Use] = []  # each at its most
        self._open, self._rests_until = False, 0.0
        self._refusals = 0
        self._free = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, most: Use) -> AsyncIterator[None]:
        """One call, when the server wants it; until the gate is open, one at a time.

        Raises SpentError if there is no room for it and no call that may give some back.
        """
        async with self._free:
            while not self._fits(most) or len(self._under_way) >= self._at_once:
                if not self._under_way:
                    raise SpentError
                await self._free.wait()
            self._under_way.append(most)
        try:
            while (wait := self._rests_until - clock()) > 0:
                await sleep(wait)
            yield
        finally:
            async with self._free:
                self._under_way.remove(most)
                self._free.notify_all()

    @property
    def _at_once(self) -> int:
        return int(self.allowed) if self._open else 1

    def _fits(self, most: Use) -> bool:
        uses = [*self._under_way, most]
        cost = self._calls.cost + sum(use.cost for use in uses)
        tokens = self._calls.tokens + sum(use.tokens for use in uses)
        # a hair's breadth, for sums of floats
        within = self._money is None or cost <= self._money * (1 + 1e-9)
        return within and (self._tokens is None or tokens <= self._tokens)

    def answered(self, headers: Mapping[str, str], tokens: int) -> None:
        """An answer came, of so many tokens: what do its headers say of the next one?"""
        self._refusals = 0
        self.allowed = min(self._most, self.allowed + 1 / self.allowed)
        for kind, needed in zip(KINDS, (1, tokens), strict=True):
            left = _number(headers.get(f"x-ratelimit-remaining-{kind}"))
            if left is not None and left < needed:
                self.rest(seconds(headers.get(f"x-ratelimit-reset-{kind}")))

    def refused(self, headers: Mapping[str, str]) -> None:
        """The model was asked too often."""
        milliseconds = _number(headers.get("retry-after-ms"))
        named = milliseconds / 1000 if milliseconds else retry_after(headers.get("retry-after"))
        resets = [seconds(headers.get(f"x-ratelimit-reset-{kind}")) for kind in KINDS]
        self.rest(named or max(resets) or BACK_OFF * 2**self._refusals)
        if not self._refusals:  # those that were under way with it say nothing new
            self.allowed = max(1.0, self.allowed / 2)
        self._refusals += 1

    def open(self) -> None:
        """A call has shown how the endpoint wants to be asked: the others may go on."""
        self._open = True

    def rest(self, wait: float) -> None:
        """Nobody asks for so many seconds."""
        self._rests_until = max(self._rests_until, clock() + min(wait, LONGEST))


def seconds(text: str | None) -> float:
    """`6m0s`, `1.5s`, `20ms` or `7` in seconds; 0 for what is none of them."""
    if not text or not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))*(\d+(\.\d+)?)?", text):
        return 0.0
    return sum(
        float(n) * UNITS[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(ms|s|m|h|)", text)
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
