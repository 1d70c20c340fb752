"""Filters over a deck with its questions: each takes what it takes with a reason.

A filter is a function of a `Work`; `FILTERS` has them by name, in the order in which they are used
if nobody says otherwise. Each sees what those before it have left.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image

from edge_glass.core.ledger import Outcome
from edge_glass.domains.slides import decks, language
from edge_glass.domains.slides.bm25 import folded
from edge_glass.domains.slides.decks import Deck, Pair

WINDOW = 500  # slides before it that one is held against
SIDE = 96  # pixels of a square thumbnail
EVEN = 2.0  # standard deviation of grey levels (of 255) below which a slide is blank
# mean difference of grey levels below which two slides are the same, or nearly: in a real deck of
# 90, outlines that differ in what is lit are 0.5 to 1.2 apart, all others more than 3
ALIKE = 1.5


@dataclass(frozen=True)
class Limits:
    """What the filters go by."""

    language: str | None = None  # of each deck its own if not set
    qa_language: str | None = None  # of questions and answers; that of their deck if not set
    characters: int = 10  # of a question or an answer, at least
    slides: int = 3  # of a deck, at least
    whole_deck: bool = False  # a pair that is too short takes its deck with it, as the seed has it


@dataclass(frozen=True)
class Taken:
    """Something that is left out: a deck (no slide), a slide (no pair), or a pair."""

    outcome: Outcome
    detail: str = ""
    slide: int | None = None
    pair: str | None = None  # its id


@dataclass
class Work:
    """A deck on its way through the filters."""

    folder: Path
    deck: Deck
    pairs: list[Pair]
    limits: Limits
    slides: list[int] = field(default_factory=list)
    _seen: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def wanted(self) -> str | None:
        """The language that it should be in."""
        return self.limits.language or self.deck.language

    def picture(self, number: int) -> np.ndarray:
        """The thumbnail of a slide."""
        if number not in self._seen:
            name = decks.numbered(self.deck.images)[number]
            self._seen[number] = thumbnail((self.folder / name).read_bytes())
        return self._seen[number]


def thumbnail(jpeg: bytes) -> np.ndarray:
    """A slide in grey, uint8 of shape (SIDE * SIDE,)."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG", "MPO"]) as image:
        image.draft("L", (2 * SIDE, 2 * SIDE))
        small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small).ravel()


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """By how many grey levels two slides differ on average."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def blank(work: Work) -> Iterator[Taken]:
    """Slides of one colour."""
    for number in work.slides:
        if float(work.picture(number).std()) < EVEN:
            yield Taken(Outcome.BLANK_SLIDE, "", number)


def near(work: Work) -> Iterator[Taken]:
    """Slides that look like an earlier one of their deck, or nearly."""
    kept: list[int] = []
    for number in work.slides:
        picture = work.picture(number)
        recent = ((apart(picture, work.picture(earlier)), earlier) for earlier in kept[-WINDOW:])
        difference, nearest = min(recent, default=(ALIKE, 0))
        if difference < ALIKE:
            detail = f"as slide {nearest}, {difference:.2f} grey levels apart"
            yield Taken(Outcome.NEAR_DUPLICATE, detail, number)
        else:
            kept.append(number)


def few(work: Work) -> Iterator[Taken]:
    """Decks with too few slides."""
    if len(work.slides) < work.limits.slides:
        detail = f"{len(work.slides)}, {work.limits.slides} are asked for"
        yield Taken(Outcome.TOO_FEW_SLIDES, detail)


def tongue(work: Work) -> Iterator[Taken]:
    """Decks and pairs in another language."""
    wanted = work.wanted or ""
    if wanted and work.deck.language and not language.same(work.deck.language, wanted):
        yield Taken(Outcome.WRONG_LANGUAGE, work.deck.language)
        return
    wanted = work.limits.qa_language or wanted
    for pair in work.pairs if wanted else ():
        code = language.detect(f"{pair.question} {pair.answer}")
        if code and not language.same(code, wanted):
            yield Taken(Outcome.WRONG_LANGUAGE, code, pair.slide, pair.id)


def placeholder(work: Work) -> Iterator[Taken]:
    """Pairs with words that only stand where a question or an answer should be."""
    for pair in work.pairs:
        for text in (pair.question, pair.answer):
            if match := phrases("placeholders").search(folded(text)):
                yield Taken(Outcome.PLACEHOLDER, match[0].strip(), pair.slide, pair.id)
                break


def unanswerable(work: Work) -> Iterator[Taken]:
    """Pairs whose answer says that there is none."""
    for pair in work.pairs:
        if match := phrases("unanswerable").search(folded(pair.answer)):
            yield Taken(Outcome.UNANSWERABLE, match[0].strip(), pair.slide, pair.id)


def short(work: Work) -> Iterator[Taken]:
    """Pairs whose question or answer is too short; or the whole deck for one of them."""
    for pair in work.pairs:
        for name, text in (("question", pair.question), ("answer", pair.answer)):
            if len(text.strip()) < work.limits.characters:
                detail = f"{name} of {len(text.strip())} characters"
                if work.limits.whole_deck:
                    yield Taken(Outcome.TOO_SHORT, f"{pair.id}: {detail}")
                    return
                yield Taken(Outcome.TOO_SHORT, detail, pair.slide, pair.id)
                break


def again(work: Work) -> Iterator[Taken]:
    """Pairs whose question another pair of the deck has, but for case, accents and marks."""
    first: dict[str, str] = {}
    for pair in work.pairs:
        said = " ".join(re.findall(r"\w+", folded(pair.question)))
        if first.setdefault(said, pair.id) != pair.id:
            yield Taken(Outcome.DUPLICATE, f"as {first[said]}", pair.slide, pair.id)


def blind(work: Work) -> Iterator[Taken]:
    """Pairs that the model could answer without the slide, where it was asked."""
    for pair in work.pairs:
        if pair.answerable_without:
            yield Taken(Outcome.NEEDS_NO_SLIDE, "", pair.slide, pair.id)


Filter = Callable[[Work], Iterator[Taken]]
FILTERS: dict[str, Filter] = {
    "blank": blank,
    "near": near,
    "few": few,
    "language": tongue,
    "placeholder": placeholder,
    "unanswerable": unanswerable,
    "short": short,
    "duplicate": again,
    "blind": blind,
}


@cache
def phrases(name: str) -> re.Pattern[str]:
    """The phrases of a file (a regular expression a line) as one pattern."""
    text = (resources.files("edge_glass.domains.slides") / f"{name}.txt").read_text(
        encoding="utf-8"
    )
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return re.compile("|".join(f"(?:{line})" for line in lines))
