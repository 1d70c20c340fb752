"""The second pass: the pieces of one bucket -> a part, and its ledger."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from edge_glass import pool
from edge_glass.ledger import Outcome
from edge_glass.shards import CHUNKING, Whole, Written, write_json
from edge_glass.tables import engine, stats
from edge_glass.tables.layout import Layout, quoted
from edge_glass.tables.scatter import ORDINAL

FOLDER = "metadata"  # of the parts
NAMES = "names.json"  # of all chunks, in source order
ROWS = 100_000  # in memory at a time, and in a row group

LEDGER = pa.schema(
    [
        ("source", pa.string()),
        ("row", pa.int64()),  # in its chunk, from 0, without the header
        ("outcome", pa.string()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class Task:
    """A part to be written: everything a process needs to know of it."""

    work: Path
    out: Path
    part: int
    parts: int
    layout: Layout
    seed: int | None
    memory: int

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"part-{self.part:05d}-of-{self.parts:05d}.parquet"


def make(task: Task) -> dict[str, Any]:
    """Write a part and its ledger, then a record of both."""
    record = task.work / f"{task.name}.json"
    if not record.is_file():
        write_json(record, _made(task))
    found: dict[str, Any] = json.loads(record.read_text())
    return found


def _made(task: Task) -> dict[str, Any]:
    name, book = f"{FOLDER}/{task.name}", f"ledger/{task.name}"
    with engine.connected(task.memory, task.work) as connection:
        with (
            File(task.out / name, task.layout.published()) as part,
            File(task.out / book, LEDGER) as ledger,
        ):
            outcomes, flagged = _written(_rows(task, connection), part, ledger)
        return {
            "outcomes": outcomes,
            "flagged": flagged,
            "part": {"file": name, **part.written()},
            "ledger": {"file": book, **ledger.written()},
            "stats": stats.of(connection, task.out / name, task.layout),
        }


def _written(
    rows: Iterator[pa.RecordBatch], part: "File", ledger: "File"
) -> tuple[dict[str, int], int]:
    """Outcomes, and how many of the rows that are kept have something odd about them."""
    outcomes, flagged = Counter[str](), 0
    for batch in rows:
        kept = pc.equal(batch["outcome"], Outcome.KEPT)
        part.write(batch.filter(kept))
        ledger.write(batch)
        flagged += pc.sum(pc.and_(kept, pc.not_equal(batch["detail"], ""))).as_py() or 0
        counts = batch["outcome"].value_counts().to_pylist()
        found = Counter({item["values"]: item["counts"] for item in counts})
        outcomes += found
        pool.count(batch.num_rows, batch.num_rows - found[Outcome.KEPT])
    return dict(sorted(outcomes.items())), flagged


class File:
    """A Parquet file that is whole or absent, written a batch at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._whole, self._schema, self._rows = Whole(path), schema, 0

    def __enter__(self) -> "File":
        with ExitStack() as stack:
            file = stack.enter_context(self._whole)
            writer = pq.ParquetWriter(
                file,
                self._schema,
                compression="zstd",
                write_page_index=True,
                use_content_defined_chunking=CHUNKING,
            )
            self._writer = stack.enter_context(writer)
            self._stack = stack.pop_all()
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Those columns of a batch that the file has."""
        self._writer.write_batch(batch.select(self._schema.names).cast(self._schema))
        self._rows += batch.num_rows

    def written(self) -> dict[str, Any]:
        return asdict(Written(self._rows, self._whole.size, self._whole.sha256))

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def _rows(task: Task, connection: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    """All rows of a bucket in the order of the part, each with what became of it."""
    pieces = sorted(map(str, task.work.glob(f"span-*/pieces/bucket={task.part}/*.parquet")))
    if not pieces:
        return
    names = json.loads((task.work / NAMES).read_text())
    connection.register("names", pa.table({"chunk": range(len(names)), "name": names}))
    pieces_sql = f"read_parquet([{', '.join(map(engine.text, pieces))}], hive_partitioning = false)"
    keys = list(map(quoted, task.layout.keys))
    equal = " AND ".join(f"rows.{key} = again.{key}" for key in keys)
    order = "position" if task.seed is None else f"hash(position, {task.seed}), position"
    first = f"earlier.name || ' row ' || again.first % {ORDINAL}"
    yield from connection.sql(f"""
        WITH rows AS (FROM {pieces_sql}),
        again AS (
            SELECT {", ".join(keys)}, min(position) AS first FROM rows WHERE dropped IS NULL
            GROUP BY ALL HAVING count(*) > 1
        )
        SELECT names.name AS source, position % {ORDINAL} AS row,
            CASE
                WHEN dropped IS NOT NULL THEN dropped
                WHEN position > first THEN '{Outcome.DUPLICATE}'
                ELSE '{Outcome.KEPT}'
            END AS outcome,
            CASE WHEN position > first THEN 'of ' || {first} ELSE detail END AS detail,
            {", ".join(f"rows.{quoted(name)}" for name in task.layout.columns)}
        FROM rows
        JOIN names ON names.chunk = position // {ORDINAL}
        LEFT JOIN again ON dropped IS NULL AND {equal}
        LEFT JOIN names AS earlier ON earlier.chunk = again.first // {ORDINAL}
        ORDER BY {order}
    """).to_arrow_reader(ROWS)
