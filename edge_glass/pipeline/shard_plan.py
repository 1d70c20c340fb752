"""The plan of a build on disk: one file a shard that lists its source rows.

Where a shard ends follows from the ids of its rows, within bounds of size: a row that comes or goes
moves the cuts near it, and all shards farther on stay what they are.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from itertools import groupby, islice, pairwise
from operator import attrgetter
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from edge_glass.core import records
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.key_digests import KEY, second_rank, second_ranks
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.libraries import np, pa
from edge_glass.core.progress import Progress, Tally
from edge_glass.core.row import OUTCOME, Part, Row, rows_of_batch
from edge_glass.corpora.corpus import Corpus
from edge_glass.corpora.selection import Selection
from edge_glass.sources.fields import marked, preview
from edge_glass.sources.raw import Raw

if TYPE_CHECKING:
    from edge_glass.pipeline.row_batches import Reading

PLAN = "plan.json"
SHARD_BYTES = 500_000_000  # on average; none but the last has less than half, none twice as many
BLOCK = 200  # rows on a line of a plan's file: a line each would take twice the time
FETCHED_ROWS = 10_000  # fill a shard if they are fetched one by one: what a kill can cost
_values = attrgetter(*(field.name for field in fields(Row)))


@dataclass(frozen=True)
class Order:
    """One shard to be written: its split, number among the split's shards, and source rows."""

    split: str
    number: int
    rows: int
    sha256: str  # of the file that lists the rows
    batched: bool = False  # whether that file holds Arrow batches

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
    *,
    jobs: int = 1,
    ray: str | None = None,
) -> Planned:
    """Cut all rows into orders of about 500 MB of Parquet; a second call reads the first's plan.

    The cut depends on the ids of the rows and the sizes of their media alone. `jobs` processes, or
    those of the cluster at `ray`, read rows that come as batches.
    """
    file, progress = folder / PLAN, progress or Progress()
    if (planned := _planned(file)) is None:
        if corpus.batched(raw):
            planned = _of_batches(corpus, raw, folder, limit, progress, jobs=jobs, ray=ray)
        else:
            selection = Selection.of(corpus, raw, limit, progress)
            planned = _cut(_Cutter(corpus, raw, selection, folder, Tally()), progress)
        records.write(file, asdict(planned))
    return planned


def few(corpus: Corpus, raw: Raw) -> dict[str, int] | None:
    """How many rows each split has, if they are one shard even where none is dropped; else None.

    Rows are counted then, and what becomes of each is left to a build.
    """
    rows, batched = dict[str, int](), corpus.batched(raw)
    for split in corpus.chosen_splits():
        if parts := corpus.parts(split, raw):
            rows[split] = sum(map(_count, parts))
            most = _batch_weight(corpus, raw) if batched else _most(corpus, raw, split)
            size = rows[split] * most
        else:
            rows[split] = size = 0
            for row in corpus.source_rows(split, raw):
                rows[split] += 1
                with suppress(Dropped):
                    size += _weight(corpus, raw, row)
        if _chance(size, 1) > 0:
            return None
    return rows


def _count(part: Part) -> int:
    """The rows of a part; some can tell without working out what is in their columns."""
    count = getattr(part, "count", None)
    return count() if count else sum(batch.num_rows for batch in part.batches())


def _of_batches(
    corpus: Corpus,
    raw: Raw,
    folder: Path,
    limit: int | None,
    progress: Progress,
    *,
    jobs: int,
    ray: str | None,
) -> Planned:
    from edge_glass.pipeline import row_batches

    parts = folder / "parts"
    rmtree(parts, ignore_errors=True)  # of a run that was killed
    parts.mkdir(parents=True)
    every = row_batches.readings(corpus, raw, parts)
    _read_parts(every, corpus.config.name, progress, jobs=jobs, ray=ray)

    def batches(
        split: str, last: bool = False, only: Collection[str] = ()
    ) -> "Iterator[pa.RecordBatch]":
        for reading in every:
            if reading.split == split:
                yield from row_batches.read(reading.file, only=only)
                if last:
                    reading.file.unlink()

    def selected(split: str) -> "Iterator[pa.RecordBatch]":
        as_read = taken[split] is there[split]
        return batches(split, only=(OUTCOME, KEY)) if as_read else taken[split]()

    def cut(split: str) -> "Iterator[pa.RecordBatch]":
        as_read = taken[split] is there[split]  # nobody reads a file twice
        return batches(split, last=True) if as_read else taken[split]()

    there = {split: partial(batches, split) for split in corpus.chosen_splits()}
    taken = {split: corpus.sampled(every_batch, raw) for split, every_batch in there.items()}
    selection = Selection.of(corpus, raw, limit, progress, selected)
    cutter = _BatchCutter(corpus, raw, selection, folder, Tally(), cut)
    planned = _cut(cutter, progress)
    rmtree(parts)
    return planned


def _read_parts(
    every: "list[Reading]", config: str, progress: Progress, *, jobs: int, ray: str | None
) -> None:
    from edge_glass.pipeline import row_batches
    from edge_glass.pipeline.executor import elsewhere, started

    with started(ray) as pool, progress.rows(f"read {config}", 0, pool.rows_done):
        for reading, _ in pool.run(row_batches.write_part, every, jobs):
            if not reading.file.is_file():
                raise elsewhere(reading, reading.file.parent)


def _cut(cutter: "_Cutter", progress: Progress) -> Planned:
    rows = cutter.selection.rows
    with progress.rows(f"plan {cutter.corpus.config.name}", sum(rows.values()), cutter.tally):
        return Planned(rows, [order for split in rows for order in cutter.orders(split)])


def _planned(file: Path) -> Planned | None:
    """A plan that was made before, None if a part of it is not there or changed since."""
    record = records.read(file)
    if record is None:
        return None
    planned = Planned(record["rows"], [Order(**order) for order in record["orders"]])
    paths = ((path(file.parent, order.stem), order.sha256) for order in planned.orders)
    whole = all(rows.is_file() and records.sha256(rows) == sha256 for rows, sha256 in paths)
    return planned if whole else None


def read(folder: Path, order: Order, archive: str = "") -> Iterator[Row]:
    """The source rows of an order; those that come in batches fetch of `archive`.

    Raises EdgeGlassError if its file is damaged.
    """
    if order.batched:
        for batch in read_batches(folder, order):
            yield from rows_of_batch(batch, archive)
        return
    try:
        with gzip.open(path(folder, order.stem), "rt", encoding="utf-8") as file:
            for line in file:
                yield from map(_row, json.loads(line))
    except (EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        from edge_glass.pipeline import row_batches

        raise row_batches.damaged(path(folder, order.stem), error) from error


def read_batches(folder: Path, order: Order) -> "Iterator[pa.RecordBatch]":
    """The rows of an order that is `batched`. Raises EdgeGlassError if its file is damaged."""
    from edge_glass.pipeline import row_batches

    return row_batches.read(path(folder, order.stem), order.sha256)


@dataclass
class _Shard:
    """The shard that rows are put into: how full it is, and whether its last row ends it.

    From half the size on a row ends it by chance, which its id decides and which rises with the
    size: so two lists soon meet again behind a place where they differ.
    """

    number: int = 0
    size: int = 0
    ended: bool = False

    def put(self, weight: int, rank: Callable[[], int]) -> int:
        """The number of the shard that a row of this weight goes to; one of 0 begins none."""
        if weight:
            self._begin(weight)
            self.size += weight
            chance = _chance(self.size, weight)
            self.ended = chance > 0 and rank() / 2**64 < chance
        return self.number

    def put_all(self, weight: int, ranks: "np.ndarray") -> list[int]:
        """Put rows of one weight; gives the positions of those that begin a shard."""
        begun, at = list[int](), 0
        while at < len(ranks):
            if self._begin(weight):
                begun.append(at)
            room = max(1, (2 * SHARD_BYTES - self.size) // weight)
            sizes = self.size + weight * np.arange(1, len(ranks[at : at + room]) + 1)
            ends = np.flatnonzero(ranks[at : at + room] / 2**64 < _chance(sizes, weight))
            taken = int(ends[0]) + 1 if len(ends) else len(sizes)
            self.size, self.ended, at = int(sizes[taken - 1]), bool(len(ends)), at + taken
        return begun

    def _begin(self, weight: int) -> bool:
        """Begin another shard, if a row of this weight does not go to this one."""
        begin = self.size > 0 and (self.ended or self.size + weight > 2 * SHARD_BYTES)
        if begin:
            self.number, self.size, self.ended = self.number + 1, 0, False
        return begin


def _chance(size: Any, weight: int) -> Any:
    """That a row ends a shard of this size: with it shards have `SHARD_BYTES` on average."""
    return 6.4 * (size - SHARD_BYTES // 2) * weight / SHARD_BYTES**2


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
            yield self._write(split, number, (rows for _, rows in group))
        if number == -1:
            yield self._write(split, 0, ())

    def _numbered(self, split: str) -> Iterator[tuple[int, Any]]:
        """Each row with the number of its shard."""
        shard, seed = _Shard(), self.corpus.config.seed
        for row in self.selection.rows_of(self.corpus, split, self.raw):
            yield (
                shard.put(_weight(self.corpus, self.raw, row), partial(second_rank, seed, row.id)),
                row,
            )

    def _write(self, split: str, number: int, rows: Iterable[Any]) -> Order:
        with AtomicFile(path(self.folder, f"{split}-{number:05d}")) as file:
            count = self._write_rows(file, rows)
        return Order(split, number, count, file.sha256, isinstance(self, _BatchCutter))

    def _write_rows(self, file: AtomicFile, rows: Iterable[Any]) -> int:
        count, left = 0, iter(rows)
        while block := list(islice(left, BLOCK)):
            file.write(gzip.compress(_text(block).encode() + b"\n", 1, mtime=0))
            count += len(block)
            self.tally.add(len(block))
        return count


@dataclass(frozen=True)
class _BatchCutter(_Cutter):
    """Writes down rows that come as batches."""

    batches: "Callable[[str], Iterator[pa.RecordBatch]]"

    def _numbered(self, split: str) -> "Iterator[tuple[int, pa.RecordBatch]]":
        """Pieces of batches, each with the number of its shard: all rows weigh the same."""
        shard, start, weight = _Shard(), 0, _batch_weight(self.corpus, self.raw)
        for batch in self.batches(split):
            ranks, number, end = second_ranks(batch[KEY]), shard.number, batch.num_rows
            rows = self.selection.marked(batch, split, start)
            if self.corpus.config.licences:
                licence = [name for name in ("license",) if name in rows.schema.names]
                rows = marked(rows, licence, self.corpus.unlicensed)
            kept = np.flatnonzero(rows[OUTCOME].is_null().to_numpy(zero_copy_only=False))
            begun = kept[shard.put_all(weight, ranks[kept])].tolist()
            self.tally.add(end)
            start += end
            for at, (first, last) in enumerate(pairwise([0, *begun, end])):
                if last > first:
                    yield number + at, rows.slice(first, last - first)

    def _write_rows(self, file: AtomicFile, rows: "Iterable[pa.RecordBatch]") -> int:
        from edge_glass.pipeline import row_batches

        return row_batches.write(file, rows)


def _weight(corpus: Corpus, raw: Raw, row: Row) -> int:
    """Bytes of Parquet, about; a row that is fetched weighs at least its part of a shard."""
    if row.dropped is not None:
        return 0
    names = [row.media[1], *row.extra_members] if row.media else []
    sizes = [raw.size(row.media[0], name) for name in names] if row.media else []
    weight = corpus.row_weight(row, sum(filter(None, sizes)))
    least = SHARD_BYTES // FETCHED_ROWS if row.fetch_request else 0
    return max(weight, least) if weight else 0


def _batch_weight(corpus: Corpus, raw: Raw) -> int:
    """The same of each row that comes in batches."""
    remote = raw.remote.get(corpus.fetched)
    weight = corpus.row_bytes(remote.row_bytes if remote else 0)
    return max(weight, SHARD_BYTES // FETCHED_ROWS) if remote else weight


def _most(corpus: Corpus, raw: Raw, split: str) -> int:
    """What a row that comes in batches weighs at most, if its media is a file of a folder."""
    folder = corpus.sources(split)[-1]
    sizes = (raw.size(folder, name) or 0 for name in raw.names(folder))
    return corpus.row_bytes(max(sizes, default=0))


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
    return folder / f"{stem}.rows"


def _row(values: list[Any]) -> Row:
    row = Row(*values)
    row.media = (row.media[0], row.media[1]) if row.media else None
    row.dropped = (row.dropped[0], row.dropped[1]) if row.dropped else None
    return row
