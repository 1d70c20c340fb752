"""A build that is being verified: its rows, each beside the ledger's row of it, and what was seen.

Shards and ledger are read once, side by side; memory is a row group and a stretch of the ledger.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from math import fsum
from pathlib import Path
from typing import Any, Literal

import datasets
import pyarrow as pa

from edge_glass.audit.cross_split import Sound
from edge_glass.audit.decoded_media import Decoded
from edge_glass.core import ledger, parquet
from edge_glass.core.columns import media_kinds
from edge_glass.core.key_digests import Keys
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Manifest
from edge_glass.core.row_digests import RowDigests
from edge_glass.media.features import arrow_schema
from edge_glass.pipeline import replay

AHEAD = 1000  # rows of the ledger among which a row is looked for
MOST = 1000  # rows that are named as missing or too many


@dataclass(frozen=True)
class Finding:
    """Something not as promised; a note is upstream's doing and no fault of the build."""

    kind: Literal["error", "note"]
    config: str
    where: str  # file or row
    what: str
    check: str = field(default="", compare=False)  # its name in docs/verify.md


@dataclass(frozen=True)
class SourceRow:
    """A row of the ledger that is kept, and how many of its examples were seen."""

    split: str
    entry: dict[str, Any]
    examples: Iterator[int] = field(default_factory=count)


@dataclass(frozen=True)
class CheckedRow:
    """A row of a shard; `entry` is the ledger's row of it, `number` says which of its examples."""

    split: str
    shard: str
    example: dict[str, Any]
    entry: dict[str, Any] | None
    number: int
    media: list[Decoded]
    sound: Sound
    digests: tuple[str, str | None]  # as of `RowDigests`

    @property
    def where(self) -> str:
        """The row, for a finding."""
        return f"{self.shard}: {self.split} {self.example['id']}"


@dataclass
class SplitSeen:
    """What was counted in a split."""

    outcomes: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # sums of many rows


class CheckedBuild:
    """A built config: what its manifest promises, and what the pass over its files has seen."""

    def __init__(self, name: str, folder: Path, manifest: Manifest, keys: Path) -> None:
        self.name, self.folder, self.manifest = name, folder, manifest
        self.damaged: set[str] = set()  # files that cannot be read, or are not what was written
        self.features = datasets.Features.from_dict(manifest.features)
        self.schema: pa.Schema = arrow_schema(self.features)
        self.digests = RowDigests(self.schema)
        self.media_kinds = media_kinds(manifest.features)
        self.hears = any(kind in ("audio", "samples") for kind, _ in self.media_kinds.values())
        self.splits = defaultdict[str, SplitSeen](SplitSeen)  # what was counted in each
        self.ids, self.sounds, self.ledger_rows, self.media = (
            Keys(keys / name) for name in ("ids", "sounds", "ledger", "media")
        )
        self.same_sounds: set[str] = set()  # rows that were noted for their sound
        self.unpaired: list[tuple[str, str, str]] = []  # split, id and shard ("" for the ledger)
        self.incomplete: list[tuple[str, str]] = []  # where, what: rows without all their examples
        self._kept: deque[SourceRow] = deque()
        self._current: SourceRow | None = None
        self._rows_of_ledger = self._ledger()

    def error(self, where: str, what: str) -> Finding:
        """A fault of the build."""
        return Finding("error", self.name, where, what)

    def note(self, where: str, what: str) -> Finding:
        """Something odd that is no fault of the build."""
        return Finding("note", self.name, where, what)

    def close(self) -> None:
        """Give the disk back."""
        for keys in (self.ids, self.sounds, self.ledger_rows, self.media):
            keys.__exit__(None, None, None)

    def whole(self, split: str) -> bool:
        """Whether the ledger and each shard of a split could be read."""
        facts = self.manifest.splits.get(split)
        files = {shard.file for shard in facts.shards} if facts else set()
        return not self.damaged & {*files, ledger.FILE}

    # Rows

    def examples(self, columns: list[str] | None = None) -> Iterator[tuple[str, str, Any]]:
        """Split, shard and row, of all shards that can be read."""
        for split, shard in self.manifest.shards_by_split():
            if shard.file not in self.damaged:
                for example in parquet.rows(self.folder / shard.file, columns):
                    yield split, shard.file, example
            elif columns is None:
                self._pass_over(shard.rows)

    def pair(self, split: str, shard: str, example: dict[str, Any]) -> tuple[Any, int]:
        """The ledger's row of the next example, None if it has none, and the example's number."""
        id = str(example["id"])
        if self._current is None or not self._is_of(self._current, split, id):
            self._current = self._next(split, id)
        if self._current is None:
            self._unpaired(split, id, shard)
            return None, 0
        return self._current.entry, next(self._current.examples)

    def count(self, row: CheckedRow) -> None:
        """Add a row of a shard to what was seen."""
        seen, example = self.splits[row.split], row.example
        if "license" in example:
            seen.licences[example["license"] or ""] += 1
        if "duration" in example:
            seen.seconds.append(example["duration"] or 0)
            if len(seen.seconds) == AHEAD:
                seen.seconds = [fsum(seen.seconds)]

    def finish(self) -> None:
        """Read the rest of the ledger."""
        self._leave()
        while self._fill():
            left = self._kept.popleft()
            self._unpaired(left.split, left.entry["id"], "")

    # The ledger

    def _ledger(self) -> Iterator[SourceRow]:
        """The rows that are kept; all are counted as they pass."""
        if ledger.FILE in self.damaged:
            return
        for entry in ledger.read(self.folder / ledger.FILE):
            seen = self.splits[entry["split"]]
            seen.outcomes[entry["outcome"]] += 1
            seen.sources[entry["source"]] += 1
            self.ledger_rows.add(f"{entry['split']}\0{entry['source']}\0{entry['row']}")
            if entry["outcome"] == Outcome.KEPT:
                if entry["detail"]:
                    seen.warnings.update(ledger.warnings(entry["detail"]))
                if entry["sha256"]:
                    self.media.add(entry["sha256"])
                yield SourceRow(entry["split"], entry)

    @staticmethod
    def _is_of(row: SourceRow, split: str, id: str) -> bool:
        return row.split == split and replay.of(id, row.entry["id"])

    def _fill(self) -> bool:
        while len(self._kept) < AHEAD and (row := next(self._rows_of_ledger, None)):
            self._kept.append(row)
        return bool(self._kept)

    def _next(self, split: str, id: str) -> SourceRow | None:
        """The ledger's next row of this id; those before it have no example."""
        self._leave()
        if not self._kept or not self._is_of(self._kept[0], split, id):
            self._fill()
        places = (n for n, row in enumerate(self._kept) if self._is_of(row, split, id))
        place = next(places, None)
        if place is None:
            return None
        for _ in range(place):
            missed = self._kept.popleft()
            self._unpaired(missed.split, missed.entry["id"], "")
        return self._kept.popleft()

    def _leave(self) -> None:
        row, self._current = self._current, None
        if row and len(self.incomplete) < MOST:
            promised, found = len(row.entry.get("text_digests") or [0]), next(row.examples)
            if found < promised:
                what = f"{found} of its {promised} examples are there"
                self.incomplete.append((f"{ledger.FILE}: {row.split} {row.entry['id']}", what))

    def _unpaired(self, split: str, id: str, shard: str) -> None:
        if ledger.FILE not in self.damaged and len(self.unpaired) < MOST:
            self.unpaired.append((split, id, shard))

    def _pass_over(self, rows: int) -> None:
        """The rows of the ledger that a shard was made of which cannot be read."""
        self._current = None
        while rows > 0 and self._fill():
            rows -= len(self._kept.popleft().entry.get("text_digests") or [0])
