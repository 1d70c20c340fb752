"""Which rows of which class: seeded samples that lie inside one another, in a few bytes a row.

Every row has a rank, which follows from seed and id alone. A class keeps the rows up to a bound, so
the sample of a smaller number lies inside that of a larger one, whatever the order of the rows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge_glass.core.key_digests import KEY, digests, ranks
from edge_glass.core.libraries import np, pa, pc
from edge_glass.core.row import Batches

Rows: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

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
    def of(cls, parts: Iterable[tuple[Rows, Rows, Rows]]) -> "Ranks":
        """All of several parts."""
        none = [np.empty(0, kind) for kind in (np.int16, np.uint64, np.int8)]
        return cls(*map(np.concatenate, zip(none, *parts, strict=True)))

    @property
    def inside(self) -> Rows:
        """The rows that are IN, as a mask."""
        return np.asarray(self.standings == IN)

    def counts(self, classes: int) -> list[int]:
        """Rows that are IN, by label."""
        by_label: list[int] = np.bincount(self.labels[self.inside], minlength=classes).tolist()
        return by_label


def quotas(rows: Ranks, wanted: list[int | None]) -> Rows:
    """At most so many rows of each class, as a mask; None: all of them."""
    taken = rows.inside
    for label, number in enumerate(wanted):
        if number is not None:
            mine = np.flatnonzero((rows.labels == label) & rows.inside)
            taken[mine] = _first(rows.ranks[mine], number)
    return taken


def tail(counts: list[int], lastk: int) -> list[int]:
    """The labels of the `lastk` rarest classes; of classes with as many rows, the first ones."""
    return sorted(range(len(counts)), key=lambda label: counts[label])[:lastk]


def share(rows: Ranks, classes: int, wanted: float | int | None) -> Rows:
    """A fraction of the rows, or so many; a class that is left without gets its first row back.

    Of a number, the rows that come back are made up for by the largest classes (Wen et al., 2024).
    """
    taken = rows.inside
    inside = np.flatnonzero(taken)
    number = round(wanted * len(inside)) if isinstance(wanted, float) else wanted
    if number is not None:
        taken[inside] = _first(rows.ranks[inside], number)
    counts = np.bincount(rows.labels[taken], minlength=classes)
    back = _lost(rows, counts)
    excess = int(taken.sum()) + len(back) - number if isinstance(wanted, int) and number else 0
    if excess > 0:
        largest = tail([-int(count) for count in counts], LARGEST)
        among = np.flatnonzero(taken & np.isin(rows.labels, largest))
        taken[among] = _first(rows.ranks[among], len(among) - excess)
    taken[back] = True
    return taken


def original(rows: Ranks, wanted: float | int | None, paths: "Rows | None" = None) -> Rows:
    """Positions of a fraction of the rows, or so many, as pandas draws them with seed 42.

    `paths`: what rows are sorted by before they are drawn.
    """
    order = np.arange(len(rows.labels)) if paths is None else np.argsort(paths, kind="stable")
    inside: Rows = order[rows.inside[order]]
    number = round(wanted * len(inside)) if isinstance(wanted, float) else wanted
    if number is None or number >= len(inside):
        return inside
    return np.asarray(inside[choice(len(inside), number)])


def original_share(rows: Ranks, classes: int, wanted: float | int | None) -> Rows:
    """What `share` draws, as pandas draws it with seed 42."""
    taken = original(rows, wanted)
    taken = np.concatenate([taken, _lost(rows, np.bincount(rows.labels[taken], minlength=classes))])
    if isinstance(wanted, int) and len(taken) > wanted:
        counts = Counter(rows.labels[taken].tolist())  # of classes as large, the first one drawn
        largest = [label for label, _ in counts.most_common(LARGEST)]
        among = np.flatnonzero(np.isin(rows.labels[taken], largest))
        taken = np.delete(taken, among[choice(len(among), len(taken) - wanted)])
    return mask_of(taken, len(rows.labels))


def mask_of(positions: Rows, count: int) -> Rows:
    """A mask of so many rows, out of the positions of those that are taken."""
    mask = np.zeros(count, dtype=bool)
    mask[positions] = True
    return mask


def choice(count: int, number: int) -> Rows:
    """`number` of so many, as NumPy and pandas choose with seed 42."""
    return np.asarray(np.random.RandomState(SEED).choice(count, number, replace=False))


def _lost(rows: Ranks, counts: Rows) -> Rows:
    """The position of the first row of every class that no row is taken of."""
    alive = np.flatnonzero(rows.standings != OUT)
    present, first = np.unique(rows.labels[alive], return_index=True)
    return np.sort(alive[first[counts[present] == 0]])


def _first(ranks: Rows, number: int) -> Rows:
    """The `number` smallest, as a mask; of equal ones all."""
    if number >= len(ranks) or number <= 0:
        return np.full(len(ranks), number > 0)
    return np.asarray(ranks <= np.partition(ranks, number - 1)[number - 1])


def ranks_of(rows: "pa.RecordBatch", seed: int) -> Rows:
    """The rank of each row."""
    known = KEY in rows.schema.names
    return ranks(rows[KEY] if known else digests(seed, rows["id"]))


def shuffled(batches: Batches, seed: int) -> "Iterator[pa.RecordBatch]":
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
