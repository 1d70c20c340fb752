"""The records of tables in chunks, one at a time."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from edge_glass.core.row import rows_of_batch
from edge_glass.sources import table_chunks
from edge_glass.sources.table_layout import Layout, quoted


def records(
    folder: Path, layout: Layout
) -> Iterator[tuple[str, dict[str, Any], tuple[str, str] | None, str]]:
    """Where each stands, its columns, if and why it is dropped, and what is odd about it."""
    columns = {"id": "place", "odd": "detail"} | {name: quoted(name) for name in layout.columns}
    for chunk in table_chunks.chunks(folder, layout, columns):
        for row in chain.from_iterable(rows_of_batch(batch, "") for batch in chunk.batches()):
            odd = row.fields.pop("odd")
            yield row.row, row.fields, row.dropped, "" if row.dropped else odd
