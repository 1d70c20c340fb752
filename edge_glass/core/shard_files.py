"""Examples -> one Parquet file in the layout that training reads, whole or absent."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from edge_glass.core import parquet
from edge_glass.core.arrow_columns import has_media, leaves
from edge_glass.core.atomic_files import ArrowSink, AtomicFile
from edge_glass.core.key_digests import digests, second_ranks
from edge_glass.core.manifest import Figures, File
from edge_glass.core.row import Example

ROW_GROUP_ROWS = 100  # on average, at most half as many more
TEXT_GROUP_ROWS = 10_000  # where no column is media: rows of 200 bytes, five times the speed
ROW_GROUP_BYTES = 10_000_000
PAGE_BYTES = 2**15  # where media are: a row of so many bytes is a page
# the values that `datasets` itself writes with, so that its readers and the Hub know them
CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}


@dataclass
class TableFile:
    """A Parquet file that is being written, a row group at a time."""

    path: Path
    whole: AtomicFile
    writer: pq.ParquetWriter
    rows: int = 0

    def write(self, table: pa.Table) -> None:
        """Append a row group."""
        self.writer.write_table(table)
        self.whole.check()
        self.rows += table.num_rows

    def record(self) -> File:
        """What there is, once all is written."""
        return File(self.rows, self.whole.size, self.whole.sha256, self.path.name)


@contextmanager
def table_file(path: Path, schema: pa.Schema, **options: Any) -> Iterator[TableFile]:
    """A Parquet file, whole or absent once the block ends; `options` are the writer's."""
    options = {"compression": "zstd", "write_page_index": True} | options
    with (
        AtomicFile(path) as whole,
        pq.ParquetWriter(ArrowSink(whole), schema, **options) as writer,
    ):
        yield TableFile(path, whole, writer)


def write_shard(path: Path, examples: Iterable[Example], schema: pa.Schema) -> File:
    """Write examples to `path`, which appears only when all of it is on disk.

    Row groups hold at most 10 MB, and about 100 rows or 10,000 without media: by the id of its last
    row, so that a row that goes or comes leaves those farther on as they are. `bytes` leaves of the
    schema are media: plain and uncompressed, everything else is zstd. Memory is one row group.
    """
    return _write_groups(path, _groups_of_examples(examples, schema), schema)


def write_text_shard(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> File:
    """Write rows without media to `path`, as `write_shard` would write the same rows."""
    return _write_groups(path, _groups(tables, schema), schema)


def _write_groups(path: Path, groups: Iterable[pa.Table], schema: pa.Schema) -> File:
    with table_file(path, schema, **_options(schema)) as file:
        note = {"content_defined_chunking": json.dumps(CHUNKING)}
        file.writer.add_key_value_metadata(note)
        for group in groups:
            file.write(group)
            del group  # the next rows can use its memory
    return file.record()


def _groups_of_examples(examples: Iterable[Example], schema: pa.Schema) -> Iterator[pa.Table]:
    """Row groups, cut as soon as it is known where they end: few examples are in memory."""
    rows, weights, usual = list[Example](), list[int](), _usual_rows(schema)
    size, columns = 0, {*schema.names}
    for example in examples:
        if example.keys() != columns:
            promised = sorted(columns)
            raise ValueError(f"columns {sorted(example)} where {promised} are promised")
        rows.append(example)
        weights.append(sum(map(_weight, example.values())))
        del example  # the next one can use its memory
        size += weights[-1]
        while size >= ROW_GROUP_BYTES or len(rows) == _most_rows(usual):
            yield _taken(rows, weights, schema)
            size = sum(weights)
    while rows:
        yield _taken(rows, weights, schema)


def _taken(rows: list[Example], weights: list[int], schema: pa.Schema) -> pa.Table:
    """The next row group, taken out of these rows."""
    ids = pa.array([row["id"] for row in rows]) if "id" in schema.names else None
    room = _room(ids, np.array(weights), _usual_rows(schema))
    group = pa.Table.from_pylist(rows[:room], schema)
    del rows[:room], weights[:room]
    return group


def _groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Row groups, cut as those of `_groups_of_examples`."""
    rows, weights, usual = schema.empty_table(), np.empty(0, np.int64), _usual_rows(schema)
    for table in chain(tables, [None]):
        if table is not None:
            rows = pa.concat_tables([rows, table])
            weights = np.concatenate([weights, sum(map(_weights, table.columns))])
        while len(weights) >= (1 if table is None else _most_rows(usual)):
            ids = rows["id"] if "id" in schema.names else None
            room = _room(ids, weights, usual)
            yield rows.slice(0, room).combine_chunks()
            rows, weights = rows.slice(room), weights[room:]


def _room(row_ids: pa.Array | pa.ChunkedArray | None, weights: np.ndarray, usual: int) -> int:
    """How many of the next rows a row group takes, at least one."""
    fit = np.cumsum(weights[: _most_rows(usual)])
    room = max(1, int(np.searchsorted(fit, ROW_GROUP_BYTES, "right")))
    if row_ids is None:
        return room
    some = usual // 10 or 1
    for start in range(3 * usual // 4 + 1, room + 1, some):  # most end in one of the first
        numbers = np.arange(start, min(start + some, room + 1))
        ids = row_ids.slice(start - 1, len(numbers))
        ends = second_ranks(digests(0, ids)) / 2**64 < _chance(numbers, usual)
        if ends.any():
            return int(numbers[np.argmax(ends)])
    return room


def _weights(values: pa.ChunkedArray) -> np.ndarray:
    """What `_weight` says of each value of a column."""
    if pa.types.is_string(values.type):
        return np.asarray(pc.utf8_length(values).fill_null(8))
    if pa.types.is_nested(values.type):
        return np.fromiter(map(_weight, values.to_pylist()), np.int64, len(values))
    return np.full(len(values), 8)


def write_table(
    path: Path, batches: Iterable[pa.Table], schema: pa.Schema, words: list[str] | None = None
) -> File:
    """Write tables without media (a ledger) to `path`, whole or not at all; a row group each.

    `words`: the columns that are worth a dictionary; if not given, any.
    """
    with table_file(path, schema, use_dictionary=True if words is None else words) as file:
        for table in batches:
            file.write(table)
    return file.record()


def shard_figures(shard: Path) -> Figures:
    """What a manifest says of the columns of a shard."""
    wanted = {"duration", "license"} & set(parquet.schema(shard).names)
    table = parquet.table(shard, sorted(wanted))
    seconds = (pc.sum(table["duration"]).as_py() or 0) if "duration" in wanted else None
    counts = table["license"].value_counts().to_pylist() if "license" in wanted else []
    return Figures(seconds, {c["values"] or "": c["counts"] for c in counts})


def _options(schema: pa.Schema) -> dict[str, Any]:
    """How the columns of a shard are written."""
    stored = [leaf for field in schema for leaf in leaves(field.name, field.type)]
    media = [path for path, type_ in stored if pa.types.is_binary(type_)]
    text = [path for path, type_ in stored if not pa.types.is_binary(type_)]
    # a page ends with the row that fills it, so that a row can be fetched by itself; lists of
    # numbers would be written one number at a time
    samples = any(".list." in path and pa.types.is_floating(type_) for path, type_ in stored)
    pages = {"write_batch_size": 1, "data_page_size": PAGE_BYTES} if media and not samples else {}
    return {
        **pages,
        "compression": dict.fromkeys(text, "zstd") | dict.fromkeys(media, "none"),
        "use_dictionary": text,
        "column_encoding": dict.fromkeys(media, "PLAIN"),
        "write_statistics": text,
        "use_content_defined_chunking": CHUNKING,
    }


def _usual_rows(schema: pa.Schema) -> int:
    """Of a row group."""
    return ROW_GROUP_ROWS if any(has_media(field.type) for field in schema) else TEXT_GROUP_ROWS


def _most_rows(usual: int) -> int:
    return usual + usual // 2


def _chance(rows: Any, usual: int) -> Any:
    """That a row ends a row group of so many: with it they have the usual number on average."""
    return 25 * (rows - 3 * usual // 4) / usual**2


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
