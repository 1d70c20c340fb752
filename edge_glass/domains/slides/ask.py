"""Questions and answers for every slide of a folder of decks, asked of a vision model."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import BaseModel

from edge_glass.core import interrupts
from edge_glass.core.errors import ConfigError, EdgeGlassError, NetworkError, SourceError
from edge_glass.core.ledger import Dropped
from edge_glass.core.progress import Progress, Silent
from edge_glass.domains.slides import call_log as books
from edge_glass.domains.slides import decks, language, llm_session, prompts, replies, vision_model
from edge_glass.domains.slides.budget import Budget, Prices, SpentError
from edge_glass.domains.slides.call_log import Calls, Key
from edge_glass.domains.slides.decks import Deck, Pair
from edge_glass.domains.slides.llm_session import FailedError, Talker, Wish
from edge_glass.domains.slides.rate_limits import Gate
from edge_glass.domains.slides.validation import Others, Seconds
from edge_glass.domains.slides.vision_model import Endpoint
from edge_glass.media import images

IN_A_ROW, AT_FIRST = 10, 3  # failures without an answer between, or before, that end a run
DONE, FAILED, LEFT = "done", "failed", "left"


@dataclass(frozen=True)
class Options:
    """How a model is asked; `language` is what is written in, that of each deck if not set."""

    model: str
    base_url: str
    tasks: tuple[str, ...] = decks.TASKS
    language: str | None = None
    pairs: int = 2
    at_once: int = 16
    prices: Prices = field(default_factory=Prices)
    money: float | None = None
    tokens: int | None = None
    max_tokens: int = 1000  # of one answer
    seconds: float = 120.0  # that one call may take
    blind: bool = False
    others: int = 0  # slides that each one is to be told from
    prompts: Path | None = None


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


def ask(root: Path, options: Options, progress: Progress | None = None) -> Asked:
    """Ask about all slides that are not answered yet, then write `qa_<id>.json` and the calls.

    Raises EdgeGlassError if there is no slide, the folder of prompts is not there, the endpoint
    takes none of the calls, or another run is at the folder.
    """
    if options.prompts and not options.prompts.is_dir():
        raise ConfigError(f"{options.prompts}: no such folder of prompts")
    folders, skipped, total = _with_slides(root)
    calls = Calls(root)
    try:
        endpoint = Endpoint(options.model, options.base_url, options.seconds, options.max_tokens)
        run = _Run(folders, calls, endpoint, options)
        try:
            with (progress or Silent()).rows("ask", total, run.count):
                interrupts.run(run.all())
        finally:
            for folder in folders:
                export(folder, calls)
            calls.write(root / books.TABLE)
        states = Counter(run.states)
        states[LEFT] = total - states.total()
        return Asked(
            dict(states), calls.cost, calls.tokens, calls.outcomes(), run.stopped, run.failure,
            endpoint.notes, skipped,
        )  # fmt: skip
    finally:
        calls.close()


def _with_slides(root: Path) -> tuple[list[Path], dict[str, str], int]:
    """The folders of decks that can be asked about, why others cannot, and the number of slides."""
    folders, skipped, total = [], dict[str, str](), 0
    for folder in decks.folders(root):
        try:
            total += len(decks.read(folder).numbers)
            folders.append(folder)
        except Dropped as drop:
            skipped[folder.name] = f"{drop.outcome}: {drop.detail}"
    if not total:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise SourceError(
            f"{root}: no slide to ask about in {len(folders) + len(skipped)} decks: expected "
            f"{decks.LAYOUT}. {why}".strip()
        )
    return folders, skipped, total


class _Run:
    """Slides go through `at_once` workers; all that is asked of one is asked by one of them."""

    def __init__(
        self, folders: list[Path], calls: Calls, endpoint: Endpoint, options: Options
    ) -> None:
        self._folders, self._calls, self._options = folders, calls, options
        self._endpoint = endpoint
        self._others = Others(folders, options.others) if options.others else None
        self.states: list[str] = []
        self.stopped: str | None = None
        self.failure: str | None = None
        self._in_a_row = 0

    def count(self) -> tuple[int, int]:
        """Slides that are dealt with, and that failed."""
        return len(self.states), self.states.count(FAILED)

    async def all(self) -> None:
        options, gate = self._options, Gate(self._options.at_once)
        budget = Budget(self._calls, options.money, options.tokens)
        self._talker = Talker(self._endpoint, self._calls, budget, gate, options.prices)
        self._second = Seconds(self._talker, options.blind, self._others, options.prompts)
        slides = self._slides()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(options.at_once):
                    group.create_task(self._work(slides))
        except* EdgeGlassError as several:
            raise several.exceptions[0] from None
        finally:
            await self._endpoint.close()

    def _slides(self) -> Iterator[tuple[Path, Deck, int]]:
        for folder in self._folders:
            deck = decks.read(folder)
            yield from ((folder, deck, number) for number in deck.numbers)

    async def _work(self, slides: Iterator[tuple[Path, Deck, int]]) -> None:
        for folder, deck, number in slides:
            if self.stopped:
                return
            try:
                await self._slide(folder, deck, number)
                self.states.append(DONE)
                self._in_a_row = 0
            except SpentError:
                self.stopped = "the budget is spent"
            except Dropped as drop:
                self.states.append(FAILED)
                raise SourceError(
                    f"{folder}/{decks.slide_file(number)}: {drop.outcome}: {drop.detail}. "
                    "Collect the deck again."
                ) from None
            except FailedError as failed:
                self.states.append(FAILED)
                self._check(failed)

    def _check(self, failed: FailedError) -> None:
        """End the run where the next call will fare no better."""
        self.failure = f"{self._options.base_url}, model {self._options.model}: {failed}"
        self._in_a_row += failed.reply.outcome not in (llm_session.INVALID, replies.EMPTY)
        most = IN_A_ROW if DONE in self.states else AT_FIRST
        if failed.reply.outcome == replies.DENIED or self._in_a_row >= most:
            raise NetworkError(
                f"{self.failure}. Nothing is lost: mend it (the key: ${vision_model.KEY}), and "
                "the same command goes on."
            )

    async def _slide(self, folder: Path, deck: Deck, number: int) -> None:
        names = decks.numbered(deck.images)
        data, by_hand = (folder / names[number]).read_bytes(), decks.read_pairs(folder)
        written = {
            p.task or decks.DOCVQA for p in by_hand if p.slide == number and p.prompt is None
        }
        for task in self._options.tasks:
            if task in written:
                continue
            key = Key(deck.id, number, task)
            found = self._calls.answer(key) or await self._talker.answer(
                self._wish(key, deck, data)
            )
            for pair in _pairs(key, found):
                await self._second.look(pair, deck, data)

    def _wish(self, key: Key, deck: Deck, data: bytes) -> Wish:
        options, probe = self._options, images.probe(data)
        wanted = options.language or deck.language
        prompt = prompts.prompt(key.task, wanted, options.prompts)
        text = prompt.filled(count=options.pairs, language=prompts.name(wanted))

        def check(answer: BaseModel) -> str | None:
            assert isinstance(answer, prompts.Pairs)
            said = " ".join(f"{pair.question} {pair.answer}" for pair in answer.pairs)
            seen = language.detect(said)
            if wanted is None or seen is None or language.same(seen, language.short(wanted)):
                return None
            return f"it is in another language ({seen}) than {prompts.name(wanted)}"

        messages = vision_model.message(text, data)
        return Wish(key, prompt, messages, prompts.Pairs, probe.width * probe.height, check)


def _pairs(key: Key, answer: books.Answer) -> list[Pair]:
    if answer.outcome != llm_session.ANSWERED:
        return []
    return [
        Pair(
            key.slide, said["question"], said["answer"], key.task,
            f"{key.deck}_{key.slide}#{key.task}-{number}", answer.model, answer.prompt,
        )
        for number, said in enumerate(answer.content["pairs"], 1)
    ]  # fmt: skip


def _stored(deck: Deck, pair: Pair, calls: Calls) -> bool:
    """Whether the answer that a pair is of is among the calls; a run elsewhere keeps its own."""
    return bool(pair.task and calls.answer(Key(deck.id, pair.slide, pair.task)))


def export(folder: Path, calls: Calls) -> None:
    """Write a deck's questions: those that others wrote, and those that are stored."""
    deck, before = decks.read(folder), decks.read_pairs(folder)
    pairs = [p for p in before if p.prompt is None or not _stored(deck, p, calls)]
    for number in deck.numbers:
        for task in decks.TASKS:
            key = Key(deck.id, number, task)
            if answer := calls.answer(key):
                pairs += [Seconds.seen(pair, calls, deck.id) for pair in _pairs(key, answer)]
    pairs.sort(key=lambda pair: pair.slide)
    if json.dumps([*map(asdict, pairs)]) != json.dumps([*map(asdict, before)]):
        decks.write_pairs(folder, pairs)
