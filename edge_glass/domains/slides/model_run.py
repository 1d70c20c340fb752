"""A run of a model over many items: what is asked, what it may cost, when it stops."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from edge_glass.core import interrupts
from edge_glass.core.errors import ConfigError, EdgeGlassError, NetworkError, SourceError
from edge_glass.core.ledger import Dropped
from edge_glass.core.progress import Progress
from edge_glass.domains.slides import llm_session, replies, vision_model
from edge_glass.domains.slides.call_log import Calls
from edge_glass.domains.slides.llm_session import FailedError, Talker
from edge_glass.domains.slides.rate_limits import SpentError
from edge_glass.domains.slides.vision_model import Options

# where an item lies, to be named if it is damaged, and what asks all that is to be asked of it:
# that raises FailedError, SpentError, Dropped
Item = tuple[str, Callable[[], Awaitable[None]]]
IN_A_ROW, AT_FIRST = 10, 3  # failures without an answer between, or before, that end a run
DONE, FAILED, LEFT = "done", "failed", "left"


@dataclass
class Asked:
    """What came of a run; cost and tokens are those of all runs on the folder."""

    slides: dict[str, int]  # done, failed, left
    cost: float
    tokens: int
    calls: dict[str, dict[str, float]]
    stopped: str | None = None
    failure: str | None = None  # the last one: where, which model, and why
    notes: list[str] = field(default_factory=list)  # how the endpoint had to be asked
    skipped: dict[str, str] = field(default_factory=dict)  # decks not asked about, and why

    def check(self, place: object, what: str) -> None:
        """Raise NetworkError if the run was stopped or something brought no answer."""
        if self.stopped or self.slides.get(FAILED):
            why = self.stopped or f"some {what} brought no answer (last: {self.failure})"
            raise NetworkError(f"{place}: {why}. Run the same command again to continue.")


class Run:
    """Items go through `at_once` workers; all that is asked of one is asked by one of them."""

    def __init__(self, calls: Calls, options: Options, remedy: str) -> None:
        if options.prompts and not options.prompts.is_dir():
            raise ConfigError(f"{options.prompts}: no such folder of prompts")
        self.calls, self.options = calls, options
        self._remedy = remedy  # where an item is damaged
        self.talker = Talker(calls, options)
        self._states: list[str] = []
        self._stopped: str | None = None
        self._failure: str | None = None
        self._in_a_row = 0

    def ask(self, items: Iterator[Item], total: int, progress: Progress | None) -> Asked:
        """Ask about all items, `total` of them, and write the table of calls."""
        try:
            with (progress or Progress()).rows("ask", total, self._count):
                interrupts.run(self._all(items))
        finally:
            self.calls.write()
        states = Counter(self._states)
        states[LEFT] = total - states.total()
        return Asked(
            dict(states), self.calls.cost, self.calls.tokens, self.calls.outcomes(),
            self._stopped, self._failure, self.talker.endpoint.notes,
        )  # fmt: skip

    def _count(self) -> tuple[int, int]:
        """Items that are dealt with, and that failed."""
        return len(self._states), self._states.count(FAILED)

    async def _all(self, items: Iterator[Item]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.options.at_once):
                    group.create_task(self._work(items))
        except* EdgeGlassError as several:
            raise several.exceptions[0] from None
        finally:
            await self.talker.endpoint.close()

    async def _work(self, items: Iterator[Item]) -> None:
        for where, ask in items:
            if self._stopped:
                return
            try:
                await ask()
                self._states.append(DONE)
                self._in_a_row = 0
            except SpentError:
                self._stopped = "the budget is spent"
            except Dropped as drop:
                self._states.append(FAILED)
                said = f"{where}: {drop.outcome}: {drop.detail}. {self._remedy}"
                raise SourceError(said) from None
            except FailedError as failed:
                self._states.append(FAILED)
                self._check(failed)

    def _check(self, failed: FailedError) -> None:
        """End the run where the next call will fare no better."""
        self._failure = f"{self.options.base_url}, model {self.options.model}: {failed}"
        self._in_a_row += failed.reply.outcome not in (llm_session.INVALID, replies.EMPTY)
        most = IN_A_ROW if DONE in self._states else AT_FIRST
        if failed.reply.outcome == replies.DENIED or self._in_a_row >= most:
            raise NetworkError(
                f"{self._failure}. Nothing is lost: mend it (the key: ${vision_model.KEY}), and "
                "run the same command again to continue."
            )
