"""Parquet files, read a row group at a time: in the memory of one, whatever the file holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core.locations import is_local


def opened(path: Path) -> pq.ParquetFile:
    """A file to read in parts, here or behind a URL.

    By itself pyarrow reads ahead and keeps it all until the end.
    """
    return pq.ParquetFile(path if is_local(path) else path.open("rb"), pre_buffer=False)


def groups(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a file, one in memory."""
    with opened(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns)


def rows(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a file, one row group in memory."""
    for table in groups(path, columns):
        yield from table.to_pylist()
