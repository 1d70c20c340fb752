"""Batches of rows that are about as long: cut out of stretches of the shuffled order of an epoch.

The rows of a stretch are sorted by their length and cut where a batch, with its padding, would be
too long; then the batches of the stretch are shuffled. So an epoch is still worked out from numbers
alone, and each row moves no further than its stretch.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from edge_glass.train.epoch_plan import Order, Part, Plan, Shape, noise

STRETCH = 32  # plain batches, those of all lanes


class Buckets(Plan):
    """The batches of one epoch: `batch_size` rows and `most` seconds at most, padding counted.

    `lengths` are the seconds of each corpus' rows, as they are stored. One that is longer than
    `most` has a batch of its own.
    """

    def __init__(
        self, shapes: Sequence[Shape], order: Order, epoch: int, lengths: Sequence[np.ndarray]
    ) -> None:
        super().__init__(shapes, order, epoch)
        self._lengths = lengths
        self._begins = [np.cumsum([0, *shape.rows]) for shape in shapes]
        self._plain = self.batches
        counts = [len(self._cut(at)) for at in range(-(-self._plain // STRETCH))]
        self._ends = np.cumsum(counts)
        self.batches = self.whole_batches = int(self._ends[-1])

    def parts(self, batch: int) -> list[Part]:
        """Where the rows of a batch lie."""
        stretch, chosen = self._chosen(batch)
        batch_parts = []
        for part in self._stretch(stretch):
            mine = chosen[: len(part.rows)]
            chosen = chosen[len(part.rows) :]
            if mine.any():
                rows = (part.turns[mine], part.groups[mine], part.rows[mine])
                batch_parts.append(Part(part.corpus, part.lane, part.oldest, *rows))
        return batch_parts

    def size(self, batch: int) -> int:
        """The rows of a batch."""
        return int(self._chosen(batch)[1].sum())

    def _chosen(self, batch: int) -> tuple[int, np.ndarray]:
        """The stretch of a batch, and which of its rows are in it."""
        stretch = int(np.searchsorted(self._ends, batch, side="right"))
        cut = self._cut(stretch)
        first = int(self._ends[stretch]) - len(cut)
        rows = np.zeros(sum(map(len, cut)), dtype=bool)
        rows[cut[batch - first]] = True
        return stretch, rows

    @lru_cache(maxsize=4)  # noqa: B019 - a plan lives as long as its epoch
    def _stretch(self, stretch: int) -> list[Part]:
        """The parts of the plain batches of a stretch; all groups are needed until its end."""
        batches = range(stretch * STRETCH, min((stretch + 1) * STRETCH, self._plain))
        parts, oldest = [], dict[tuple[int, int], int]()
        for batch in batches:
            for part in super().parts(batch):
                needed = oldest.setdefault((part.corpus, part.lane), part.oldest)
                parts.append(part._replace(oldest=needed))
        return parts

    @lru_cache(maxsize=4)  # noqa: B019
    def _cut(self, stretch: int) -> list[np.ndarray]:
        """The batches of a stretch, as places among its rows."""
        parts = self._stretch(stretch)
        seconds = np.concatenate(
            [self._lengths[p.corpus][self._begins[p.corpus][p.groups] + p.rows] for p in parts]
        )
        order = np.argsort(seconds, kind="stable")[::-1]
        cuts, first = list[np.ndarray](), 0
        while first < len(order):  # the longest comes first: all others are padded to it
            longest = max(float(seconds[order[first]]), 1e-6)
            size = max(1, min(self._order.batch_size, int(self._order.max_seconds / longest)))
            cuts.append(order[first : first + size])
            first += size
        if self._order.shuffle:
            by = noise(self._key("stretch", stretch), np.arange(len(cuts)))
            cuts = [cuts[at] for at in np.argsort(by)]
        return cuts
