"""A short list of ids, and a long text table that says more of them: joined once, in flat memory.

The result stands in the order of the list, every row of it there, with nulls where the table has
nothing. DuckDB spills what is beyond its memory; the long table is read through once, as a stream.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edge_glass.core import duck
from edge_glass.core.atomic_files import disk_full
from edge_glass.core.errors import SourceError
from edge_glass.core.libraries import duckdb, np, pa, pc
from edge_glass.sources import chunk_text
from edge_glass.sources.table_layout import quoted

MEMORY = 2_000_000_000  # bytes
ROWS = 50_000  # at a time
WRONG = "wrong"  # the column that says why a line cannot be read
REMEDY = (
    "Make room there, or set EDGE_GLASS_CACHE to a larger disk, and run the same command again."
)


@dataclass(frozen=True)
class Table:
    """A text file of tab-separated fields without a header or quotes, packed or not."""

    path: Path
    layouts: dict[int, dict[int, str]]  # fields of a record -> place -> name, of those wanted

    @property
    def names(self) -> list[str]:
        """The names of the wanted columns."""
        return list(next(iter(self.layouts.values())).values())

    def batches(self) -> "Iterator[pa.RecordBatch]":
        """The wanted columns of each line, as text, and `wrong`: why it has none.

        Raises EdgeGlassError if the first line has another number of fields than any layout.
        """
        width = 0
        for text in chunk_text.whole_lines(self.path, chunk_text.LONGEST):
            block = text.encode(errors="surrogateescape").replace(b"\r\n", b"\n")
            whole = pa.array([block.removesuffix(b"\n")], pa.large_binary())
            lines = pc.split_pattern(whole, pattern="\n").flatten()
            fields = pc.split_pattern(lines, pattern="\t")
            width = width or self._width(len(fields[0]))
            yield self._batch(fields, width)

    def _width(self, width: int) -> int:
        if width not in self.layouts:
            wanted = " or ".join(map(str, sorted(self.layouts)))
            raise SourceError(
                f"{self.path}: expected lines of {wanted} fields between tabs, found {width}. Is "
                "it the file that upstream publishes? Get it again."
            )
        return width

    def _batch(self, fields: "pa.ListArray", width: int) -> "pa.RecordBatch":
        from edge_glass.sources.chunk_rows import as_text

        counts = fields.value_lengths().to_numpy()
        starts = np.where(counts == width, fields.offsets.to_numpy()[:-1], -1)
        wrong: list[str | None] = [None] * len(fields)
        for row in np.flatnonzero(counts != width):
            wrong[row] = f"{counts[row]} fields where others have {width}"
        columns = []
        for place, name in self.layouts[width].items():
            at = pa.array(starts + place, mask=starts < 0)
            column, broken = as_text(pa.table([fields.values.take(at)], names=[name]))
            for number, (_, detail) in broken.items():
                wrong[number] = f"{name} is {detail}"
            columns.append(column[name].combine_chunks())
        return pa.record_batch([*columns, pa.array(wrong, pa.string())], [*self.names, WRONG])

    def reader(self) -> "pa.RecordBatchReader":
        """The same, for DuckDB."""
        schema = pa.schema([(name, pa.string()) for name in (*self.names, WRONG)])
        return pa.RecordBatchReader.from_batches(schema, self.batches())


def joined(listed: Table, table: Table, key: str, folder: Path, memory: int = MEMORY) -> Path:
    """The rows of a table, each with those of another of the same key; joined once and kept.

    Args:
        listed: the rows that are wanted.
        table: what is known of them; where it has a key twice, the first counts.
        key: the column that both have.
        folder: that keeps the join.
        memory: bytes.

    Returns:
        A Parquet file; its column `wrong` says why a row of either cannot be read, or is null.

    Raises:
        SourceError: a file cannot be read.
    """
    from filelock import FileLock

    path = folder / f"{_state(listed, table)}.parquet"
    with disk_full(folder, REMEDY):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                _join(listed, table, key, path, memory)
    return path


def _join(listed: Table, table: Table, key: str, path: Path, memory: int) -> None:
    from edge_glass.core.shard_files import write_table

    more = [quoted(name) for name in table.names if name != key]
    with duck.connected(memory, path.parent) as connection:
        try:
            for each in (listed, table):
                next(each.batches(), None)  # the width is told before any work is done
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
            raise SourceError(
                f"{table.path} or {listed.path}: {' '.join(str(error).split())[:200]}. "
                "Get the file again from upstream."
            ) from None
        firsts = ", ".join(f"first({name} ORDER BY rowid) AS {name}" for name in (*more, WRONG))
        result = connection.sql(f"""
            SELECT list.* EXCLUDE (position, {WRONG}), {", ".join(f"once.{n}" for n in more)},
                coalesce(list.{WRONG}, once.{WRONG}) AS {WRONG}
            FROM list LEFT JOIN (
                SELECT {quoted(key)}, {firsts} FROM found GROUP BY ALL
            ) AS once ON list.{quoted(key)} = once.{quoted(key)}
            ORDER BY position
        """).to_arrow_reader(ROWS)
        tables = (pa.Table.from_batches([batch]) for batch in result)
        write_table(path, tables, result.schema)


def _state(*tables: Table) -> str:
    """Changes with the names, sizes and times of the files, and with what is wanted of them."""
    digest = hashlib.sha256(version("duckdb").encode())
    for table in tables:
        stat = table.path.stat()
        digest.update(f"{table} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
