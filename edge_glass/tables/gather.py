"""The second pass: the pieces of one bucket -> a part, and its ledger."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import duck
from edge_glass.core.ledger import Outcome
from edge_glass.sources.table_layout import quoted
from edge_glass.tables import parts, stats
from edge_glass.tables.scatter import ORDINAL, Run

NAMES = "names.json"  # of all chunks, in source order
ROWS = 100_000  # in memory at a time, and in a row group


@dataclass(frozen=True)
class Task:
    """A part to be written."""

    run: Run
    part: int

    def __str__(self) -> str:
        return parts.name(self.part, self.run.parts)


class Record(parts.PartRecord):
    """What the record of a part says."""

    flagged: int  # rows that are kept though something is odd about them
    stats: str  # JSON of a stats.PartStats, as one text: Python is slow to indent 10,000 numbers


def make(task: Task) -> Record:
    """Write a part and its ledger, then a record of both."""
    return parts.recorded(task.run.work / f"{task}.json", task.run.out, lambda: _part(task))


def _part(task: Task) -> Record:
    run, flagged = task.run, 0
    with duck.connected(run.memory, run.work) as connection:
        with parts.pair(run.out, str(task), run.layout.published()) as pair:
            for batch in _rows(task, connection):
                kept = pair.write(batch)
                flagged += pc.sum(pc.not_equal(kept["detail"], "")).as_py() or 0
        written = pair.written()
        counts = stats.of(connection, run.out / written["part"]["file"], run.layout)
        return {**written, "flagged": flagged, "stats": json.dumps(counts)}


def _rows(task: Task, connection: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    """All rows of a bucket in the order of the part, each with what became of it."""
    run = task.run
    pieces = sorted(map(str, run.work.glob(f"span-*/pieces/bucket={task.part}/*.parquet")))
    if not pieces:
        return
    names = json.loads((run.work / NAMES).read_text())
    connection.register("names", pa.table({"chunk": range(len(names)), "name": names}))
    pieces_sql = f"read_parquet([{', '.join(map(duck.text, pieces))}], hive_partitioning = false)"
    keys = list(map(quoted, run.layout.keys))
    equal = " AND ".join(f"rows.{key} = again.{key}" for key in keys)
    order = "position" if run.seed is None else f"hash(position, {run.seed}), position"
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
            {", ".join(f"rows.{quoted(name)}" for name in run.layout.columns)}
        FROM rows
        JOIN names ON names.chunk = position // {ORDINAL}
        LEFT JOIN again ON dropped IS NULL AND {equal}
        LEFT JOIN names AS earlier ON earlier.chunk = again.first // {ORDINAL}
        ORDER BY {order}
    """).to_arrow_reader(ROWS)
