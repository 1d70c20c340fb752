"""The parameters of corpora that are drawn from many more rows than wanted, class by class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from edge_glass.core.row import Row
from edge_glass.domains.imagenet import class_sample
from edge_glass.domains.imagenet.class_params import ClassParams, Counts, Rows
from edge_glass.domains.imagenet.class_sample import Positions, Ranks, Sample
from edge_glass.domains.imagenet.classes import imagenet

RETRIEVED = "retrieved"  # the `origin` of rows that only fill up
CLASSES = 1000
LOW = "similarity"
SIMILAR = 0.7  # of a text to the lemmas and definition of its class, in what was published


@dataclass
class BalanceParams(ClassParams):
    """A share of the rows that no class is lost from, or the class frequencies of another corpus.

    What Wen et al. (2024) do with LAIONet. Rows have `wnid`, `origin` and `text_similarity`.
    """

    above: Annotated[
        float, Field(ge=-1, le=1, description="text similarity that every row has at least")
    ] = SIMILAR
    threshold: Annotated[
        float, Field(ge=-1, le=1, description="similarity of a row, if its class is not lost by it")
    ] = SIMILAR
    fraction: Annotated[
        float | None,
        Field(gt=0, le=1, description="of the rows; a class that is lost gets its first row back"),
    ] = None
    n: Annotated[
        int | None,
        Field(ge=1, description="so many rows; lost classes are made up for by the 10 largest"),
    ] = None
    match_freq: Annotated[
        bool, Field(description="as many rows of each class as a frequency file says")
    ] = False

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        asked = {"fraction": self.fraction, "n": self.n, "match_freq": self.match_freq}
        asked |= {"lastk": self.lastk}
        if len(names := [name for name, value in asked.items() if value]) > 1:
            yield f"{' and '.join(names)} each say how many rows a class keeps: set one of them"
        if SIMILAR != self.threshold < self.above:
            yield f"threshold: every row has {self.above:g} (above) anyway: set above, too"
        if self.subset and self.draw == "original":
            yield "subset: draw original draws n rows or a fraction: set one of these"
        if self.match_freq and self.draw == "original":
            yield "match_freq: the paper's code draws without a seed, nobody can: unset draw"

    @property
    def needs_sample(self) -> bool:
        """Whether which row is kept depends on the others: a lost class comes back, too."""
        return True

    def outside(self, row: Row) -> str | None:
        """Why the config leaves a row out; the similarity comes last."""
        score = row.fields["text_similarity"]
        own = row.fields["origin"] != RETRIEVED
        low = own and score < _as_precise(max(self.above, self.threshold), score)
        return super().outside(row) or (f"{LOW} {score}" if low else None)

    def standing(self, row: Row) -> int:
        """A row below the threshold comes back where its class would be lost."""
        score = row.fields.get("text_similarity") or 0
        above, threshold = (_as_precise(t, score) for t in (self.above, self.threshold))
        if row.dropped or not above <= score < threshold:
            return super().standing(row)
        why = self.outside(row) or ""
        return class_sample.LOST if why.startswith(LOW) else class_sample.OUT

    def group(self, row: Row) -> int:
        """A class's rows of its own and those that fill up are drawn apart."""
        filling: bool = row.fields["origin"] == RETRIEVED
        return super().group(row) + CLASSES * filling

    def sample(self, ranks: Ranks, wanted: Counts | None = None) -> Sample:
        """What is kept of each class, and of what fills it up."""
        if self.match_freq:
            return self._filled(ranks, wanted or {})
        if self.lastk:
            trimmed = super().sample(ranks, wanted)
            return Sample([*trimmed.bounds, *[class_sample.ALL] * CLASSES])
        return class_sample.share(ranks, 2 * CLASSES, self.n or self.fraction)

    def paper_sample(self, rows: Rows) -> Positions:
        """What is kept where the paper's code draws, as `sample` describes it."""
        return class_sample.original_share(self.ranks(rows), CLASSES, self.n or self.fraction)

    def _filled(self, ranks: Ranks, wanted: Counts) -> Sample:
        """As many rows as wanted, the rest out of what was retrieved."""
        own = ranks.labels < CLASSES
        again = ~own & np.isin(ranks.ranks, ranks.ranks[own & ranks.inside])
        ranks.standings[again] = class_sample.OUT  # what both have is taken once
        targets = [wanted.get(each.wnid, 0) for each in imagenet()]
        counts = ranks.counts(2 * CLASSES)[:CLASSES]
        missing = [max(0, want - have) for want, have in zip(targets, counts, strict=True)]
        return class_sample.quotas(ranks, [*targets, *missing])


def _as_precise(threshold: float, score: float) -> float:
    """A threshold in 32 bits where the score has no more: .7 in such a table is not below .7."""
    narrow = float(np.float32(score)) == score
    return float(np.float32(threshold)) if narrow else threshold
