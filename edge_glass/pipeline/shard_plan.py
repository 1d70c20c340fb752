"""The plan of a build on disk: one file a shard that lists its source rows, cut by size."""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from edge_glass.core import records
from edge_glass.core.atomic_files import Whole
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Outcome
from edge_glass.core.progress import Progress, Silent, Tally
from edge_glass.core.row import Row
from edge_glass.corpora.corpus import Corpus
from edge_glass.corpora.selection import Selection
from edge_glass.sources.fields import preview
from edge_glass.sources.raw import Raw

PLAN = "plan.json"
SHARD_BYTES = 500_000_000
BLOCK = 200  # rows on a line of a plan's file: a line each would take twice the time
MAX_FETCHED = 10_000  # rows of a shard that are fetched one by one: what a kill can cost
_values = attrgetter(*(field.name for field in fields(Row)))


@dataclass(frozen=True)
class Order:
    """One shard to be written: its split, number among the split's shards, and source rows."""

    split: str
    number: int
    rows: int
    sha256: str  # of the file that lists the rows

    @property
    def stem(self) -> str:
        """`train-00000`, with which the names of its files begin."""
        return f"{self.split}-{self.number:05d}"


@dataclass(frozen=True)
class Planned:
    """The source rows of each split, and the shards that they are cut into."""

    rows: dict[str, int]
    orders: list[Order]

    @cached_property
    def shards(self) -> Counter[str]:
        """How many a split has."""
        return Counter(order.split for order in self.orders)

    def name(self, order: Order) -> str:
        """`train-00000-of-00003.parquet`."""
        return f"{order.stem}-of-{self.shards[order.split]:05d}.parquet"


def plan(
    corpus: Corpus,
    raw: Raw,
    folder: Path,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Planned:
    """Cut all rows into orders of about 500 MB of Parquet; a second call reads the first's plan.

    The cut depends on the rows and the sizes of their media alone.
    """
    file, progress = folder / PLAN, progress or Silent()
    if (planned := _planned(file)) is None:
        selection, tally = Selection.of(corpus, raw, limit, progress), Tally()
        what, total = f"plan {corpus.config.name}", sum(selection.rows.values())
        cutter = _Cutter(corpus, raw, selection, folder, tally)
        with progress.rows(what, total, tally):
            orders = [order for split in selection.rows for order in cutter.orders(split)]
        planned = Planned(selection.rows, orders)
        records.write(file, asdict(planned))
    return planned


def _planned(file: Path) -> Planned | None:
    """A plan that was made before, None if a part of it is not there or changed since."""
    record = records.read(file)
    if record is None:
        return None
    planned = Planned(record["rows"], [Order(**order) for order in record["orders"]])
    paths = ((path(file.parent, order.stem), order.sha256) for order in planned.orders)
    whole = all(rows.is_file() and records.sha256(rows) == sha256 for rows, sha256 in paths)
    return planned if whole else None


def read(folder: Path, order: Order) -> Iterator[Row]:
    """The source rows of an order. Raises EdgeGlassError if its file is damaged."""
    try:
        with gzip.open(path(folder, order.stem), "rt", encoding="utf-8") as file:
            for line in file:
                yield from map(_row, json.loads(line))
    except (EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path(folder, order.stem)}: damaged ({error}): run the same command again, it is "
            "made anew"
        ) from error


@dataclass(frozen=True)
class _Cutter:
    """Writes down the rows of a corpus, a file for each shard to be."""

    corpus: Corpus
    raw: Raw
    selection: Selection
    folder: Path
    tally: Tally

    def orders(self, split: str) -> Iterator[Order]:
        number = -1
        for number, group in groupby(self._numbered(split), lambda item: item[0]):
            yield self._write(split, number, (row for _, row in group))
        if number == -1:
            yield self._write(split, 0, ())

    def _numbered(self, split: str) -> Iterator[tuple[int, Row]]:
        """Each row with the number of its shard."""
        number = size = fetched = 0
        for row in self.selection.rows_of(self.corpus, split, self.raw):
            weight = 0
            if row.dropped is None:
                names = [row.media[1], *row.extra_members] if row.media else []
                sizes = [self.raw.size(row.media[0], name) for name in names] if row.media else []
                weight = self.corpus.row_bytes(sum(filter(None, sizes)))
            if size and (size + weight > SHARD_BYTES or fetched == MAX_FETCHED):
                number, size, fetched = number + 1, 0, 0
            size += weight
            fetched += bool(weight and row.fetch_request)
            yield number, row

    def _write(self, split: str, number: int, rows: Iterable[Row]) -> Order:
        count, left = 0, iter(rows)
        with Whole(path(self.folder, f"{split}-{number:05d}")) as file:
            while block := list(islice(left, BLOCK)):
                file.write(gzip.compress(_text(block).encode() + b"\n", 1, mtime=0))
                count += len(block)
                self.tally.add(len(block))
        return Order(split, number, count, file.sha256)


def _text(rows: list[Row]) -> str:
    """Rows as JSON; one with a field that JSON has no word for is malformed_row."""
    try:
        return json.dumps([_values(row) for row in rows])
    except (TypeError, ValueError, RecursionError):
        for row in rows:
            for name, value in row.fields.items():
                try:
                    json.dumps(value)
                except (TypeError, ValueError, RecursionError):
                    row.dropped = (Outcome.MALFORMED_ROW, f"{name}: found {preview(value)}")
            row.fields = {} if row.dropped else row.fields
        return json.dumps([_values(row) for row in rows])


def path(folder: Path, stem: str) -> Path:
    """The file that lists the rows of a shard."""
    return folder / f"{stem}.rows.gz"


def _row(values: list[Any]) -> Row:
    row = Row(*values)
    row.media = (row.media[0], row.media[1]) if row.media else None
    row.dropped = (row.dropped[0], row.dropped[1]) if row.dropped else None
    return row
