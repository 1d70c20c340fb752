"""A build once more: fetched are only rows that may fare better, or have changed meanwhile."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import accumulate, chain, groupby, islice
from pathlib import Path

import pyarrow.compute as pc

from edge_glass.core import finished, ledger, manifest, parquet
from edge_glass.core.ledger import Entry, Outcome
from edge_glass.core.manifest import File
from edge_glass.core.retries import HEALS
from edge_glass.core.row import Example, Row
from edge_glass.pipeline.shard_plan import Order

Examples = list[Example]
OK, UNCHANGED = 200, 304  # of HTTP


@dataclass(frozen=True)
class Before:
    """What an earlier build made of the rows of a shard to be; it can have cut them elsewhere."""

    folder: Path
    shards: tuple[File, ...]  # that have their examples
    skip: int  # examples of the first of these that are of rows before
    examples: int
    start: int  # of the rows in its ledger
    rows: int
    refresh: bool = False  # ask for all that was fetched, not for what failed alone


def of_orders(folder: Path, orders: Iterable[Order], refresh: bool) -> Iterator[Before]:
    """What an earlier build in `folder` made of each order; all of them are of the same rows."""
    splits, start = manifest.read(folder).splits, 0
    counts = _example_counts(folder / ledger.FILE)
    for split, own in groupby(orders, lambda order: order.split):
        shards, at = splits[split].shards, 0
        ends = [0, *accumulate(shard.rows for shard in shards)]
        for order in own:
            examples = sum(islice(counts, order.rows))
            first, last = bisect_right(ends, at) - 1, bisect_left(ends, at + examples)
            skip, some = at - ends[first], shards[first:last]
            yield Before(folder, some, skip, examples, start, order.rows, refresh)
            at, start = at + examples, start + order.rows


def _example_counts(path: Path) -> Iterator[int]:
    """How many examples each row of a ledger has; one where an earlier release did not say."""
    names = ["outcome", "text_digests"]
    for table in parquet.groups(path, [n for n in names if n in parquet.schema(path).names]):
        several = table["text_digests"] if "text_digests" in table.column_names else None
        counts = 1 if several is None else pc.fill_null(pc.list_value_length(several), 1)
        yield from pc.if_else(pc.equal(table["outcome"], Outcome.KEPT), counts, 0).to_pylist()


class Replay:
    """Takes rows that need not be fetched out of an earlier build, all others as they come.

    Raises EdgeGlassError if a shard is not what was recorded of it.
    """

    def __init__(self, before: Before) -> None:
        finished.check(before.folder, before.shards)
        self._refresh = before.refresh
        self._entries = entries(before.folder, before.start, before.rows)
        rows = chain.from_iterable(parquet.rows(before.folder / s.file) for s in before.shards)
        self._examples = InOrder(islice(rows, before.skip, before.skip + before.examples))
        self._known: deque[Entry] = deque()

    def marked(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows; those whose outcome stands are not to be fetched, others if they changed."""
        for row, entry in zip(rows, self._entries, strict=True):
            self._known.append(entry)
            if not self._again(entry):
                row.media = None
            elif row.fetch_request and entry.status == OK:
                row.fetch_request |= {"etag": entry.etag, "modified": entry.last_modified}
            yield row

    def take(self, row: Row, status: int | None) -> tuple[Entry, Examples] | None:
        """The entry and examples of the next row that `marked` gave; None if there are new ones.

        `status` is what the server said now, if it was asked.
        """
        entry = self._known.popleft()
        most = None if entry.text_digests is None else len(entry.text_digests)
        kept = entry.outcome == Outcome.KEPT
        examples = [*islice(self._examples.of(row.id), most)] if kept else []
        if self._again(entry) and status != UNCHANGED:
            return None
        return entry, examples

    def _again(self, entry: Entry) -> bool:
        return entry.outcome in HEALS or (self._refresh and entry.url is not None)


class InOrder:
    """The examples of a build in the order of its ledger, to be taken row by row of that."""

    def __init__(self, examples: Iterator[Example]) -> None:
        self._examples, self._next = examples, next(examples, None)

    def of(self, row: str) -> Iterator[Example]:
        """The next examples, as far as they were made of this row."""
        while self._next and of(self._next["id"], row):
            example, self._next = self._next, next(self._examples, None)
            yield example


def of(id: str, row: str) -> bool:
    """Whether an example with this id was made of this row."""
    return id == row or id.startswith(f"{row}#")


def entries(folder: Path, start: int, rows: int) -> Iterator[Entry]:
    """So many rows of the ledger of a build, one row group in memory."""
    with parquet.opened(folder / ledger.FILE) as file:
        there = file.schema_arrow.names  # earlier releases wrote fewer columns
        names = [field.name for field in fields(Entry) if field.name in there]
        for _, _, record in file.rows_at(range(start, start + rows), names):
            yield Entry(**record | {"outcome": Outcome(record["outcome"])})
