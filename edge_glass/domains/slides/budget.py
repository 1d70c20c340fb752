"""What may be spent: money and tokens, with what is under way counted at the most it can cost."""

import asyncio
from dataclasses import dataclass

from edge_glass.domains.slides.call_log import Calls, Use

MILLION = 1_000_000


class SpentError(Exception):
    """The budget has no room for another call."""


@dataclass(frozen=True)
class Prices:
    """Dollars for a million tokens."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def use(self, tokens_in: int, tokens_out: int, *, estimated: bool = False) -> Use:
        """What so many tokens cost."""
        cost = (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / MILLION
        return Use(tokens_in, tokens_out, cost, estimated)


class Budget:
    """Room for calls; None is no limit."""

    def __init__(self, calls: Calls, money: float | None, tokens: int | None) -> None:
        self._calls, self._money, self._tokens = calls, money, tokens
        self._cost, self._reserved, self._users = 0.0, 0, 0
        self._changed = asyncio.Condition()

    async def reserve(self, most: Use) -> None:
        """Room for a call that costs so much at most; waits for calls that may give room back.

        Raises SpentError if there is none and none will come.
        """
        async with self._changed:
            while not self._fits(most):
                if not self._users:
                    raise SpentError
                await self._changed.wait()
            self._cost, self._reserved = self._cost + most.cost, self._reserved + most.tokens
            self._users += 1

    async def release(self, most: Use) -> None:
        """The call has ended; what it did cost stands among the calls."""
        async with self._changed:
            self._cost, self._reserved = self._cost - most.cost, self._reserved - most.tokens
            self._users -= 1
            self._changed.notify_all()

    def _fits(self, most: Use) -> bool:
        cost = self._calls.cost + self._cost + most.cost
        tokens = self._calls.tokens + self._reserved + most.tokens
        # a hair's breadth, for sums of floats
        within = self._money is None or cost <= self._money * (1 + 1e-9)
        return within and (self._tokens is None or tokens <= self._tokens)
