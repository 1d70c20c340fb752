"""The first pass: a span of chunks -> pieces, one a bucket, in which equal rows meet."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import duck, records
from edge_glass.core.atomic_files import sync_folder
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Outcome
from edge_glass.sources import chunk_rows
from edge_glass.sources.table_layout import Layout, quoted

ORDINAL = 2**40  # more rows than any chunk has: position = chunk * ORDINAL + row
SPAN_BYTES = 64_000_000  # of chunks that one task reads, or more:
SPANS = 1000  # so many at most, for each has a piece in every bucket
BUFFERED = 500_000  # rows in memory, over all buckets


@dataclass(frozen=True)
class Span:
    """Chunks that one task reads."""

    number: int
    first: int  # the number of its first chunk among all
    names: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Run:
    """What both passes need to know."""

    raw: Path
    out: Path
    work: Path
    layout: Layout
    parts: int
    seed: int | None
    memory: int  # of one task


@dataclass(frozen=True)
class Task:
    """A span to be read."""

    run: Run
    span: Span

    def __str__(self) -> str:
        return f"span {self.span.number} ({self.span.names[0]}…)"

    @property
    def folder(self) -> Path:
        """Where its pieces go."""
        return self.run.work / f"span-{self.span.number:06d}"


class Record(TypedDict):
    """What the record of a span says."""

    rows: int
    damaged: list[tuple[str, str]]  # chunks, and where each ends
    pieces: list[list[int]]  # their stamps


def spans(raw: Path, files: Sequence[Path]) -> list[Span]:
    """Cut the chunks into spans of about the same size, at least one chunk each."""
    cuts: list[Span] = []
    size = max(SPAN_BYTES, sum(path.stat().st_size for path in files) // SPANS)
    names: list[str] = []
    total = first = 0
    for number, path in enumerate(files):
        more = path.stat().st_size
        if names and total + more > size:
            cuts.append(Span(len(cuts), first, tuple(names), total))
            names, total, first = [], 0, number
        names.append(path.relative_to(raw).as_posix())
        total += more
    return [*cuts, Span(len(cuts), first, tuple(names), total)]


def state(raw: Path, files: Iterable[Path]) -> str:
    """Changes with the names, sizes and times of the chunks, and with how they are cut."""
    digest = hashlib.sha256(str(SPAN_BYTES).encode())
    for path in files:
        stat = path.stat()
        name = path.relative_to(raw).as_posix()
        digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def make(task: Task) -> Record:
    """Write the pieces of a span, then a record: its rows, and the chunks that are damaged."""
    record = task.folder / "done.json"
    if not _is_whole(record):
        shutil.rmtree(task.folder, ignore_errors=True)
        with TemporaryDirectory(dir=task.run.work, prefix="aside-") as temp:
            aside = Path(temp) / "span"
            aside.mkdir()
            records.write(aside / record.name, dict(_pieces(task, aside)))
            try:
                aside.rename(task.folder)
            except OSError:
                if not _is_whole(record):  # of a node that was thought lost, and was not
                    raise
        sync_folder(task.run.work)
    return cast("Record", records.read(record))


def _is_whole(record: Path) -> bool:
    """Whether a span has its record, and its pieces are as they were when it was written."""
    known = records.read(record)
    return known is not None and known.get("pieces") == _stamps(record.parent)


def _stamps(folder: Path) -> list[list[int]]:
    return [records.stamp(path) for path in sorted(folder.glob("pieces/**/*.parquet"))]


def _pieces(task: Task, folder: Path) -> Record:
    damaged: list[tuple[str, str]] = []
    faults: list[EdgeGlassError] = []  # raised inside DuckDB they would be another error's text
    run, half = task.run, task.run.memory // 2
    with duck.connected(half, folder) as source, duck.connected(half, folder) as sink:
        rows, schema = _rows(task, source, damaged, faults), run.layout.schema(position=pa.int64())
        sink.register("rows", pa.RecordBatchReader.from_batches(schema, rows))
        hashed = ", ".join([*map(quoted, run.layout.keys), str(run.seed or 0)])
        sink.execute(f"SET partitioned_write_flush_threshold = {BUFFERED // run.parts + 1}")
        [(written,)] = sink.execute(f"""
            COPY (
                SELECT *, CASE WHEN dropped IS NULL THEN hash({hashed}) ELSE hash(position) END
                    % {run.parts} AS bucket
                FROM rows
            ) TO {duck.text(folder / "pieces")}
            (FORMAT parquet, COMPRESSION lz4, PARTITION_BY (bucket))
        """).fetchall()
    if faults:
        raise faults[0]
    return {"rows": written, "damaged": damaged, "pieces": _stamps(folder)}


def _rows(
    task: Task,
    connection: duckdb.DuckDBPyConnection,
    damaged: list[tuple[str, str]],
    faults: list[EdgeGlassError],
) -> Iterator[pa.RecordBatch]:
    """All rows of a span, `position` in place of their number in the chunk."""
    try:
        for number, name in enumerate(task.span.names, task.span.first):
            for batch in chunk_rows.read(task.run.raw / name, task.run.layout, connection):
                ends = pc.equal(batch["dropped"], Outcome.DAMAGED_FILE)
                damaged += [(name, detail) for detail in batch["detail"].filter(ends).to_pylist()]
                position = pc.add(batch["row"], number * ORDINAL)
                columns = [position, *batch.columns[1:]]
                yield pa.record_batch(columns, names=["position", *batch.schema.names[1:]])
    except EdgeGlassError as error:
        faults.append(error)
