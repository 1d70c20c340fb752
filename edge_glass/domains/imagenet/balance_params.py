"""The parameters of corpora that are drawn from many more rows than wanted, class by class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from edge_glass.core.key_digests import text_digests
from edge_glass.core.ledger import Outcome
from edge_glass.core.libraries import np, pa, pc
from edge_glass.core.row import OUTCOME, PLACE, Batches
from edge_glass.core.row_marks import marked
from edge_glass.domains.imagenet import class_sample
from edge_glass.domains.imagenet.class_params import ClassParams, Counts
from edge_glass.domains.imagenet.class_sample import Ranks, Rows
from edge_glass.domains.imagenet.classes import imagenet, our_wnid

RETRIEVED = "retrieved"  # the `origin` of rows that only fill up
CLASSES = 1000
NO_SCORE = "no similarity: see `edge-glass similarity`"
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

    def classed(self, rows: "pa.RecordBatch") -> "pa.RecordBatch":
        """The rows of a table with their classes.

        Args:
            rows: with `wnid` and `text_similarity`.

        Returns:
            Them with the columns of classes; without class or similarity they are dropped.
        """
        names = [our_wnid(wnid) for wnid in rows["wnid"].to_pylist()]
        wnids = pa.array(names, pa.string())
        left, own = rows[OUTCOME].is_null(), pa.array(~_filling(rows))
        no_class = pc.and_not(left, pc.is_in(wnids, self.by_label["wnid"]))
        no_score = pc.and_(pc.and_not(left, no_class), rows["text_similarity"].is_null())
        rows = marked(rows, no_class, Outcome.NO_CLASS, wnids.fill_null("None"))
        rows = marked(rows, pc.and_(no_score, own), Outcome.BLANK_FIELD, NO_SCORE)
        lost = np.asarray(pc.and_(left, rows[OUTCOME].is_valid()))
        ids = np.asarray(rows["id"])
        ids[lost] = text_digests(np.asarray(rows[PLACE])[lost])  # by its place, as of others
        columns = {"id": pa.array(ids, pa.string()), "wnid": wnids}
        for name, values in columns.items():
            rows = rows.set_column(rows.schema.get_field_index(name), name, values)
        for name, values in self.class_columns(names).items():
            rows = rows.append_column(name, values)
        return rows

    def undecided(self, rows: "pa.RecordBatch") -> "pa.Array":
        """The rows that a sample decides about: those of a table that can be read."""
        return rows[OUTCOME].is_null()

    def outside(self, rows: "pa.RecordBatch") -> "pa.Array":
        """Why the config leaves each row out; the similarity comes last."""
        from edge_glass.core.row_digests import json_numbers

        scores = np.asarray(rows["text_similarity"].fill_null(0.0))
        low = scores < _as_precise(max(self.above, self.threshold), scores)
        texts = pc.binary_join_element_wise(f"{LOW} ", json_numbers(rows["text_similarity"]), "")
        why = pc.if_else(pa.array(low & ~_filling(rows)), texts, None)
        return pc.coalesce(*self._unwanted(rows), super().outside(rows), why)

    def wanted(self) -> dict[str, str]:
        """The values that columns of a row must have, if a corpus asks for such."""
        return {}

    def _unwanted(self, rows: "pa.RecordBatch") -> "Iterator[pa.Array]":
        for column, value in self.wanted().items():
            there = rows[column].fill_null("None")
            why = pc.binary_join_element_wise(f"{column.upper()} is ", there, "")
            yield pc.if_else(pc.equal(there, value), None, why)

    def standing(self, rows: "pa.RecordBatch") -> Rows:
        """A row below the threshold comes back where its class would be lost."""
        scores = np.asarray(rows["text_similarity"].fill_null(0.0))
        above, threshold = (_as_precise(t, scores) for t in (self.above, self.threshold))
        near = np.asarray(rows[OUTCOME].is_null()) & (above <= scores) & (scores < threshold)
        lost = np.asarray(pc.starts_with(self.outside(rows), LOW).fill_null(False))
        standings = super().standing(rows)
        standings[near] = np.where(lost[near], class_sample.LOST, class_sample.OUT)
        return standings

    def group(self, rows: "pa.RecordBatch") -> Rows:
        """A class's rows of its own and those that fill up are drawn apart."""
        return super().group(rows) + (CLASSES * _filling(rows)).astype(np.int16)

    def sample(self, ranks: Ranks, wanted: Counts | None = None) -> Rows:
        """What is kept of each class, and of what fills it up."""
        if self.match_freq:
            return self._filled(ranks, wanted or {})
        if self.lastk:
            return super().sample(ranks, wanted)
        return class_sample.share(ranks, 2 * CLASSES, self.n or self.fraction)

    def paper_sample(self, batches: Batches) -> Rows:
        """What is kept where the paper's code draws, as `sample` describes it."""
        ranks = self.ranks(batches)
        return class_sample.original_share(ranks, CLASSES, self.n or self.fraction)

    def _filled(self, ranks: Ranks, wanted: Counts) -> Rows:
        """As many rows as wanted, the rest out of what was retrieved."""
        own = ranks.labels < CLASSES
        again = ~own & np.isin(ranks.ranks, ranks.ranks[own & ranks.inside])
        ranks.standings[again] = class_sample.OUT  # what both have is taken once
        targets = [wanted.get(each.wnid, 0) for each in imagenet()]
        counts = ranks.counts(2 * CLASSES)[:CLASSES]
        missing = [max(0, want - have) for want, have in zip(targets, counts, strict=True)]
        return class_sample.quotas(ranks, [*targets, *missing])


def _as_precise(threshold: float, scores: Rows) -> Rows:
    """A threshold in 32 bits where a score has no more: .7 in such a table is not below .7."""
    narrow = scores.astype(np.float32) == scores
    return np.where(narrow, float(np.float32(threshold)), threshold)


def _filling(rows: "pa.RecordBatch") -> Rows:
    return np.asarray(pc.equal(rows["origin"], RETRIEVED).fill_null(False))
