"""Examples -> one Parquet file in the layout that training reads, whole or absent."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core.atomic_files import Whole
from edge_glass.core.columns import column, leaves

ROW_GROUP_ROWS = 100
ROW_GROUP_BYTES = 10_000_000
# the values that `datasets` itself writes with, so that its readers and the Hub know them
CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}


@dataclass(frozen=True, slots=True)
class Written:
    """A finished file."""

    rows: int
    bytes: int
    sha256: str


def write_shard(path: Path, examples: Iterable[dict[str, Any]], schema: pa.Schema) -> Written:
    """Write examples to `path`, which appears only when all of it is on disk.

    Row groups hold at most 100 rows or 10 MB; `bytes` leaves of the schema are media: plain and
    uncompressed, everything else is zstd. Memory is one row group.
    """
    rows = 0
    group = _Group(schema)
    with Whole(path) as file:
        with _writer(file, schema) as writer:
            for example in examples:
                weight = sum(map(_weight, example.values()))
                if not group.has_room(weight):
                    rows += group.write(writer)
                group.add(example, weight)
                del example  # its media are in the group; the next row can use their memory
            rows += group.write(writer)
        file.flush()
    return Written(rows, file.size, file.sha256)


def write_table(path: Path, batches: Iterable[pa.Table], schema: pa.Schema) -> Written:
    """Write tables without media (a ledger) to `path`, whole or not at all."""
    rows = 0
    with Whole(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in batches:
            writer.write_table(table)
            rows += table.num_rows
    return Written(rows, file.size, file.sha256)


def _writer(file: Whole, schema: pa.Schema) -> pq.ParquetWriter:
    stored = [leaf for field in schema for leaf in leaves(field.name, field.type)]
    media = [path for path, type_ in stored if pa.types.is_binary(type_)]
    text = [path for path, type_ in stored if not pa.types.is_binary(type_)]
    writer = pq.ParquetWriter(
        file,
        schema,
        compression=dict.fromkeys(text, "zstd") | dict.fromkeys(media, "none"),
        use_dictionary=text,
        column_encoding=dict.fromkeys(media, "PLAIN"),
        write_statistics=text,
        write_page_index=True,
        use_content_defined_chunking=CHUNKING,
    )
    writer.add_key_value_metadata({"content_defined_chunking": json.dumps(CHUNKING)})
    return writer


class _Group:
    """The rows of the next row group."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns = {field.name: column(field.type) for field in schema}
        self.rows = self._bytes = 0

    def has_room(self, weight: int) -> bool:
        fits = self.rows < ROW_GROUP_ROWS and self._bytes + weight <= ROW_GROUP_BYTES
        return fits or not self.rows

    def add(self, example: dict[str, Any], weight: int) -> None:
        if example.keys() != self._columns.keys():
            promised = sorted(self._columns)
            raise ValueError(f"columns {sorted(example)} where {promised} are promised")
        for name, values in self._columns.items():
            values.add(example[name])
        self.rows += 1
        self._bytes += weight

    def write(self, writer: pq.ParquetWriter) -> int:
        """Write the rows, if there are any, and forget them; returns how many they were."""
        if rows := self.rows:
            arrays = [values.take() for values in self._columns.values()]
            table = pa.Table.from_arrays(arrays, schema=self._schema)
            writer.write_table(table, row_group_size=rows)
            self.rows = self._bytes = 0
        return rows


def _weight(value: Any) -> int:
    if isinstance(value, (bytes, str)):
        return len(value)
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    if isinstance(value, list):
        return sum(map(_weight, value))
    return 8
