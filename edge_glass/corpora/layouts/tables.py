"""Tables record by record: CSV, TSV, JSON, JSON lines, Parquet, text with a URL a line.

Values are text in CSV, what JSON says in JSON. Of a Parquet column that holds files the value is
the name under which its bytes are read (see `parquet_folder`).
"""

import csv
import json
import re
import tempfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from edge_glass.core import duck
from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.sources import json_text, table_chunks
from edge_glass.sources.chunk_text import PACKED, labelled, opened
from edge_glass.sources.fields import preview
from edge_glass.sources.packed_folder import arrow_table
from edge_glass.sources.parquet_folder import Tables
from edge_glass.sources.table_layout import Layout

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PARQUET, ARROW, LINES, DELIMITED = ".parquet", ".arrow", (".jsonl", ".ndjson"), (".csv", ".tsv")
ENDINGS = (PARQUET, ARROW, *LINES, *DELIMITED, ".json", ".txt")
DELIMITERS = (",", ";", "|", "\t")
ROWS = 1000  # of an Arrow file, decoded at a time
MEMORY = 500_000_000  # bytes, for DuckDB
NO_TABLES = ("readme.txt", "license.txt", "licence.txt", "dataset_info.json", "state.json")
WORDS = {  # what splits are called in names of files and folders, as `datasets` reads them
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SPLIT = re.compile(rf"(?<![a-z])({'|'.join(sum(WORDS.values(), ()))})(?![a-z])")


def ending(name: str) -> str:
    """The suffix of a table, without that of its packing; empty if it is none."""
    name = name.lower()
    suffix = PurePosixPath(name.removesuffix(next(filter(name.endswith, PACKED), ""))).suffix
    return suffix if suffix in ENDINGS else ""


def split_word(name: str) -> str:
    """The word for a split in a file's folders or, of a table, in its own name; else empty."""
    *folders, stem = PurePosixPath(name.lower()).parts
    word = next((f for f in folders if SPLIT.fullmatch(f)), None)
    named = SPLIT.search(stem) if ending(name) else None
    return word or (named[1] if named else "")


def read(path: Path, name: str) -> Iterator[Record]:
    """The records of one table, which is called `name` in its source.

    Raises EdgeGlassError if it cannot be read on.
    """
    import pyarrow as pa

    try:
        yield from _read(path, name)
    except (pa.ArrowException, csv.Error, OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the file
            raise
        raise SourceError(f"{path}: damaged ({error}). {table_chunks.REMEDY}") from None


def _read(path: Path, name: str) -> Iterator[Record]:
    kind, base = ending(name), name.rpartition("/")[0]
    folder = split_word(name) or base.partition("/")[0]
    if kind in (PARQUET, ARROW):
        columns = [*values(path), *(cells(path))]
        inner = cells(path)
        for number, record in enumerate(_rows(path, columns)):
            places = {key: f"{name}/{number}/{place}" for key, place in inner.items()}
            yield Record(f"{name}/{number}", record | places, folder, base)
    elif kind in DELIMITED:
        yield from _delimited(path, name, folder, base)
    else:
        listed = json_text.lines if json_text.is_lines(path) else json_text.items
        reader = _urls if kind == ".txt" else listed
        for number, item in enumerate(reader(path), 1):
            if isinstance(item, dict):
                yield Record(f"{name} row {number}", item, folder, base)
            else:
                why = (Outcome.MALFORMED_ROW, f"expected an object, found {preview(item)}")
                yield Record(f"{name} row {number}", {}, folder, base, why)


def cells(path: Path) -> dict[str, str]:
    """The columns of a Parquet file that hold bytes or lists of such, with their places."""
    return {f.name: inner for f in _schema(path) if (inner := _bytes_in(f.name, f.type))}


def values(path: Path) -> list[str]:
    """The other columns of a Parquet file."""
    return [f.name for f in _schema(path) if not _holds_bytes(f.type)]


def class_names(path: Path) -> dict[str, list[str]]:
    """The names of the classes that `datasets` wrote into a file's schema, by column."""
    try:
        said = json.loads((_schema(path).metadata or {}).get(b"huggingface", b"{}"))
        features = said["info"]["features"]
        found = {n: f["names"] for n, f in features.items() if f.get("_type") == "ClassLabel"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {n: [*map(str, names)] for n, names in found.items() if isinstance(names, list)}


def _schema(path: Path) -> "pa.Schema":
    from edge_glass.core import parquet

    if ending(path.name) == ARROW:
        return arrow_table(path).schema
    with parquet.opened(path) as file:
        schema: pa.Schema = file.schema_arrow
        return schema


def _rows(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    with_bytes = cells(path)
    plain = [name for name in columns if name not in with_bytes]
    if ending(path.name) == ARROW:
        for batch in arrow_table(path).select(plain).to_batches(ROWS):
            yield from batch.to_pylist() if plain else ({} for _ in range(batch.num_rows))
    elif plain:
        yield from (record for _, record in Tables(path).records(plain))
    else:
        yield from ({} for _ in Tables(path).names())


def _bytes_in(name: str, type_: "pa.DataType") -> str | None:
    import pyarrow as pa

    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        inner = type_.value_type
        return (
            None
            if pa.types.is_nested(inner) and not pa.types.is_struct(inner)
            else (_bytes_in(name, inner) and name)
        )
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return name
    if pa.types.is_struct(type_) and any(
        f.name == "bytes" and (pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type))
        for f in type_
    ):
        return f"{name}.bytes"
    return None


def _holds_bytes(type_: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_nested(type_):
        return any(_holds_bytes(type_.field(i).type) for i in range(type_.num_fields))
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _delimited(path: Path, name: str, folder: str, base: str) -> Iterator[Record]:
    headers = {each: opened(path, each)[0] for each in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda each: len(headers[each]))
    if repeated := {n for n in headers[delimiter] if headers[delimiter].count(n) > 1}:
        raise SourceError(f"{path}: two columns are called {min(repeated)!r}: rename one")
    names = labelled(headers[delimiter])
    layout = Layout("", dict.fromkeys(names, "VARCHAR"), (), delimiter)
    with duck.connected(MEMORY, Path(tempfile.gettempdir())) as connection:
        for row, values_, why in _chunk(path, layout, connection):
            yield Record(f"{name} row {row + 1}", values_, folder, base, why)


def _chunk(
    path: Path, layout: Layout, connection: "duckdb.DuckDBPyConnection"
) -> Iterator[tuple[int, dict[str, Any], tuple[Outcome, str] | None]]:
    from edge_glass.sources import chunk_rows

    for batch in chunk_rows.read(path, layout, connection):
        for record in batch.to_pylist():
            row, dropped, detail = (record.pop(mark) for mark in chunk_rows.MARKS)
            if dropped == Outcome.DAMAGED_FILE:
                raise SourceError(f"{path}: row {row}: {detail}. {table_chunks.REMEDY}")
            yield row, record, (Outcome(dropped), detail) if dropped else None


def _urls(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        yield from ({"url": url} for line in file if (url := line.strip()))


def names(files: Files) -> Iterator[str]:
    """The tables of a source that are read, in the order of their names."""
    for name in files.names():
        wanted = not files.tables or any(fnmatch(name, pattern) for pattern in files.tables)
        if ending(name) and wanted and name.rpartition("/")[2].lower() not in NO_TABLES:
            yield name


def without_header(files: Files) -> Iterator[Record]:
    """The lines of TSV files whose columns have no names: their keys are their numbers, from 0."""
    for name in names(files):
        folder, base = split_word(name), name.rpartition("/")[0]
        with files.local(name) as path, path.open("rb") as lines:
            width = 0
            for number, line in enumerate(lines, 1):
                fields = line.decode(errors="surrogateescape").rstrip("\r\n").split("\t")
                width = width or len(fields)
                detail = f"{len(fields)} fields where the first line has {width}"
                why = None if len(fields) == width else (Outcome.MALFORMED_ROW, detail)
                said = {str(place): field for place, field in enumerate(fields)}
                yield Record(f"{name} line {number}", said, folder, base, why)


def records(files: Files) -> Iterator[Record]:
    """The records of all of them."""
    for name in names(files):
        with files.local(name) as path:
            yield from read(path, name)
