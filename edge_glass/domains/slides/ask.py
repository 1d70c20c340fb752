"""Questions and answers for every slide of a folder of decks, asked of a vision model."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import BaseModel

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Dropped
from edge_glass.core.progress import Progress
from edge_glass.domains.slides import call_log as books
from edge_glass.domains.slides import decks, llm_session, prompts, vision_model
from edge_glass.domains.slides.call_log import Calls, Key
from edge_glass.domains.slides.decks import Deck, Pair
from edge_glass.domains.slides.llm_session import Wish
from edge_glass.domains.slides.model_run import Asked, Options, Run
from edge_glass.domains.slides.validation import Others, Seconds
from edge_glass.media import images


def ask(root: Path, options: Options, progress: Progress | None = None) -> Asked:
    """Ask about all slides that are not answered yet, then write `qa_<id>.json` and the calls.

    Raises EdgeGlassError if there is no slide, the folder of prompts is not there, the endpoint
    takes none of the calls, or another run is at the folder.
    """
    folders, skipped, total = _with_slides(root)
    with closing(Calls(root)) as calls:
        try:
            asked = _Slides(folders, calls, options).ask(total, progress)
        finally:
            for folder in folders:
                export(folder, calls)
    return replace(asked, skipped=skipped)


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


class _Slides(Run[tuple[Path, Deck, int]]):
    """The slides of decks."""

    remedy = "Collect the deck again."

    def __init__(self, folders: list[Path], calls: Calls, options: Options) -> None:
        super().__init__(calls, options)
        self._folders = folders
        others = Others(folders, options.others) if options.others else None
        self._seconds = Seconds(self.talker, options.blind, others, options.prompts)

    def items(self) -> Iterator[tuple[Path, Deck, int]]:
        """Folder, deck and number of each slide."""
        for folder in self._folders:
            deck = decks.read(folder)
            yield from ((folder, deck, number) for number in deck.numbers)

    def where(self, item: tuple[Path, Deck, int]) -> str:
        """The file of a slide."""
        folder, _, number = item
        return f"{folder}/{decks.slide_file(number)}"

    async def one(self, item: tuple[Path, Deck, int]) -> None:
        """Ask for the pairs of a slide, and take the looks at each."""
        folder, deck, number = item
        names = decks.numbered(deck.images)
        data, by_hand = (folder / names[number]).read_bytes(), decks.read_pairs(folder)
        written = {
            p.task or decks.DOCVQA for p in by_hand if p.slide == number and p.prompt is None
        }
        for task in self.options.tasks:
            if task in written:
                continue
            key = Key(deck.id, number, task)
            answer = self.calls.answer(key) or await self.talker.answer(self._wish(key, deck, data))
            for pair in _pairs(key, answer):
                await self._seconds.look(pair, deck, data)

    def _wish(self, key: Key, deck: Deck, data: bytes) -> Wish:
        options, probe = self.options, images.probe(data)
        wanted = options.language or deck.language
        prompt = prompts.prompt(key.task, wanted, options.prompts)
        text = prompt.filled(count=options.pairs, language=prompts.name(wanted))

        def check(answer: BaseModel) -> str | None:
            assert isinstance(answer, prompts.Pairs)
            said = " ".join(f"{pair.question} {pair.answer}" for pair in answer.pairs)
            return prompts.language_fault(said, wanted)

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
