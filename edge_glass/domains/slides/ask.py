"""Questions and answers for every slide of a folder of decks, asked of a vision model.

There may be a second look at a pair: is it answered without its slide, and does it tell it from
others?
"""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from edge_glass.core.errors import SourceError
from edge_glass.core.key_digests import digest
from edge_glass.core.ledger import Dropped
from edge_glass.core.progress import Progress
from edge_glass.domains.slides import decks, llm_session, prompts
from edge_glass.domains.slides.bm25 import Index
from edge_glass.domains.slides.call_log import Answer, Calls, Key
from edge_glass.domains.slides.decks import Deck, Pair
from edge_glass.domains.slides.llm_session import Talker, Wish
from edge_glass.domains.slides.model_run import Asked, Item, Run
from edge_glass.domains.slides.vision_model import Options
from edge_glass.media import images
from edge_glass.sources.folder import nfc

BLIND, PICK = "blind", "pick"
POOL = 50  # slides that are looked through for others


def ask(root: Path, options: Options, progress: Progress | None = None) -> Asked:
    """Ask about all slides that are not answered yet, then write `qa_<id>.json` and the calls.

    Raises EdgeGlassError if there is no slide, the folder of prompts is not there, the endpoint
    takes none of the calls, or another run is at the folder.
    """
    folders, skipped, total = _with_slides(root)
    with closing(Calls(root)) as calls:
        try:
            run = Run(calls, options, "Collect the deck again.")
            asked = run.ask(_items(run, folders), total, progress)
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


def _items(run: Run, folders: list[Path]) -> Iterator[Item]:
    """Each slide of the decks."""
    seconds = Seconds(run.talker, folders, run.options)
    for folder in folders:
        deck, by_hand, _ = decks.read_noted(folder)
        for number, name in decks.numbered(deck.images).items():
            written = {
                p.task or decks.DOCVQA for p in by_hand if p.slide == number and p.prompt is None
            }
            tasks = [task for task in run.options.tasks if task not in written]
            file = folder / name
            yield str(file), partial(_slide, run, seconds, deck, number, file, tasks)


async def _slide(
    run: Run, seconds: "Seconds", deck: Deck, number: int, file: Path, tasks: list[str]
) -> None:
    """Ask for the pairs of a slide, and take the looks at each."""
    data = file.read_bytes()
    for task in tasks:
        key = Key(deck.id, number, task)
        if (answer := run.calls.answer(key)) is None:
            answer = await run.talker.answer(_wish(key, deck, data, run.options))
        for pair in _pairs(key, answer):
            await seconds.look(pair, deck, data)


def _wish(key: Key, deck: Deck, data: bytes, options: Options) -> Wish:
    probe, wanted = images.probe(data), options.language or deck.language
    prompt = prompts.prompt(key.task, wanted, options.prompts)
    text = prompt.filled(count=options.pairs, language=prompts.name(wanted))
    return Wish(key, prompt, text, prompts.Pairs, [data], probe.width * probe.height, wanted)


def _pairs(key: Key, answer: Answer) -> list[Pair]:
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
    deck, before, _ = decks.read_noted(folder)
    pairs = [p for p in before if p.prompt is None or not _stored(deck, p, calls)]
    for number in deck.numbers:
        for task in decks.TASKS:
            key = Key(deck.id, number, task)
            if answer := calls.answer(key):
                pairs += [Seconds.seen(pair, calls, deck.id) for pair in _pairs(key, answer)]
    pairs.sort(key=lambda pair: pair.slide)
    if json.dumps([*map(asdict, pairs)]) != json.dumps([*map(asdict, before)]):
        decks.write_pairs(folder, pairs)


class Others:
    """All slides of a folder of decks, to find those that a question may be taken to speak of."""

    def __init__(self, folders: list[Path], count: int) -> None:
        self._count = count
        self._places: list[tuple[Path, int, str]] = []  # folder, number, file
        texts = []
        for folder in folders:
            deck = decks.read(folder)
            for number, name in decks.numbered(deck.images).items():
                self._places.append((folder, number, name))
                texts.append(deck.text(number))
        self._index = Index(texts)

    def near(self, deck: str, pair: Pair) -> list[bytes]:
        """The slides whose text is most like the question; where there is none, any, seeded."""
        similar = [place for place, _ in self._index.top(pair.question, POOL)]
        rest = sorted(range(len(self._places)), key=lambda place: digest(place, pair.id))[:POOL]
        chosen: list[bytes] = []
        for place in dict.fromkeys([*similar, *rest]):
            folder, number, name = self._places[place]
            if (nfc(folder.name), number) != (deck, pair.slide) and len(chosen) < self._count:
                chosen.append((folder / name).read_bytes())
        return chosen


class Seconds:
    """The looks that a run takes."""

    def __init__(self, talker: Talker, folders: list[Path], options: Options) -> None:
        self._talker, self._blind, self._own = talker, options.blind, options.prompts
        self._others = Others(folders, options.others) if options.others else None

    async def look(self, pair: Pair, deck: Deck, slide: bytes) -> None:
        """Ask what is to be asked of a pair; the answers are stored among the calls."""
        if self._blind:
            await self._talker.answer(self._without(pair, deck))
        if self._others:
            await self._talker.answer(self._among(pair, deck, slide, self._others))

    def _without(self, pair: Pair, deck: Deck) -> Wish:
        prompt = prompts.prompt(BLIND, deck.language, self._own)
        text = prompt.filled(question=pair.question, answer=pair.answer)
        key = Key(deck.id, pair.slide, BLIND, pair.id)
        return Wish(key, prompt, text, prompts.Blind)

    def _among(self, pair: Pair, deck: Deck, slide: bytes, others: Others) -> Wish:
        prompt = prompts.prompt(PICK, deck.language, self._own)
        candidates = others.near(deck.id, pair)
        place = _place(pair, len(candidates) + 1)
        candidates.insert(place - 1, slide)
        sizes = [images.probe(data) for data in candidates]
        text = prompt.filled(question=pair.question, count=len(candidates))
        key = Key(deck.id, pair.slide, PICK, pair.id)
        pixels = sum(size.width * size.height for size in sizes)
        return Wish(key, prompt, text, prompts.Pick, candidates, pixels, note={"place": place})

    @staticmethod
    def seen(pair: Pair, calls: Calls, deck: str) -> Pair:
        """The pair with what the looks at it found."""
        blind = calls.answer(Key(deck, pair.slide, BLIND, pair.id))
        if blind and blind.outcome == llm_session.ANSWERED:
            pair.answerable_without = blind.content["answerable"]
        pick = calls.answer(Key(deck, pair.slide, PICK, pair.id))
        if pick and pick.outcome == llm_session.ANSWERED:
            pair.identifies = pick.content["slides"] == [pick.content["place"]]
        return pair


def _place(pair: Pair, of: int) -> int:
    """Where a slide stands among the others, from 1; by its pair alone."""
    return digest(0, pair.id)[0] % of + 1
