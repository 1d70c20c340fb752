"""The chunks of a table (Parquet, CSV, JSON lines) in a folder, and what of them is wanted."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edge_glass.core import duck
from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.core.libraries import pa, pc
from edge_glass.core.names import HIDDEN
from edge_glass.core.row import DETAIL, OUTCOME, PLACE, SOURCE
from edge_glass.sources import json_text, table_layout
from edge_glass.sources.chunk_text import HEADER, LINES, PACKED, REMEDY, Text, ending, opened
from edge_glass.sources.table_layout import Layout, quoted

SUFFIXES = (
    ".parquet",
    *(text + packed for text in (".csv", ".tsv", *LINES) for packed in ("", *PACKED)),
)
MEMORY = 500_000_000  # bytes, for one reader
Changed: TypeAlias = "Callable[[pa.RecordBatch], pa.RecordBatch]"


def files(folder: Path) -> list[Path]:
    """The chunks in a folder and those below it.

    Args:
        folder: of the chunks.

    Returns:
        Their paths in source order, that of their names.

    Raises:
        SourceError: there is none.
    """
    chunks: list[Path] = []
    for place, folders, names in os.walk(folder):
        # what is built into a folder of chunks is none of them
        folders[:] = [name for name in folders if not Path(place, name, HIDDEN).exists()]
        chunks += (Path(place, name) for name in names if name.lower().endswith(SUFFIXES))
    chunks = [path for path in chunks if _is_chunk(path)]
    if not chunks:
        raise SourceError(f"{folder}: no chunk in it ({', '.join(SUFFIXES)})")
    return sorted(chunks, key=lambda path: path.relative_to(folder).parts)


def _is_chunk(path: Path) -> bool:
    """Whether a `.json` has an object a line; others tell about a folder."""
    if ending(path) != ".json":
        return True
    with Text(path) as stream:
        line = stream.read(HEADER).partition(b"\n")[0].strip()
    return line.startswith(b"{") and line != b"{"


@dataclass(frozen=True)
class Chunk:
    """A chunk of a table whose rows are published, and in SQL what of them.

    The SQL may use the layout's columns, `place` (of the row in its source), `dropped` (an outcome,
    where it cannot be kept) and `detail` (why that is, or what is odd about it).
    """

    folder: Path
    name: str  # below the folder
    layout: Layout
    columns: dict[str, str]  # column -> SQL, `id` first
    left_out: str = "NULL"  # SQL: why the config leaves a row out, or null
    then: "Changed | None" = None  # what is done with the rows afterwards

    def count(self) -> int:
        """How many records there are. Raises EdgeGlassError for a chunk that is damaged."""
        from edge_glass.sources import chunk_rows

        try:
            return chunk_rows.count(self.folder / self.name, self.layout)
        except chunk_rows.DAMAGE:
            return sum(batch.num_rows for batch in self.batches())  # which says where

    def batches(self) -> "Iterator[pa.RecordBatch]":
        """Every record, marked. Raises EdgeGlassError for a chunk that is damaged."""
        from edge_glass.sources import chunk_rows

        path = self.folder / self.name
        with duck.connected(MEMORY, Path(tempfile.gettempdir())) as connection:
            for batch in chunk_rows.read(path, self.layout, connection, self._sql()):
                if pc.any(pc.equal(batch[OUTCOME], Outcome.DAMAGED_FILE)).as_py():
                    last, said = batch[PLACE][-1].as_py(), batch[DETAIL][-1].as_py()
                    row = last.removeprefix(f"{self.name} ")
                    raise SourceError(f"{path}: {row}: {said}. {REMEDY}")
                yield self.then(batch) if self.then else batch

    def _sql(self) -> str:
        why, outside = f"({self.left_out})", Outcome.NOT_IN_CONFIG
        marks = {
            SOURCE: duck.text(self.layout.source),
            PLACE: "place",
            OUTCOME: f"coalesce(dropped, CASE WHEN {why} IS NOT NULL THEN '{outside}' END)",
            DETAIL: f"CASE WHEN dropped IS NULL THEN coalesce({why}, '') ELSE detail END",
        }
        every = (f"{sql} AS {quoted(name)}" for name, sql in (marks | self.columns).items())
        place = f"{duck.text(self.name)} || ' row ' || row"
        return f"SELECT {', '.join(every)} FROM (SELECT *, {place} AS place FROM aligned)"


def chunks(
    folder: Path,
    layout: Layout,
    columns: dict[str, str],
    left_out: str = "NULL",
    then: "Changed | None" = None,
) -> list[Chunk]:
    """The chunks of a folder, in source order.

    Args:
        folder: of the chunks.
        layout: what they hold.
        columns: those that rows get -> SQL over the layout's, in which `place` is the row's own.
        left_out: SQL that says why a row is left out, or null.
        then: changes the rows of a batch.

    Returns:
        Pieces, each read by one process.
    """
    names = (path.relative_to(folder).as_posix() for path in files(folder))
    return [Chunk(folder, name, layout, columns, left_out, then) for name in names]


def digest_of(*columns: str) -> str:
    """SQL: an id for each row; of a row that is dropped, of its place.

    Args:
        columns: that tell rows apart.

    Returns:
        An expression for `chunks`.
    """
    key = " || chr(10) || ".join(map(quoted, columns))
    return f"left(sha256(CASE WHEN dropped IS NULL THEN {key} ELSE place END), 32)"


def renamed(folder: Path, layout: Layout) -> dict[str, str]:
    """The columns that have another name in a chunk: our name -> theirs."""
    names: dict[str, str] = {}
    for path in files(folder):
        if (suffix := ending(path)) == ".parquet":
            from edge_glass.core import parquet

            with parquet.opened(path) as file:
                there = file.schema_arrow.names
        elif suffix in LINES:
            there = [*next((item for item in json_text.lines(path) if isinstance(item, dict)), ())]
        else:
            there, _ = opened(path, "\t" if suffix == ".tsv" else layout.delimiter)
        names |= table_layout.renamed(layout.named(there))
    return names
