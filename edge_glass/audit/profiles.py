"""Traces of a shard: what audits have to know of its rows, read once and kept by its checksum.

A trace is one Parquet file or more, each whole or absent. It depends on the shard's bytes alone, so
a shard that another version or config shares is never read again, and a run that was stopped
goes on at the next shard.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.audit import audited_shards
from edge_glass.audit.audited_shards import Shard
from edge_glass.core import duck, parquet, records
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.progress import Progress
from edge_glass.pipeline.executor import Pool

PLACE: list[tuple[str, pa.DataType]] = [  # of what a row of a trace tells of
    ("row", pa.int64()),
    ("item", pa.int64()),  # the number of the medium or text in the shard
    ("id", pa.string()),
    ("column", pa.string()),
]


class Trace(ABC):
    """How a shard is read. It pickles, and its repr tells it from every other."""

    name: ClassVar[str]  # of its folder
    schemas: ClassVar[dict[str, pa.Schema]]  # of each file, by name

    @abstractmethod
    def tables(self, shard: Shard) -> Iterator[dict[str, pa.Table]]:
        """Rows for each file, a few at a time."""

    def libraries(self) -> dict[str, str]:
        """What the trace depends on besides the shard."""
        return {}


@dataclass(frozen=True)
class Task:
    """A shard to be traced: everything a process needs to know of it."""

    trace: Trace
    shard: Shard
    folder: Path

    def __str__(self) -> str:
        return str(self.shard)

    @property
    def files(self) -> dict[str, Path]:
        """Where its tables go, by name."""
        return {name: path(self.folder, self.shard, name) for name in self.trace.schemas}

    @property
    def record(self) -> Path:
        """What says that the files are whole, written last."""
        return self.folder / f"{self.shard.sha256}.json"


def place(out: Path, trace: Trace) -> Path:
    """The folder of all traces of a kind."""
    identity = json.dumps([repr(trace), trace.libraries()], sort_keys=True)
    return out / "traces" / f"{trace.name}-{sha256(identity.encode()).hexdigest()[:12]}"


def path(folder: Path, shard: Shard, name: str) -> Path:
    """The file of a table of a shard."""
    return folder / f"{shard.sha256}.{name}.parquet"


def ensure(
    trace: Trace, shards: list[Shard], out: Path, pool: Pool, jobs: int, progress: Progress
) -> Path:
    """Trace all shards that are not traced yet; returns the folder with the traces of all."""
    folder = place(out, trace)
    folder.mkdir(parents=True, exist_ok=True)
    once = {shard.sha256: Task(trace, shard, folder) for shard in shards}
    left = [task for task in once.values() if not _whole(task)]
    rows = sum(task.shard.rows for task in left)
    with progress.rows(f"read {trace.name}", rows, pool.rows_done):
        for _ in pool.run(make, left, jobs):
            pass
    return folder


def _whole(task: Task) -> bool:
    record = records.read(task.record) or {}
    written = ((path, record.get(name, (None, None))) for name, path in task.files.items())
    return not any(records.fault(path, *known) for path, known in written)


def make(task: Task) -> None:
    """Write the trace of one shard."""
    if _whole(task):
        return
    schemas, files = task.trace.schemas, dict[str, AtomicFile]()
    with ExitStack() as stack:
        writers = {}
        for name, file in task.files.items():
            files[name] = stack.enter_context(AtomicFile(file))
            writer = pq.ParquetWriter(files[name], schemas[name], compression="zstd")
            writers[name] = stack.enter_context(writer)
        for tables in task.trace.tables(task.shard):
            for name, table in tables.items():
                writers[name].write_table(table)
    records.write(task.record, {name: [file.size, file.sha256] for name, file in files.items()})


def sql(connection: duckdb.DuckDBPyConnection, shards: list[Shard], folder: Path, name: str) -> str:
    """SQL for all rows of a trace, with what is known of their shards."""
    paths = [path(folder, shard, name) for shard in shards]
    connection.register(f"shards_{name}", audited_shards.table(shards, paths))
    files = ", ".join(duck.text(parquet.bounded(file)) for file in sorted(set(paths)))
    return f"read_parquet([{files}], filename = true) JOIN shards_{name} USING (filename)"
