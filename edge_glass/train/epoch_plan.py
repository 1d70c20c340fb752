"""Which rows make which batch: worked out from numbers alone, at any place of an epoch.

An epoch is one sequence of batches, 0, 1, 2, …, the same whoever makes them: rank r of R gives
batches r, r + R, …, and of those a worker w of W makes every W-th. So where an epoch stands is the
number of batches that were given, and it goes on from there with any number of ranks and workers.

Rows are shuffled in three steps. Shards are put into another order; the row groups of 16 shards at
a time are; and a row moves up to `reach` rows forward from its place. The sequence is cut into
lanes, which batches take in turn, so that ranks and workers read row groups of their own.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from edge_glass.core.schema import Plain

SHARDS = 16  # whose row groups are mixed
GROUPS = 16  # in a lane at least: the group at its end is read for the next lane, too
WORD = 2**64 - 1


class Shape(NamedTuple):
    """The row groups of a corpus: the shard of each, and its rows; both of shape (groups,)."""

    shards: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Order(Plain):
    """What the order of rows depends on, beside the corpora and the epoch.

    `weights` are the corpora's shares in a batch; `whole` asks for all rows of every corpus, those
    of the smaller ones several times, `length` for so many batches; otherwise the first corpus that
    ends ends the epoch. `max_seconds` is 0 where batches are of any length.
    """

    seed: int
    batch_size: int
    shuffle: bool
    lanes: int
    reach: int
    weights: tuple[float, ...]
    whole: bool
    length: int
    max_seconds: float


class Part(NamedTuple):
    """Rows of one corpus in a batch, arrays of shape (rows,).

    `turns` number the row groups in the order of the epoch. None before `oldest` is needed again
    by this lane.
    """

    corpus: int
    lane: int
    oldest: int
    turns: np.ndarray
    groups: np.ndarray
    rows: np.ndarray


class Plan:
    """The batches of one epoch."""

    def __init__(self, shapes: Sequence[Shape], order: Order, epoch: int) -> None:
        self._shapes, self._order, self.epoch = shapes, order, epoch
        self._sizes = [int(shape.rows.sum()) for shape in shapes]
        shares = np.cumsum([0.0, *order.weights]) / sum(order.weights)
        self._shares = [*map(float, shares[:-1]), 1.0]
        self.batches = self._count()
        self.whole_batches = self.batches - bool(self._sizes[0] % order.batch_size)
        if len(shapes) > 1:
            self.whole_batches = self.batches
        self._starts = self._lane_starts()

    def parts(self, batch: int) -> list[Part]:
        """Where the rows of a batch lie."""
        lane, turn = batch % self._order.lanes, batch // self._order.lanes
        first, end = self._starts[lane]
        batch_parts = []
        for corpus in range(len(self._shapes)):
            here, after = (self._place(corpus, first + turn + more) for more in (0, 1))
            start, stop = self._place(corpus, first), self._place(corpus, end)
            batch_parts.append(self._part(corpus, lane, (start, stop), here - start, after - start))
        return batch_parts

    def size(self, batch: int) -> int:
        """The rows of a batch."""
        lane, turn = batch % self._order.lanes, batch // self._order.lanes
        here = self._starts[lane][0] + turn
        corpora = range(len(self._sizes))
        return sum(self._place(c, here + 1) - self._place(c, here) for c in corpora)

    def mixed(self, batch: int, rows: int) -> np.ndarray:
        """The order in which the rows of several corpora stand in a batch."""
        if len(self._shapes) == 1 or not self._order.shuffle:
            return np.arange(rows)
        return np.argsort(noise(self._key("batch", batch), np.arange(rows)))

    def draw(self, part: Part, row: int) -> list[int]:
        """A seed for what is drawn at random for one row of a part."""
        again = int(part.turns[row]) // len(self._shapes[part.corpus].rows)
        place = (part.corpus, int(part.groups[row]), int(part.rows[row]))
        return [self._order.seed & WORD, self.epoch, again, *place]

    def _part(self, corpus: int, lane: int, of: tuple[int, int], here: int, after: int) -> Part:
        order = self._order
        reach = order.reach if order.shuffle else 0
        key = self._key("rows", corpus, lane)
        places, oldest = moved(key, of[1] - of[0], reach, here, after)
        [turn], _, _ = self._find(corpus, np.array([of[0] + oldest]))
        return Part(corpus, lane, int(turn), *self._find(corpus, of[0] + places))

    def _find(self, corpus: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Turns, groups and rows of places in the sequence of a corpus, which begins anew."""
        size, count = self._sizes[corpus], len(self._shapes[corpus].rows)
        turns, groups, rows = (np.empty(len(places), dtype=np.int64) for _ in range(3))
        for again in np.unique(places // size):
            chosen = places // size == again
            order, ends = self._pass(corpus, int(again))
            at = np.searchsorted(ends, places[chosen] % size, side="right")
            turns[chosen], groups[chosen] = again * count + at, order[at]
            begins = ends[at] - self._shapes[corpus].rows[order[at]]
            rows[chosen] = places[chosen] % size - begins
        return turns, groups, rows

    @lru_cache(maxsize=8)  # noqa: B019 - a plan lives as long as its epoch
    def _pass(self, corpus: int, again: int) -> tuple[np.ndarray, np.ndarray]:
        """The row groups of a corpus in their order, and the place at which each one ends."""
        shape = self._shapes[corpus]
        order = np.arange(len(shape.rows))
        if self._order.shuffle:
            shards = noise(self._key("shards", corpus, again), np.arange(shape.shards.max() + 1))
            ranks = np.argsort(np.argsort(shards))[shape.shards]
            groups = noise(self._key("groups", corpus, again), order)
            order = np.lexsort((groups, ranks // SHARDS))
        return order, np.cumsum(shape.rows[order])

    def _place(self, corpus: int, batches: int) -> int:
        """How many rows of a corpus so many batches hold."""
        rows = batches * self._order.batch_size
        if len(self._sizes) == 1:
            return min(rows, self._sizes[0])
        low, high = self._shares[corpus : corpus + 2]
        return int(rows * high) - int(rows * low)

    def _count(self) -> int:
        """Batches in an epoch; a mixture has no partial ones."""
        size = self._order.batch_size
        if len(self._sizes) == 1:
            return -(-self._sizes[0] // size)
        shares = np.diff(self._shares)
        lengths = [rows / (share * size) for rows, share in zip(self._sizes, shares, strict=True)]
        corpora = range(len(self._sizes))
        if self._order.length:
            return self._order.length
        if self._order.whole:
            count = int(max(lengths))
            while any(self._place(c, count) < self._sizes[c] for c in corpora):
                count += 1
        else:
            count = int(min(lengths)) + 1
            while any(self._place(c, count) > self._sizes[c] for c in corpora):
                count -= 1
        return count

    def _lane_starts(self) -> list[tuple[int, int]]:
        """The batches of each lane, in sequence; the lane of the last batch ends the sequence."""
        lanes, begin = self._order.lanes, 0
        starts = [(0, 0)] * lanes
        for turn in range(lanes):
            lane = (self.batches + turn) % lanes
            size = self.batches // lanes + (lane < self.batches % lanes)
            starts[lane] = (begin, begin + size)
            begin += size
        return starts

    def _key(self, *parts: object) -> int:
        said = f"{self._order.seed} {self.epoch} {parts}"
        return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big")


def noise(key: int, numbers: np.ndarray) -> np.ndarray:
    """A random uint64 for each number, by splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    x = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def moved(key: int, length: int, reach: int, here: int, after: int) -> tuple[np.ndarray, int]:
    """Which of `length` rows stand at the places from `here` to `after` of their shuffled order.

    Row i is sorted by i + u, u random below `reach`. So it moves `reach` places at most, and rows
    further away than that need not be looked at. Also returns a row before which all have been.
    """
    first, last = max(0, here - reach), min(length, after + reach)
    rows = np.arange(first, last)
    by = rows + (noise(key, rows) >> np.uint64(11)) * (reach / 2**53)
    order = np.argsort(by, kind="stable")[here - first : after - first]
    oldest = int(by[order[0]]) - reach if len(order) else here
    return rows[order], max(0, oldest)
