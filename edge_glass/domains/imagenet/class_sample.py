"""Which rows of which class: seeded samples that lie inside one another, in a few bytes a row.

Every row has a rank, which follows from seed and id alone. A class keeps the rows up to a bound, so
the sample of a smaller number lies inside that of a larger one, whatever the order of the rows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core.key_digests import KEY, digests, ranks
from edge_glass.core.row import Batches

Rows = np.ndarray[Any, np.dtype[Any]]
NONE = np.empty(0, np.int16), np.empty(0, np.uint64), np.empty(0, np.int8)

ALL = 2**64 - 1  # the bound of a class that keeps everything
IN_MEMORY = 100_000  # rows that are shuffled at a time
SEED = 42  # of the papers' draws
OUT, LOST, IN = 0, 1, 2  # never taken; only where its class would be lost; as others are
LARGEST = 10  # classes that an excess is taken from (Wen et al., 2024)


@dataclass(frozen=True)
class Ranks:
    """Label, rank and standing (OUT, LOST, IN) of every row: 11 bytes a row."""

    labels: Rows
    ranks: Rows
    standings: Rows

    @classmethod
    def of(cls, parts: Iterable["Ranks"]) -> "Ranks":
        """All of several parts."""
        every = [(part.labels, part.ranks, part.standings) for part in parts] or [NONE]
        return cls(*map(np.concatenate, zip(*every, strict=True)))

    @property
    def inside(self) -> Rows:
        """The rows that are IN, as a mask."""
        return np.asarray(self.standings == IN)

    def counts(self, classes: int) -> list[int]:
        """Rows that are IN, by label."""
        by_label: list[int] = np.bincount(self.labels[self.inside], minlength=classes).tolist()
        return by_label


@dataclass(frozen=True)
class Sample:
    """What each class keeps: ranks up to a bound (-1: none), and rows that come back."""

    bounds: list[int]
    back: frozenset[int] = frozenset()  # positions

    def takes(self, start: int, rows: Ranks) -> Rows:
        """Whether each row is in the sample, of those from the position `start` on."""
        bounds = np.array([max(bound, 0) for bound in self.bounds], np.uint64)[rows.labels]
        some = np.array([bound >= 0 for bound in self.bounds])[rows.labels]
        back = np.isin(np.arange(start, start + len(bounds)), [*self.back])
        return np.asarray((rows.inside & some & (rows.ranks <= bounds)) | back)


@dataclass(frozen=True)
class Positions:
    """Rows by their position."""

    mask: Rows

    @classmethod
    def of(cls, positions: Rows, count: int) -> "Positions":
        """Out of positions among so many rows."""
        mask = np.zeros(count, dtype=bool)
        mask[positions] = True
        return cls(mask)

    def takes(self, start: int, rows: Ranks) -> Rows:
        """Whether each row is in the sample, of those from the position `start` on."""
        return np.asarray(self.mask[start : start + len(rows.labels)])


def quotas(rows: Ranks, wanted: list[int | None]) -> Sample:
    """At most so many rows of each class; None: all of them."""
    bounds = []
    for label, number in enumerate(wanted):
        if number is None:
            bounds.append(ALL)
        else:
            bounds.append(_bound(rows.ranks[(rows.labels == label) & rows.inside], number))
    return Sample(bounds)


def tail(counts: list[int], lastk: int) -> list[int]:
    """The labels of the `lastk` rarest classes; of classes with as many rows, the first ones."""
    return sorted(range(len(counts)), key=lambda label: counts[label])[:lastk]


def share(rows: Ranks, classes: int, wanted: float | int | None) -> Sample:
    """A fraction of the rows, or so many; a class that is left without gets its first row back.

    Of a number, the rows that come back are made up for by the largest classes (Wen et al., 2024).
    """
    inside = rows.inside
    number = round(wanted * int(inside.sum())) if isinstance(wanted, float) else wanted
    bound = ALL if number is None else _bound(rows.ranks[inside], number)
    taken = inside & (rows.ranks <= bound) if bound >= 0 else np.zeros_like(inside)
    counts = np.bincount(rows.labels[taken], minlength=classes)
    back = _lost(rows, counts).tolist()
    bounds = [bound] * classes
    excess = int(taken.sum()) + len(back) - number if isinstance(wanted, int) and number else 0
    if excess > 0:
        largest = tail([-int(count) for count in counts], LARGEST)
        among = rows.ranks[taken & np.isin(rows.labels, largest)]
        lower = _bound(among, len(among) - excess)
        bounds = [lower if label in largest else bound for label in range(classes)]
    return Sample(bounds, frozenset(back))


def original(rows: Ranks, wanted: float | int | None, paths: Rows | None = None) -> Rows:
    """Positions of a fraction of the rows, or so many, as pandas draws them with seed 42.

    `paths`: what rows are sorted by before they are drawn.
    """
    order = np.arange(len(rows.labels)) if paths is None else np.argsort(paths, kind="stable")
    inside: Rows = order[rows.inside[order]]
    number = round(wanted * len(inside)) if isinstance(wanted, float) else wanted
    if number is None or number >= len(inside):
        return inside
    return np.asarray(inside[choice(len(inside), number)])


def original_share(rows: Ranks, classes: int, wanted: float | int | None) -> Positions:
    """What `share` draws, as pandas draws it with seed 42."""
    taken = original(rows, wanted)
    taken = np.concatenate([taken, _lost(rows, np.bincount(rows.labels[taken], minlength=classes))])
    if isinstance(wanted, int) and len(taken) > wanted:
        counts = Counter(rows.labels[taken].tolist())  # of classes as large, the first one drawn
        largest = [label for label, _ in counts.most_common(LARGEST)]
        among = np.flatnonzero(np.isin(rows.labels[taken], largest))
        taken = np.delete(taken, among[choice(len(among), len(taken) - wanted)])
    return Positions.of(taken, len(rows.labels))


def choice(count: int, number: int) -> Rows:
    """`number` of so many, as NumPy and pandas choose with seed 42."""
    return np.asarray(np.random.RandomState(SEED).choice(count, number, replace=False))


def _lost(rows: Ranks, counts: Rows) -> Rows:
    """The position of the first row of every class that no row is taken of."""
    alive = np.flatnonzero(rows.standings != OUT)
    present, first = np.unique(rows.labels[alive], return_index=True)
    return np.sort(alive[first[counts[present] == 0]])


def _bound(ranks: Rows, number: int) -> int:
    """The largest rank of the `number` smallest; -1 for none of them."""
    if number >= len(ranks):
        return ALL
    return int(np.partition(ranks, number - 1)[number - 1]) if number > 0 else -1


def ranks_of(rows: pa.RecordBatch, seed: int) -> Rows:
    """The rank of each row."""
    known = KEY in rows.schema.names
    return ranks(rows[KEY] if known else digests(seed, rows["id"]))


def shuffled(batches: Batches, seed: int) -> Iterator[pa.RecordBatch]:
    """Rows in an order that follows from seed and ids; they are read once for each 100,000."""
    ids = (pc.binary_join_element_wise("shuffle ", rows["id"], "") for rows in batches())
    every = [ranks(digests(seed, each)) for each in ids]
    order = np.argsort(np.concatenate(every), kind="stable") if every else np.empty(0, int)
    for first in range(0, len(order), IN_MEMORY):
        wanted = order[first : first + IN_MEMORY]
        places, start, parts = np.sort(wanted), 0, []
        for rows in batches():
            low, high = np.searchsorted(places, [start, start + rows.num_rows])
            parts.append(rows.take(pa.array(places[low:high] - start)))
            start += rows.num_rows
        table = pa.Table.from_batches(parts).take(pa.array(np.searchsorted(places, wanted)))
        yield from table.combine_chunks().to_batches()
