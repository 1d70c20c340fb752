"""Examples -> one Parquet file: deterministic, and either whole or absent."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.errors import EdgeGlassError

ROW_GROUP_ROWS = 100
ROW_GROUP_BYTES = 10_000_000
SHARD_BYTES = 500_000_000
FULL = (errno.ENOSPC, errno.EDQUOT)
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
    with Whole(path) as file:
        with _writer(file, schema) as writer:
            for group in _groups(examples):
                writer.write_table(_table(group, schema), row_group_size=len(group))
                rows += len(group)
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


def write_json(path: Path, value: Any) -> None:
    """Write JSON to `path`, whole or not at all."""
    with Whole(path) as file:
        file.write(json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n")


class Whole:
    """A file for writing that appears under its name, fsynced, if the `with` block ends well.

    Counts and hashes what is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        self._hash = hashlib.sha256()
        self.size = 0
        self.closed = False

    def __enter__(self) -> "Whole":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._aside.open("wb", buffering=0)
        return self

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._hash.update(view)
        self.size += view.nbytes
        while view.nbytes:
            view = view[self._file.write(view) :]
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """For pyarrow; the file stays open until the block ends."""

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                os.fsync(self._file.fileno())
                self._aside.replace(self._path)
                sync_folder(self._path.parent)
        finally:
            self._file.close()
            self._aside.unlink(missing_ok=True)


@contextmanager
def disk_full(place: Path, remedy: str) -> Iterator[None]:
    """Say where the disk is full and what to do, in place of the OSError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        elsewhere = error.filename and not Path(error.filename).is_relative_to(place)
        where = error.filename if elsewhere else place
        raise EdgeGlassError(f"{where}: the disk is full. {remedy}") from error


def sync_folder(folder: Path) -> None:
    """Put renames inside a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _writer(file: Whole, schema: pa.Schema) -> pq.ParquetWriter:
    media = [path for path, type_ in _leaves(schema) if pa.types.is_binary(type_)]
    text = [path for path, type_ in _leaves(schema) if not pa.types.is_binary(type_)]
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


def _leaves(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    for field in schema:
        yield from _leaves_of(field.name, field.type)


def _leaves_of(path: str, type_: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(type_):
        for field in type_:
            yield from _leaves_of(f"{path}.{field.name}", field.type)
    elif pa.types.is_list(type_):
        yield from _leaves_of(f"{path}.list.element", type_.value_type)
    else:
        yield path, type_


def _groups(examples: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    for example in examples:
        weight = sum(map(_weight, example.values()))
        if group and (len(group) == ROW_GROUP_ROWS or size + weight > ROW_GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(example)
        size += weight
    if group:
        yield group


def _weight(value: Any) -> int:
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    if isinstance(value, list):
        return sum(map(_weight, value))
    return 8


def _table(group: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    for example in group:
        if example.keys() != set(schema.names):
            raise ValueError(f"columns {sorted(example)} where {sorted(schema.names)} are promised")
    columns = [
        _array([example[name] for example in group], schema.field(name)) for name in schema.names
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _array(values: list[Any], field: pa.Field) -> pa.Array:
    if pa.types.is_struct(field.type) and all(values):
        parts = [_array([value.get(sub.name) for value in values], sub) for sub in field.type]
        return pa.StructArray.from_arrays(parts, fields=list(field.type))
    return pa.array(values, type=field.type)
