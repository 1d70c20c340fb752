"""What audits find: one table for all of them, a row a fault, each naming a row of the data."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from edge_glass.core.shard_files import Written, write_table

SCHEMA = pa.schema(
    [
        ("check", pa.string()),  # like_image, silence, …
        ("split", pa.string()),
        ("id", pa.string()),
        ("column", pa.string()),
        ("score", pa.float64()),  # what the check measured, and
        ("threshold", pa.float64()),  # what it is held against
        ("scope", pa.string()),  # row, split, splits or corpora: where the other row stands
        ("other_config", pa.string()),
        ("other_split", pa.string()),
        ("other_id", pa.string()),
        ("detail", pa.string()),
    ]
)


def write(path: Path, batches: Iterator[pa.RecordBatch]) -> Written:
    """Write findings, whole or not at all."""
    tables = (pa.Table.from_batches([batch]).cast(SCHEMA) for batch in batches)
    return write_table(path, tables, SCHEMA)
