"""Which rows of a corpus a config takes: a seeded subset, nested in every larger one."""

import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from edge_glass.core.errors import ConfigError, raise_all
from edge_glass.core.key_digests import KEY, Keys, rank, ranks
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.libraries import np, pa, pc
from edge_glass.core.progress import Progress
from edge_glass.core.row import OUTCOME, Row
from edge_glass.sources.raw import Raw

if TYPE_CHECKING:
    from edge_glass.corpora.corpus import Corpus

EVERY = 2**64 - 1  # the largest rank
DUPLICATE = (Outcome.DUPLICATE_ID, "an earlier row has this id")
NOT_OF_SPLIT = (Outcome.NOT_IN_CONFIG, Outcome.MISSING_CAPTION)  # but of the first, or of none
BEYOND = (Outcome.BEYOND_LIMIT, "")


@dataclass(frozen=True)
class Selection:
    """The rows per split, the largest rank that the subset takes, and the repeated rows."""

    rows: dict[str, int]
    seed: int
    threshold: int
    duplicates: "dict[str, np.ndarray]"  # of a split: positions of ids that stand before
    limit: int | None = None

    @classmethod
    def of(
        cls,
        corpus: "Corpus",
        raw: Raw,
        limit: int | None = None,
        progress: Progress | None = None,
        batches: "Callable[[str], Iterable[pa.RecordBatch]] | None" = None,
    ) -> "Selection":
        """Read through all rows once. `limit`: only the first so many of each split.

        `batches` gives the rows of a split with the digest of each id (`KEY`), if it is known.

        Raises ConfigError where a source fits no row of its description.
        """
        seed, subset = corpus.config.seed, corpus.config.hashed_subset
        what, progress = f"read {corpus.config.name}", progress or Progress()
        with (
            tempfile.TemporaryDirectory() as folder,
            Keys(Path(folder) / "keys", seed) as keys,
            Keys(Path(folder) / "inside", seed) as inside,  # those that the subset is taken of
            progress.rows(what, 0, lambda: (keys.count, 0)),
        ):
            some, rows, starts, empty = inside if subset is not None else None, {}, {}, []
            for split in corpus.chosen_splits():
                starts[split] = keys.count
                if batches:
                    own = _read_batches(batches(split), keys, some)
                else:
                    own = _read_rows(corpus.source_rows(split, raw), keys, some)
                rows[split] = keys.count - starts[split]
                empty += [] if own else [split]
            raise_all(corpus.misfits(empty, raw, progress), ConfigError)
            wanted = round(subset * inside.count) if isinstance(subset, float) else subset
            threshold = EVERY if wanted is None else inside.threshold(max(1, wanted))
            again = (position for group in keys.groups() for position in group[1:])
            repeated = np.sort(np.fromiter(again, np.int64))
        edges = {s: np.searchsorted(repeated, [at, at + rows[s]]) for s, at in starts.items()}
        duplicates = {s: repeated[a:b] - starts[s] for s, (a, b) in edges.items()}
        return cls(rows, seed, threshold, duplicates, limit)

    def rows_of(self, corpus: "Corpus", split: str, raw: Raw) -> Iterator[Row]:
        """All rows of a split, those that are not taken with the reason why."""
        for position, row in zip(count(), corpus.source_rows(split, raw), strict=False):
            drop = self._outcome(row, split, position) or row.dropped
            row.dropped = drop or corpus.unlicensed(row.fields) or _missing(row, raw)
            yield row

    def _outcome(self, row: Row, split: str, position: int) -> tuple[str, str] | None:
        repeated = self.duplicates[split]
        if len(repeated) and position in repeated[bisect_left(repeated, position) :][:1]:
            return DUPLICATE
        if _outside(row):
            return row.dropped
        if self.threshold < EVERY and rank(self.seed, row.id) > self.threshold:
            return Outcome.NOT_IN_SUBSET, ""
        if self.limit is not None and position >= self.limit:
            return BEYOND
        return None

    def marked(self, batch: "pa.RecordBatch", split: str, start: int) -> "pa.RecordBatch":
        """Rows from the position `start` on, those that are not taken with the reason.

        They come with `KEY` and go without it.
        """
        from edge_glass.core.row_marks import marked

        outside = ~_are_inside(batch).to_numpy(zero_copy_only=False)
        end, taken = start + batch.num_rows, np.ones(batch.num_rows, bool)
        places, repeated = self.duplicates[split], np.zeros(batch.num_rows, bool)
        low, high = np.searchsorted(places, [start, end])
        repeated[places[low:high] - start] = True
        reasons = [
            (repeated, DUPLICATE),
            (outside, None),
            (ranks(batch[KEY]) > self.threshold, (Outcome.NOT_IN_SUBSET, "")),
            (np.arange(start, end) >= (end if self.limit is None else self.limit), BEYOND),
        ]
        batch = batch.drop_columns([KEY])
        for rows, reason in reasons:
            due, taken = rows & taken, taken & ~rows
            batch = marked(batch, due, *reason) if reason and due.any() else batch
        return batch


def _are_inside(batch: "pa.RecordBatch") -> "pa.Array":
    """Of each row whether the config does not leave it out."""
    return pc.not_equal(batch[OUTCOME], Outcome.NOT_IN_CONFIG).fill_null(True)


def _read_batches(batches: "Iterable[pa.RecordBatch]", keys: Keys, inside: Keys | None) -> int:
    """Note the ids of a split; gives how many rows are its own."""
    own = 0
    for batch in batches:
        keys.extend(batch[KEY])
        own += _are_inside(batch).true_count
        if inside is not None:
            inside.extend(batch[KEY].filter(_are_inside(batch)))
    return own


def _read_rows(rows: Iterable[Row], keys: Keys, inside: Keys | None) -> int:
    """Likewise, row by row."""
    own = 0
    for row in rows:
        keys.add(row.id)
        own += not (row.dropped and row.dropped[0] in NOT_OF_SPLIT)
        if inside is not None and not _outside(row):
            inside.add(row.id)
    return own


def _outside(row: Row) -> bool:
    return row.dropped is not None and row.dropped[0] == Outcome.NOT_IN_CONFIG


def _missing(row: Row, raw: Raw) -> tuple[str, str] | None:
    if row.media is None:
        return None
    source, name = row.media
    try:
        there = raw.size(source, name) is not None
    except Dropped as drop:
        return drop.outcome, drop.detail
    return None if there else (Outcome.MISSING_MEDIA, f"{name} is not in {source}")
