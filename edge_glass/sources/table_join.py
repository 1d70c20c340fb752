"""A short list of ids, and a long text table that says more of them: joined once, in flat memory.

The result stands in the order of the list, every row of it there, with nulls where the table has
nothing. DuckDB spills what is beyond its memory; the long table is read through once, as a stream.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
from filelock import FileLock

from edge_glass.core import duck, parquet
from edge_glass.core.atomic_files import disk_full, write_table
from edge_glass.core.errors import EdgeGlassError
from edge_glass.sources.table_layout import quoted

MEMORY = 2_000_000_000  # bytes
ROWS = 50_000  # at a time
BLOCK = 2**24  # bytes of text parsed at a time; no record may be longer
REMEDY = (
    "Make room there, or set EDGE_GLASS_CACHE to a larger disk, and run the same command again."
)
PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


@dataclass(frozen=True)
class Table:
    """A text file of tab-separated fields without a header or quotes, packed or not."""

    path: Path
    columns: dict[int, str]  # place -> name, of those that are wanted
    width: int  # fields of a record

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The wanted columns, as text; records of another width are left out."""
        names = [self.columns.get(place, f"field {place}") for place in range(self.width)]
        packed = PACKED.get(self.path.suffix)
        with pa.input_stream(str(self.path), compression=packed) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=names, block_size=BLOCK, use_threads=False
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter="\t", quote_char=False, invalid_row_handler=lambda row: "skip"
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=list(self.columns.values()),
                    column_types=dict.fromkeys(names, pa.string()),
                ),
            )
            yield from reader

    def reader(self) -> pa.RecordBatchReader:
        """The same, for DuckDB."""
        schema = pa.schema([(name, pa.string()) for name in self.columns.values()])
        return pa.RecordBatchReader.from_batches(schema, self.batches())


def joined(
    listed: Table, table: Table, key: str, folder: Path, memory: int = MEMORY
) -> Iterator[dict[str, Any]]:
    """The rows of `listed`, each with the columns of `table` that has the same `key`.

    They are joined once and kept in `folder`; where the table has a key twice, the first counts.
    Raises EdgeGlassError for a file that cannot be read.
    """
    path = folder / f"{_state(listed, table)}.parquet"
    with disk_full(folder, REMEDY):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                _join(listed, table, key, path, memory)
    with parquet.opened(path) as file:
        for batch in file.iter_batches(1000):
            yield from batch.to_pylist()


def _join(listed: Table, table: Table, key: str, path: Path, memory: int) -> None:
    more = [quoted(name) for name in table.columns.values() if name != key]
    with duck.connected(memory, path.parent) as connection:
        try:
            connection.register("list_in", listed.reader())
            connection.execute(
                "CREATE TABLE list AS SELECT row_number() OVER () AS position, * FROM list_in"
            )
            connection.register("table_in", table.reader())
            connection.execute(f"""
                CREATE TABLE found AS
                SELECT * FROM table_in SEMI JOIN list ON table_in.{quoted(key)} = list.{quoted(key)}
            """)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise EdgeGlassError(
                f"{table.path} or {listed.path}: {' '.join(str(error).split())[:200]}. "
                "Get the file again from upstream."
            ) from None
        firsts = ", ".join(f"first({name} ORDER BY rowid) AS {name}" for name in more)
        result = connection.sql(f"""
            SELECT list.* EXCLUDE (position), {", ".join(f"once.{name}" for name in more)}
            FROM list LEFT JOIN (
                SELECT {quoted(key)}, {firsts} FROM found GROUP BY ALL
            ) AS once ON list.{quoted(key)} = once.{quoted(key)}
            ORDER BY position
        """).to_arrow_reader(ROWS)
        tables = (pa.Table.from_batches([batch]) for batch in result)
        write_table(path, tables, result.schema)


def _state(*tables: Table) -> str:
    """Changes with the names, sizes and times of the files, and with what is wanted of them."""
    found = hashlib.sha256(duckdb.__version__.encode())
    for table in tables:
        stat = table.path.stat()
        found.update(f"{table} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return found.hexdigest()[:32]
