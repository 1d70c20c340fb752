"""A build that is being verified: its rows, each beside the ledger's row of it, and what was seen.

Shards and ledger are read once, side by side; memory is a row group and a stretch of the ledger.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from math import fsum
from pathlib import Path
from typing import Any, Literal, TypeVar

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.audit.decoded_media import Decoded, Sound
from edge_glass.core import ledger, parquet
from edge_glass.core.arrow_columns import has_media
from edge_glass.core.columns import media_kinds, promised_captions
from edge_glass.core.key_digests import Keys, digests
from edge_glass.core.ledger import EntryRow, Outcome
from edge_glass.core.manifest import Manifest
from edge_glass.core.row import Example
from edge_glass.core.row_digests import RowDigests
from edge_glass.media.features import arrow_schema
from edge_glass.pipeline import replay

STEP = 1000  # rows of the ledger that are made Python of at a time
# text that is more than white space and control characters; what is less is looked at row by row
PRINTED = r"[^\x00-\x20\x7f-\xa0\p{Z}]"
AHEAD = 1000  # rows of the ledger among which a row is looked for
MOST = 1000  # rows that are named as missing or too many
Row = TypeVar("Row")
LEDGER_TEXTS = ("source", "row", "id", "split", "outcome", "detail")  # no null, unless it is forged


@dataclass(frozen=True)
class Finding:
    """Something not as promised; a note is upstream's doing and no fault of the build."""

    kind: Literal["error", "note"]
    config: str
    where: str  # file or row
    what: str
    check: str = field(default="", compare=False)  # its name in docs/verify.md


@dataclass
class SourceRow:
    """A row of the ledger that is kept, and how many of its examples were seen."""

    entry: EntryRow
    seen: int = 0

    @property
    def promised(self) -> int:
        """How many examples it has; one, in what earlier releases built."""
        return len(self.entry.get("text_digests") or [0])

    @property
    def left(self) -> int:
        """How many of them were not seen."""
        return max(0, self.promised - self.seen)


@dataclass(frozen=True)
class CheckedRow:
    """A row of a shard; `entry` is the ledger's row of it, `number` says which of its examples."""

    split: str
    shard: str
    example: Example
    entry: EntryRow | None
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
    seconds: float = 0.0


class _KeptRows:
    """A place in the rows of `tables`, which are read as they are needed."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._table, self._at = tables, pa.table({}), 0
        self._listed: deque[EntryRow] = deque()

    def ahead(self, rows: int) -> list[EntryRow]:
        """The next rows, which are not taken, as Python's; fewer at the end."""
        if (listed := len(self._listed)) < rows:
            more = self.peek(max(rows, STEP)).slice(listed)
            self._listed.extend(more.to_pylist())
        return [*islice(self._listed, rows)]

    def peek(self, rows: int) -> pa.Table:
        """The next rows, which are not taken; fewer at the end."""
        while len(self._table) - self._at < rows and (more := next(self._tables, None)) is not None:
            left = self._table.slice(self._at)
            self._table, self._at = pa.concat_tables([left, more], promote_options="default"), 0
        # a slice of what has no columns is as long as it is asked to be
        return self._table.slice(self._at, rows) if self._table.num_columns else self._table

    def skip(self, rows: int) -> None:
        """Take rows that were looked at."""
        self._at += rows
        for _ in range(min(rows, len(self._listed))):
            self._listed.popleft()


class CheckedBuild:
    """A built config: what its manifest promises, and what the pass over its files has seen."""

    def __init__(self, name: str, folder: Path, manifest: Manifest, keys: Path) -> None:
        self.name, self.folder, self.manifest = name, folder, manifest
        self.damaged: set[str] = set()  # files that cannot be read, or are not what was written
        self.features = datasets.Features.from_dict(manifest.features)
        self.schema: pa.Schema = arrow_schema(self.features)
        self.digests = RowDigests(self.schema)
        self.media_kinds = media_kinds(manifest.features)
        types = dict(zip(self.schema.names, self.schema.types, strict=True))
        described = (manifest.own or {}).get("columns", {})
        self.captions = promised_captions(manifest.roles, described)
        self._text_alone = not any(map(has_media, types.values()))
        self.hears = any(kind in ("audio", "samples") for kind, _ in self.media_kinds.values())
        self.splits = defaultdict[str, SplitSeen](SplitSeen)  # what was counted in each
        self.ids, self.sounds, self.ledger_rows, self.media = (
            Keys(keys / name) for name in ("ids", "sounds", "ledger", "media")
        )
        self.same_sounds: set[str] = set()  # rows that were noted for their sound
        self.unpaired: list[tuple[str, str, str]] = []  # split, id and shard ("" for the ledger)
        self.incomplete: list[tuple[str, str]] = []  # where, what: rows without all their examples
        self._current: SourceRow | None = None
        self._kept = _KeptRows(self._ledger())

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

    @property
    def rows(self) -> int:
        """How many were seen."""
        return self.ids.count

    def examples(self, columns: list[str]) -> Iterator[tuple[str, str, Any]]:
        """Split, shard and some columns of a row, of all shards that can be read."""
        for split, shard in self.manifest.shards_by_split():
            if shard.file not in self.damaged:
                for example in parquet.rows(self.folder / shard.file, columns):
                    yield split, shard.file, example

    def to_check(self) -> Iterator[tuple[str, str, Any]]:
        """Split, shard and row, of all rows that have to be paired and checked one by one.

        Of many rows of text at once it is seen that there is nothing to find in them.
        """
        for split, shard in self.manifest.shards_by_split():
            path = self.folder / shard.file
            for rows in () if shard.file in self.damaged else parquet.groups(path):
                self._count(split, rows)
                start = self._current.left if self._current else 0
                for example in parquet.listed(path, rows.slice(0, start)):
                    yield split, shard.file, example
                start += self._pair_all(split, rows.slice(start))
                for example in parquet.listed(path, rows.slice(start)):
                    yield split, shard.file, example
            if shard.file in self.damaged:
                self._pass_over(shard.rows)

    def _pair_all(self, split: str, rows: pa.Table) -> int:
        """Of how many of the next rows it is seen at once that there is nothing to find."""
        if not self._text_alone:
            return 0
        kept = self._kept.peek(len(rows))
        count, ends = _examples(len(rows), kept)
        kept, rows = kept.slice(0, count), rows.slice(0, ends)
        if not count or not all(printed(rows[name]) for name in ("id", *self.captions)):
            return 0
        if not _alike(rows, split, kept, self.digests):
            return 0
        self._leave()
        self._kept.skip(count)
        self._current = SourceRow(kept.slice(count - 1).to_pylist()[0])
        self._current.seen = self._current.promised
        self.ids.extend(digests(0, rows["id"].combine_chunks()))
        return len(rows)

    def pair(self, split: str, shard: str, example: Example) -> tuple[Any, int]:
        """The ledger's row of the next example, None if it has none, and the example's number."""
        id = str(example["id"])
        if self._current is None or not self._is_of(self._current.entry, split, id):
            self._current = self._next(split, id)
        if self._current is None:
            self._unpaired(split, id, shard)
            return None, 0
        self._current.seen += 1
        return self._current.entry, self._current.seen - 1

    def _count(self, split: str, rows: pa.Table) -> None:
        """Add rows of a shard to what was seen."""
        seen = self.splits[split]
        if "license" in rows.column_names:
            for licence, count in _counted(rows["license"]).items():
                seen.licences[licence or ""] += count
        if "duration" in rows.column_names:
            durations = rows["duration"].drop_null().to_pylist()
            seen.seconds = fsum([seen.seconds, *durations])

    def finish(self) -> None:
        """Read the rest of the ledger."""
        self._leave()
        while rows := self._kept.ahead(AHEAD):
            self._miss(rows)

    # The ledger

    def _ledger(self) -> Iterator[pa.Table]:
        """The rows that are kept; all are counted as they pass."""
        if ledger.FILE in self.damaged:
            return
        for batch in parquet.groups(self.folder / ledger.FILE):
            texts = {name: batch[name].fill_null("") for name in LEDGER_TEXTS}
            rows = pa.table({name: texts.get(name, batch[name]) for name in batch.column_names})
            kept = rows.filter(pc.equal(rows["outcome"], Outcome.KEPT))
            for split in rows["split"].unique().to_pylist():
                seen = self.splits[split]
                own, own_kept = (t.filter(pc.equal(t["split"], split)) for t in (rows, kept))
                seen.outcomes.update(_counted(own["outcome"]))
                seen.sources.update(_counted(own["source"]))
                for detail, count in _counted(own_kept["detail"]).items():
                    for warning in ledger.warnings(detail):
                        seen.warnings[warning] += count
            names = [rows[name].combine_chunks() for name in ("source", "row")]
            self.ledger_rows.extend(digests(0, pc.binary_join_element_wise(*names, "\0")))
            media = kept["sha256"].drop_null().combine_chunks()
            self.media.extend(digests(0, media.filter(pc.not_equal(media, ""))))
            yield kept

    @staticmethod
    def _is_of(entry: EntryRow, split: str, id: str) -> bool:
        return entry["split"] == split and replay.of(id, entry["id"])

    def _next(self, split: str, id: str) -> SourceRow | None:
        """The ledger's next row of this id; those before it have no example."""
        self._leave()
        for rows in map(self._kept.ahead, (1, AHEAD)):
            for place, entry in enumerate(rows):
                if self._is_of(entry, split, id):
                    self._miss(rows[:place])
                    self._kept.skip(1)
                    return SourceRow(entry)
        return None

    def _miss(self, entries: list[EntryRow]) -> None:
        """Pass over the next rows of the ledger, which have no example."""
        for entry in entries:
            self._unpaired(entry["split"], entry["id"], "")
        self._kept.skip(len(entries))

    def _leave(self) -> None:
        row, self._current = self._current, None
        if row and row.left and len(self.incomplete) < MOST:
            what = f"{row.seen} of its {row.promised} examples are there"
            where = f"{ledger.FILE}: {row.entry['split']} {row.entry['id']}"
            self.incomplete.append((where, what))

    def _unpaired(self, split: str, id: str, shard: str) -> None:
        if ledger.FILE not in self.damaged and len(self.unpaired) < MOST:
            self.unpaired.append((split, id, shard))

    def _pass_over(self, rows: int) -> None:
        """The rows of the ledger that a shard was made of which cannot be read."""
        self._current = None
        while rows > 0 and (entries := self._kept.ahead(1)):
            rows -= SourceRow(entries[0]).promised
            self._kept.skip(1)


def repeated(groups: Iterable[list[int]], rows: Iterator[Row]) -> Iterable[list[Row]]:
    """The rows of each group of positions among all `rows`, which are read if there are groups."""
    owners = {position: group[0] for group in groups for position in group}
    shared: dict[int, list[Row]] = {}
    for position, row in enumerate(rows if owners else ()):
        if position in owners:
            shared.setdefault(owners[position], []).append(row)
    return shared.values()


def _examples(rows: int, kept: pa.Table) -> tuple[int, int]:
    """How many whole rows of a ledger give so many rows of shards, or a few less, and how many."""
    if "text_digests" not in kept.column_names:
        return 0, 0
    each = pc.list_value_length(kept["text_digests"]).fill_null(0).to_numpy()
    ends = np.cumsum(each)
    count = int(np.searchsorted(ends, rows, "right"))
    return (count, int(ends[count - 1])) if count and each[:count].all() else (0, 0)


def _alike(rows: pa.Table, split: str, kept: pa.Table, digests: RowDigests) -> bool:
    """Whether rows are the examples of rows of a ledger, one after another, and without media."""
    texts = kept["text_digests"].combine_chunks()
    ids = kept["id"].take(pc.list_parent_indices(texts))
    return bool(
        all(kept[name].null_count == len(kept) for name in ("sha256", "media_digests"))
        and pc.all(pc.equal(kept["split"], split)).as_py()
        and (ids.equals(rows["id"]) or all(map(replay.of, rows["id"].to_pylist(), ids.to_pylist())))
        and pc.list_flatten(texts).equals(digests.of_table(rows))
    )


def printed(texts: pa.ChunkedArray) -> bool:
    """Whether each text, and each of a list of texts, has letters; none is null, no list empty."""
    if pa.types.is_list(texts.type):
        some = pc.all(pc.greater(pc.list_value_length(texts), 0)).as_py()
        return bool(some and not texts.null_count and printed(pc.list_flatten(texts)))
    return not texts.null_count and bool(pc.all(pc.match_substring_regex(texts, PRINTED)).as_py())


def _counted(values: pa.ChunkedArray) -> dict[Any, int]:
    return {each["values"]: each["counts"] for each in values.value_counts().to_pylist()}
