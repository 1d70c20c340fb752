"""Turns at hosts: so many connections in all, fewer to one host, none to one that wants a rest."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from edge_glass.core.ledger import Dropped, Outcome

BACK_OFF = 1.0  # seconds after a host's first refusal, twice that after the next, ...
MAX_REST = 60.0  # seconds; a host that wants more is left alone for this run
MAX_HOSTS = 10_000  # remembered, of those that nobody waits for

sleep = asyncio.sleep
clock = time.monotonic


@dataclass
class Host:
    """What is known of a host while it is asked."""

    gate: asyncio.Semaphore
    users: int = 0  # those who wait or are connected
    refusals: int = 0  # in a row
    rests_until: float = 0.0

    def refused(self, after: float) -> None:
        """It said that it is asked too often; `after` is its Retry-After in seconds."""
        rest = max(after, BACK_OFF * 2**self.refusals)
        self.refusals += 1
        self.rests_until = max(self.rests_until, clock() + rest)


class Hosts:
    """Every request to the outside waits here for its turn."""

    def __init__(self, at_once: int, per_host: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._per_host = per_host
        self._hosts: OrderedDict[str, Host] = OrderedDict()

    @asynccontextmanager
    async def turn(self, origin: str) -> AsyncIterator[Host]:
        """One connection to `origin`.

        Raises Dropped if the host wants a longer rest than a build can wait for. Who waits for a
        host holds no connection, so that it keeps nobody else waiting.
        """
        host = self._host(origin)
        host.users += 1
        try:
            async with host.gate:
                while (wait := host.rests_until - clock()) > 0:
                    if wait > MAX_REST:
                        detail = "the host asks for a rest longer than a minute"
                        raise Dropped(Outcome.RATE_LIMITED, detail)
                    await sleep(wait)
                async with self._slots:
                    yield host
        finally:
            host.users -= 1

    def _host(self, origin: str) -> Host:
        host = self._hosts.get(origin)
        if host is None:
            host = self._hosts[origin] = Host(asyncio.Semaphore(self._per_host))
            if len(self._hosts) > MAX_HOSTS:
                self._forget()
        self._hosts.move_to_end(origin)
        return host

    def _forget(self) -> None:
        for origin, host in list(self._hosts.items())[: MAX_HOSTS // 10]:
            if not host.users and host.rests_until < clock():
                del self._hosts[origin]


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for, given as a number or as a date; 0 if none."""
    if not value:
        return 0
    if value.strip().isdecimal():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0
