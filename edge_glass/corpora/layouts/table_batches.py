"""Tables as batches of records: Parquet, Arrow files, CSV, TSV, JSON, text with a URL a line."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, compress, pairwise, repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import parquet
from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.tables import Broken
from edge_glass.sources import chunk_rows, chunk_text, json_text, line_columns
from edge_glass.sources.packed_folder import arrow_table
from edge_glass.sources.parquet_folder import BUFFER

Said: TypeAlias = "pa.Array | list[Any]"  # a list where Arrow has no one type for the values
Found = tuple[pa.Array, dict[str, Said], Broken]
Portion = tuple[dict[str, Said], int, Broken]  # how many records
ROWS = 10_000  # in a batch
CELLS = 2**22  # records times keys in one of JSON
PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
PIECE = 100_000  # rows of a Parquet file that one process reads, about


@dataclass(frozen=True)
class Batch:
    """Many records of one table: what each is called in its source, and their values by key."""

    where: pa.Array
    values: dict[str, Said]
    lost: Broken  # records that cannot be read, by their place in the batch
    folder: str = ""  # of all, as those of a record
    base: str = ""

    def filter(self, taken: np.ndarray) -> "Batch":
        """Those records that are taken."""
        mask, places = pa.array(taken), np.cumsum(taken) - 1
        return Batch(
            self.where.filter(mask),
            {
                key: [*compress(said, taken)] if isinstance(said, list) else said.filter(mask)
                for key, said in self.values.items()
            },
            {int(places[at]): why for at, why in self.lost.items() if taken[at]},
            self.folder,
            self.base,
        )

    def records(self) -> Iterator[Record]:
        """The records, one at a time."""
        columns = map(values_of, self.values.values())
        rows = zip(*columns, strict=True) if self.values else repeat(())
        for number, (where, row) in enumerate(zip(self.where.to_pylist(), rows, strict=False)):
            said = dict(zip(self.values, row, strict=True))
            yield Record(where, said, self.folder, self.base, self.lost.get(number))


def batches(
    path: Path, name: str, layout: str = "table", groups: range | None = None
) -> Iterator[Batch]:
    """The records of a table; of a Parquet file those of some row groups.

    Raises EdgeGlassError if it cannot be read on.
    """
    kind, (base, folder) = tables.ending(name), tables.place_of(name, layout)
    with tables.readable(path, pa.ArrowException):
        if layout == "tsv" or kind in (*tables.JSON, tables.TEXT):
            blocks = _texts(path, name, layout)
        elif kind in tables.DELIMITED:
            blocks = _delimited(path, name)
        else:
            blocks = _columns(path, name, groups)
        for where, values, lost in blocks:
            yield Batch(where, values, lost, folder, base)


def values_of(said: Said) -> list[Any]:
    """Values, each as Python has it."""
    return said if isinstance(said, list) else said.to_pylist()


def cells(path: Path) -> list[str]:
    """The columns of a Parquet or Arrow file that hold bytes, or lists of such."""
    return [field.name for field in _schema(path) if _is_file(field.type)]


def unread(path: Path) -> list[str]:
    """The columns that hold bytes deeper inside of their values."""
    fields = [field for field in _schema(path) if _holds_bytes(field.type)]
    return [field.name for field in fields if not _is_file(field.type)]


def class_names(path: Path) -> dict[str, list[str]]:
    """The names of the classes that `datasets` wrote into a file's schema, by column."""
    try:
        said = json.loads((_schema(path).metadata or {}).get(b"huggingface", b"{}"))
        features = said["info"]["features"]
        classes = {n: f["names"] for n, f in features.items() if f.get("_type") == "ClassLabel"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {n: [*map(str, names)] for n, names in classes.items() if isinstance(names, list)}


def _schema(path: Path) -> pa.Schema:
    if tables.ending(path.name) == tables.ARROW:
        return arrow_table(path).schema
    with parquet.opened(path) as file:
        schema: pa.Schema = file.schema_arrow
        return schema


def _columns(path: Path, name: str, groups: range | None) -> Iterator[Found]:
    """Of Parquet and Arrow files: their values, and the names of the bytes in them."""
    files = cells(path)
    start = sum(_group_rows(path)[: groups.start]) if groups else 0
    plain = [field.name for field in _schema(path) if not _holds_bytes(field.type)]
    for batch in _record_batches(path, plain or files[:1], groups):
        where = _numbered(f"{name}/", start, batch.num_rows)
        places = {key: pc.binary_join_element_wise(where, key, "/") for key in files}
        yield where, {key: _decoded(batch[key]) for key in plain} | places, {}
        start += batch.num_rows


def _record_batches(
    path: Path, columns: list[str], groups: range | None
) -> Iterator[pa.RecordBatch]:
    if tables.ending(path.name) == tables.ARROW:
        yield from arrow_table(path).select(columns).to_batches(ROWS)
        return
    with parquet.BoundedFile(path, buffer_size=BUFFER) as file:
        yield from file.iter_batches(ROWS, groups, columns)


def pieces(files: Files, name: str) -> list[range | None]:
    """The row groups of a Parquet file in portions, which are read apart; else the whole file."""
    if tables.ending(name) != tables.PARQUET:
        return [None]
    with files.local(name) as path:
        ends = np.cumsum(_group_rows(path))
    last = np.flatnonzero(np.diff(ends // PIECE, append=-1)) + 1
    return [range(int(a), int(b)) for a, b in pairwise([0, *last])] or [None]


def _group_rows(path: Path) -> list[int]:
    with parquet.opened(path) as file:
        return [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]


def _numbered(before: str, start: int, count: int) -> pa.Array:
    numbers = pa.array(np.arange(start, start + count)).cast(pa.string())
    return pc.binary_join_element_wise(before, numbers, "")


def _decoded(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _is_file(type_: pa.DataType) -> bool:
    """Whether values are bytes, structs with `bytes` (as in `datasets`), or lists of such."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        type_ = type_.value_type
    if pa.types.is_struct(type_) and (at := type_.get_field_index("bytes")) >= 0:
        type_ = type_.field(at).type
    return not pa.types.is_nested(type_) and _holds_bytes(type_)


def _holds_bytes(type_: pa.DataType) -> bool:
    if pa.types.is_nested(type_):
        return any(_holds_bytes(type_.field(i).type) for i in range(type_.num_fields))
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _delimited(path: Path, name: str) -> Iterator[Found]:
    names, layout = tables.delimited(path)
    for batch in chunk_rows.read(path, layout, None):
        row, dropped, detail = (batch[mark] for mark in chunk_rows.MARKS)
        lost = {
            int(at): (Outcome(dropped[at].as_py()), detail[at].as_py())
            for at in np.flatnonzero(dropped.is_valid().to_numpy(zero_copy_only=False))
        }
        for at, (outcome, why) in lost.items():
            if outcome == Outcome.DAMAGED_FILE:
                raise SourceError(f"{path}: row {row[at]}: {why}. {chunk_text.REMEDY}")
        numbers = pc.add(row, 1).cast(pa.string())
        where = pc.binary_join_element_wise(f"{name} row ", numbers, "")
        values = (batch[place] for place in layout.columns)
        yield where, dict(zip(names, values, strict=True)), lost


def _texts(path: Path, name: str, layout: str) -> Iterator[Found]:
    """Of JSON, and lines of text."""
    start, unit = 1, f"{name} {tables.UNITS[layout]} "
    if not tables.is_json(name, layout):
        portions = _lines(path, layout)
    elif json_text.is_lines(path):
        portions = _json_lines(path)
    else:
        portions = _portions(json_text.blocks(path))
    for values, count, lost in portions:
        yield _numbered(unit, start, count), values, lost
        start += count


def _lines(path: Path, layout: str) -> Iterator[Portion]:
    """Of lines of text."""
    keys = [] if layout == "tsv" else ["url"]
    for text in chunk_text.whole_lines(path):
        if columns := line_columns.fields(text, len(keys) if layout == "tsv" else None):
            yield dict(zip(keys, columns, strict=True)), len(columns[0]), {}
        else:
            keys, rows, lost = tables.lines(text, layout, keys)
            arrays = (pa.array(each, pa.string()) for each in zip(*rows, strict=True))
            yield dict(zip(keys, arrays, strict=False)), len(rows), lost


def _json_lines(path: Path) -> Iterator[Portion]:
    """Of JSON lines: by Arrow from the types on that lines before had."""
    kinds = dict[str, pa.DataType]()
    for text in chunk_text.whole_lines(path):
        few = kinds if len(kinds) * text.count("\n") <= CELLS else {}
        if values := line_columns.objects(text, few):
            yield values, len(next(iter(values.values()))), {}
        else:
            lines = text.removesuffix("\n").split("\n")
            for values, count, lost in _portions([json_text.values(lines)]):
                types = {key: getattr(said, "type", None) for key, said in values.items()}
                kinds = {} if None in types.values() else kinds | types
                yield values, count, lost


def _portions(blocks: Iterable[list[Any]]) -> Iterator[Portion]:
    """Of values of JSON."""
    for block, lost in map(tables.objects, blocks):
        keys = dict.fromkeys(chain.from_iterable(block))
        many = min(ROWS, CELLS // max(1, len(keys))) or 1
        for at in range(0, len(block), many):
            records = block[at : at + many]
            values = {key: _typed([said.get(key) for said in records]) for key in keys}
            theirs = {n - at: why for n, why in lost.items() if 0 <= n - at < many}
            yield values, len(records), theirs


def _typed(values: list[Any]) -> Said:
    """Values of one type as Arrow has them, if it can hold them all."""
    kinds = {*map(type, values)} - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if len(kinds) == 1 and (kind := PLAIN.get(kinds.pop())):
        with suppress(UnicodeEncodeError, OverflowError, pa.ArrowInvalid):
            return pa.array(values, kind)
    return values
