"""Where decks are put together: each is whole or absent, and all that was seen is in a ledger."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_glass.core import ledger, outputs, records
from edge_glass.core.atomic_files import AtomicFile, write_json
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Dropped, Entry, Outcome
from edge_glass.core.retries import HEALS
from edge_glass.core.shard_files import write_table
from edge_glass.domains.slides import decks, language
from edge_glass.domains.slides.decks import Deck, Pair
from edge_glass.domains.slides.ocr import Ocr
from edge_glass.media import images
from edge_glass.sources.responses import Answer

RECORDS = ".collected"  # a file a deck: what became of it and of its slides
DECKS, SLIDES, PAIRS = "decks", "slides", "pairs"  # the splits of the ledger
BATCH = 10_000
QUALITY = 95  # of slides that come as another kind than JPEG


class Desk:
    """A folder of decks that is being filled.

    `wanted` is the language that decks must be in, `ocr` reads slides that have no text.
    """

    def __init__(
        self, out: Path, source: str, wanted: str | None = None, ocr: Ocr | None = None
    ) -> None:
        self.out, self.source, self.wanted, self.ocr = out, source, wanted, ocr
        if (Path(source)).is_dir():
            outputs.check_apart(Path(source), out)
        outputs.claim(out, [RECORDS, ledger.FILE])
        (out / RECORDS).mkdir(parents=True, exist_ok=True)
        self._taken: set[str] = set()  # in this run
        self._repeated = 0

    def known(self, id: str) -> bool:
        """Whether what became of a deck is known from a run before, and would be the same again."""
        if (record := records.read(self._record(id))) is None:
            return False
        whole = (self.out / id).is_dir() or record["entries"][0]["outcome"] != Outcome.KEPT
        return whole and not any(entry["outcome"] in HEALS for entry in record["entries"])

    def take(self, id: str) -> bool:
        """Whether a deck is the first of its id in this run; some disks tell no case."""
        first = id.lower() not in self._taken
        self._taken.add(id.lower())
        return first

    def sheet(self, id: str, row: str) -> "Sheet":
        """A deck to be filled; `row` says where it came from. A second deck of an id is dropped."""
        again = not self.take(id)
        self._repeated += again
        return Sheet(self, f"{id}~{self._repeated}" if again else id, row, again)

    def write(self, id: str, entries: list[Entry]) -> None:
        """Write down what became of a deck and its slides."""
        records.write(self._record(id), {"entries": [asdict(entry) for entry in entries]})

    def _record(self, id: str) -> Path:
        return self.out / RECORDS / f"{id}.json"

    def has_record(self, id: str) -> bool:
        """Whether a deck was put together here before."""
        return self._record(id).is_file()

    def entries(self) -> Iterator[Entry]:
        """All that is known of decks and slides, in the order of their ids.

        Raises DataError if a note is damaged.
        """
        for path in sorted((self.out / RECORDS).glob("*.json")):
            if (record := records.read(path)) is None:
                raise DataError(f"{path}: damaged: delete it and collect its deck again")
            for entry in record["entries"]:
                yield Entry(**entry | {"outcome": Outcome(entry["outcome"])})

    def close(self) -> dict[str, dict[str, int]]:
        """Write the ledger; the number of decks and slides by outcome."""
        return write_ledger(self.out, self.entries())


def write_ledger(out: Path, entries: Iterator[Entry]) -> dict[str, dict[str, int]]:
    """Write `ledger.parquet`; the number of rows by split and outcome."""
    counts: dict[str, Counter[str]] = {DECKS: Counter(), SLIDES: Counter()}

    def tables() -> Iterator[Any]:
        batch: list[Entry] = []
        for entry in entries:
            counts.setdefault(entry.split, Counter())[entry.outcome] += 1
            batch.append(entry)
            if len(batch) == BATCH:
                yield ledger.to_table(batch)
                batch = []
        yield ledger.to_table(batch)

    write_table(out / ledger.FILE, tables(), ledger.schema())
    return {split: dict(sorted(outcomes.items())) for split, outcomes in counts.items()}


class Sheet:
    """One deck: slides are put down as they come, in a folder aside, which gets its name last."""

    def __init__(self, desk: Desk, id: str, row: str, again: bool) -> None:
        self.id, self._desk, self._row, self._again = id, desk, row, again
        self._aside, self._home = desk.out / f".{id}{decks.PART}", desk.out / id
        self._slides: list[Entry] = []
        if not again:
            ours = decks.inventory(self._home) if desk.has_record(id) else None
            outputs.check_replaceable(self._home, ours)
        if self._home.is_dir() and not again:
            self._home.rename(self._aside)  # slides that are here are not fetched again
        self._aside.mkdir(exist_ok=True)

    def has(self, number: int) -> bool:
        """Whether a slide is here already; its entry is made anew."""
        path = self._aside / decks.slide_file(number)
        if path.is_file():
            self._kept(number, path.read_bytes(), None)
        return path.is_file()

    def slide(self, number: int, data: bytes, answer: Answer | None = None) -> None:
        """Put down the picture of a slide: JPEG keeps its bytes, other kinds become JPEG."""
        try:
            data, _ = images.convert(data, "jpeg", QUALITY)
        except Dropped as drop:
            self.lost(number, drop.outcome, drop.detail, answer)
            return
        with AtomicFile(self._aside / decks.slide_file(number)) as file:
            file.write(data)
        self._kept(number, data, answer)

    def lost(
        self, number: int, outcome: Outcome, detail: str = "", answer: Answer | None = None
    ) -> None:
        """There is no picture of this slide."""
        self._slides.append(self._entry(number, outcome, detail, answer))

    def questions(self, pairs: list[Pair]) -> None:
        """Put down the questions, each with the number of its slide."""
        write_json(self._aside / f"qa_{self.id}.json", [*map(asdict, pairs)])

    def _kept(self, number: int, data: bytes, answer: Answer | None) -> None:
        entry = self._entry(number, Outcome.KEPT, "", answer)
        entry.bytes, entry.sha256 = len(data), hashlib.sha256(data).hexdigest()
        self._slides.append(entry)

    def _entry(self, number: int, outcome: Outcome, detail: str, answer: Answer | None) -> Entry:
        row, id = f"{self._row}#{number}", f"{self.id}_{number}"
        entry = Entry(self._desk.source, row, id, SLIDES, outcome, detail)
        return _with_answer(entry, answer)

    def finish(self, deck: Deck, note: str = "") -> None:
        """All slides were put down: the deck gets its name, unless it is not to be kept.

        `note` is what the ledger says of a deck that is kept.
        """
        numbers = [e for e in self._slides if e.outcome == Outcome.KEPT]
        if self._again:
            return self.drop(Outcome.DUPLICATE_ID, "another deck has this id, or but another case")
        if not numbers:
            return self.drop(Outcome.MISSING_MEDIA, "no slide")
        deck.images = [*decks.numbered(path.name for path in self._aside.iterdir()).values()]
        deck.len = max(deck.len or deck.numbers[-1] + 1 - deck.first, len(deck.images))
        if ocr := self._desk.ocr:
            self._read_off(deck, ocr)
        deck.lang_detected = language.detect(" ".join([deck.title or "", *deck.transcript]))
        if self._desk.wanted and not language.same(deck.language, self._desk.wanted):
            return self.drop(Outcome.WRONG_LANGUAGE, deck.language or "nobody can tell")
        first = images.probe((self._aside / deck.images[0]).read_bytes())
        deck.dim = deck.dim or [first.height, first.width]
        decks.write(self._aside, deck)
        self._desk.write(self.id, [self._deck_entry(Outcome.KEPT, note), *self._slides])
        self._aside.rename(self._home)
        return None

    def _read_off(self, deck: Deck, ocr: Ocr) -> None:
        for number, name in decks.numbered(deck.images).items():
            own = deck.text(number).strip() or number < deck.first
            if not own and (text := ocr.text((self._aside / name).read_bytes())):
                deck.read_off(number, text, ocr.name)

    def drop(self, outcome: Outcome, detail: str = "", answer: Answer | None = None) -> None:
        """The deck is not kept, and none of its slides."""
        for entry in self._slides:
            if entry.outcome == Outcome.KEPT:
                entry.outcome, entry.detail = outcome, "its deck was dropped"
        entry = _with_answer(self._deck_entry(outcome, detail), answer)
        self._desk.write(self.id, [entry, *self._slides])
        shutil.rmtree(self._aside)

    def _deck_entry(self, outcome: Outcome, detail: str) -> Entry:
        return Entry(self._desk.source, self._row, self.id, DECKS, outcome, detail)


def _with_answer(entry: Entry, answer: Answer | None) -> Entry:
    """An entry with what the server said."""
    if answer:
        entry.url, entry.status, entry.final_url = answer.url, answer.status, answer.final_url
        entry.etag, entry.last_modified = answer.etag, answer.last_modified
    return entry
