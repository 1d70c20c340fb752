"""The records of tables in chunks, one at a time."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from edge_glass.core.row import rows_of_batch
from edge_glass.corpora.layouts import table_batches, table_records, tables
from edge_glass.corpora.layouts.record import Record
from edge_glass.sources import table_chunks
from edge_glass.sources.table_layout import Layout, quoted


def records(
    folder: Path, layout: Layout
) -> Iterator[tuple[str, dict[str, Any], tuple[str, str] | None, str]]:
    """Where each stands, its columns, if and why it is dropped, and what is odd about it."""
    columns = {"id": "place", "odd": "detail"} | {name: quoted(name) for name in layout.columns}
    for chunk in table_chunks.chunks(folder, layout, columns):
        rows = chain.from_iterable(rows_of_batch(batch, "") for batch in chunk.batches())
        count = 0
        for row in rows:
            count += 1
            odd = row.fields.pop("odd")
            yield row.row, row.fields, row.dropped, "" if row.dropped else odd
        assert chunk.count() == count
        one_by_one(chunk.folder / chunk.name)


def one_by_one(path: Path) -> None:
    """The records of a text table are the same one by one as in batches."""
    if tables.ending(path.name) in tables.DELIMITED:
        alone, batches = (read(path, path.name) for read in (table_records.read, in_batches))
        assert [*alone] == [*batches]


def in_batches(path: Path, name: str) -> Iterator[Record]:
    """The records of a table by way of batches."""
    return chain.from_iterable(each.records() for each in table_batches.batches(path, name))
