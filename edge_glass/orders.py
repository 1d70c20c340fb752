"""The plan of a build on disk: one file a shard that lists its source rows, cut by size."""

import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from edge_glass.corpus import Corpus, Row
from edge_glass.fetch.raw import Raw
from edge_glass.select import Selection
from edge_glass.shards import SHARD_BYTES, Whole, write_json

PLAN = "plan.json"
BLOCK = 200  # rows on a line of a plan's file: a line each would take twice the time
MAX_FETCHED = 10_000  # rows of a shard that are fetched one by one: what a kill can cost
_values = attrgetter(*(field.name for field in fields(Row)))


@dataclass(frozen=True)
class Order:
    """One shard to be written: its split, number among the split's shards, and source rows."""

    split: str
    number: int
    rows: int

    @property
    def stem(self) -> str:
        return f"{self.split}-{self.number:05d}"


def plan(corpus: Corpus, raw: Raw, selection: Selection, folder: Path) -> list[Order]:
    """Cut all rows into orders of about 500 MB of Parquet; a second call reads the first's plan.

    The cut depends on the rows and the sizes of their media alone.
    """
    planned = folder / PLAN
    if not planned.exists():
        orders = [
            o for split in selection.rows for o in _cut(corpus, raw, selection, split, folder)
        ]
        write_json(planned, [asdict(order) for order in orders])
    return [Order(**order) for order in json.loads(planned.read_text())]


def read(folder: Path, order: Order) -> Iterator[Row]:
    """The source rows of an order."""
    with gzip.open(path(folder, order.stem), "rt", encoding="utf-8") as file:
        for line in file:
            yield from map(_row, json.loads(line))


def shard_name(order: Order, orders: list[Order]) -> str:
    """`train-00000-of-00003.parquet`"""
    of = sum(other.split == order.split for other in orders)
    return f"{order.stem}-of-{of:05d}.parquet"


def _cut(
    corpus: Corpus, raw: Raw, selection: Selection, split: str, folder: Path
) -> Iterator[Order]:
    number = -1
    for number, group in groupby(_numbered(corpus, raw, selection, split), lambda item: item[0]):
        yield _write(folder, split, number, (row for _, row in group))
    if number == -1:
        yield _write(folder, split, 0, ())


def _numbered(
    corpus: Corpus, raw: Raw, selection: Selection, split: str
) -> Iterator[tuple[int, Row]]:
    """Each row with the number of its shard."""
    number = size = fetched = 0
    for row in selection.rows_of(corpus, split, raw):
        weight = 0
        if row.dropped is None:
            names = [row.media[1], *row.also] if row.media else []
            sizes = [raw.size(row.media[0], name) for name in names] if row.media else []
            weight = corpus.row_bytes(sum(filter(None, sizes)))
        if size and (size + weight > SHARD_BYTES or fetched == MAX_FETCHED):
            number, size, fetched = number + 1, 0, 0
        size += weight
        fetched += bool(weight and row.ask)
        yield number, row


def _write(folder: Path, split: str, number: int, rows: Iterable[Row]) -> Order:
    count, left = 0, iter(rows)
    with (
        Whole(path(folder, f"{split}-{number:05d}")) as whole,
        gzip.GzipFile(fileobj=whole, mode="wb", compresslevel=1, mtime=0) as packed,
        io.BufferedWriter(packed) as file,
    ):
        while block := [_values(row) for row in islice(left, BLOCK)]:
            file.write(json.dumps(block).encode() + b"\n")
            count += len(block)
    return Order(split, number, count)


def path(folder: Path, stem: str) -> Path:
    """The file that lists the rows of a shard."""
    return folder / f"{stem}.rows.gz"


def _row(values: list[Any]) -> Row:
    row = Row(*values)
    row.media = (row.media[0], row.media[1]) if row.media else None
    row.dropped = (row.dropped[0], row.dropped[1]) if row.dropped else None
    return row
