"""The rows of a build by their numbers, and which of them pass filters. One row group in memory."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from edge_glass.core import duck, ledger, manifest, parquet
from edge_glass.core.arrow_columns import is_media
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import ConfigError, DataError, absent
from edge_glass.core.ledger import EntryRow
from edge_glass.core.row import Example
from edge_glass.sources.table_layout import quoted
from edge_glass.tables import column_stats

Array = np.ndarray[Any, Any]
UNSAFE = ("nsfw", "unsafe", "punsafe")  # columns that say so, whatever their case
SAFE = ("UNLIKELY", "SAFE", "FALSE")
SPLIT = "split"
COMPARE = {"=": pc.equal, ">=": pc.greater_equal, "<=": pc.less_equal}
SHOWN = (  # what a browser draws or plays, and cannot run; a drawing (SVG) can
    "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp",
    "audio/flac", "audio/ogg", "audio/mpeg", "audio/wav", "audio/mp4", "audio/aac",
)  # fmt: skip
BATCH = 65_536  # rows that are looked through at a time
MEMORY = 1_000_000_000  # bytes, for the figures of columns
NAMED = 30  # values of a column that are listed to choose from


@dataclass(frozen=True)
class Filter:
    """A condition on a column: `=`, `>=`, `<=`, or `~` for a text within."""

    column: str
    compare: str
    value: str

    @staticmethod
    def parsed(text: str) -> "Filter":
        """Read `column=value`, `column>=2`, `column<=2` or `column~part`.

        Raises ConfigError for others.
        """
        if not (match := re.fullmatch(r"([^<>=~]+)(>=|<=|=|~)(.*)", text, re.DOTALL)):
            raise ConfigError(f"filter {text!r}: write column=value, >=, <= or ~ (contains)")
        return Filter(match[1].strip(), match[2], match[3])


@dataclass(frozen=True)
class Choice:
    """What rows can be filtered by: some values, or numbers in a range, or else any text."""

    values: list[str]
    least: float | None = None
    most: float | None = None


class Table:
    """The data of a config: all its splits, rows counted from 0 in the manifest's order."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, manifest.read(folder)
        self.shards = [
            (split, folder / shard.file) for split, shard in self.manifest.shards_by_split()
        ]
        if not self.shards:
            raise DataError(f"{folder}: the build has no rows")
        counts = [_metadata(path).num_rows for _, path in self.shards]
        self._starts = [0, *accumulate(counts)]
        self.rows = self._starts[-1]
        schema = parquet.schema(self.shards[0][1])
        self.media = [field.name for field in schema if is_media(field.type)]
        self._plain = [field for field in schema if not is_media(field.type)]

    @property
    def columns(self) -> list[str]:
        """All but media."""
        return [field.name for field in self._plain]

    @property
    def caption(self) -> str:
        """The column that a row is shown by."""
        captions, texts = map(self.manifest.with_role, (ColumnRole.CAPTION, ColumnRole.TEXT))
        return [*captions, *texts, "id"][0]

    @cached_property
    def unsafe(self) -> str | None:
        """The column that says which rows are not for everyone, if there is one."""
        return next((name for name in self.columns if name.lower() in UNSAFE), None)

    def is_safe(self, rows: pa.Table) -> list[bool]:
        """Which of some rows are safe for everyone, as far as the data say."""
        if self.unsafe is None:
            return [True] * len(rows)
        safe: list[bool] = _is_safe(rows[self.unsafe].combine_chunks()).tolist()
        return safe

    def row(self, number: int, names: list[str] | None = None) -> Example:
        """Columns of a row (all but media), `split` with them.

        Raises EdgeGlassError if there is none.
        """
        if not 0 <= number < self.rows:
            raise ConfigError(f"no row {number}: {self.folder} has 0 to {self.rows - 1}")
        [row] = self.some([number], self.columns if names is None else names)
        return row

    def some(self, numbers: Sequence[int], names: list[str]) -> Iterator[Example]:
        """Columns of some rows by their numbers, ascending, `split` with them."""
        for start, (split, path) in zip(self._starts, self.shards, strict=False):
            metadata = _metadata(path)
            inside = [n - start for n in numbers if start <= n < start + metadata.num_rows]
            if inside:
                with parquet.BoundedFile(path, metadata=metadata) as file:
                    yield from ({SPLIT: split, **row} for *_, row in file.rows_at(inside, names))

    def files(self, number: int, column: str) -> list[bytes | None]:
        """The media files in a column of a row: one, or as many as its list has.

        Raises ConfigError if it is no such column.
        """
        if column not in self.media:
            raise ConfigError(f"no media column {column}; there are {', '.join(self.media)}")
        value = self.row(number, [column])[column]
        values = value if isinstance(value, list) else [value]
        return [one.get("bytes") if isinstance(one, dict) else one for one in values]

    def file(self, number: int, column: str, place: int = 0) -> bytes | None:
        """One of them."""
        files = self.files(number, column)
        return files[place] if place < len(files) else None

    def entry(self, number: int) -> EntryRow | None:
        """What the ledger says of the source row that a row was made of."""
        id_ = self.row(number, ["id"])["id"]
        with parquet.opened(self.folder / ledger.FILE) as file:
            for wanted in dict.fromkeys((id_, id_.rpartition("#")[0])):
                for group in range(file.num_row_groups):
                    ids = file.read_row_group(group, ["id", "outcome"])
                    hit = pc.and_(pc.equal(ids["id"], wanted), pc.equal(ids["outcome"], "kept"))
                    if (at := pc.index(hit, True).as_py()) >= 0:
                        entry: EntryRow = file.read_row_group(group).slice(at, 1).to_pylist()[0]
                        return entry
        return None

    def passing(self, filters: Sequence[Filter], unsafe: bool) -> Array | None:
        """Which rows pass all filters, bool (rows,); None if all do.

        Unless `unsafe` is set, rows that are marked as not safe for work, and those of which it is
        not known, do not pass.
        """
        hidden = None if unsafe else self.unsafe
        if not filters and hidden is None:
            return None
        filters = list(map(self._numbered, filters))
        self._check(filters)
        passing = np.ones(self.rows, dtype=bool)
        names = sorted({f.column for f in filters if f.column != SPLIT} | {hidden or "id"})
        for start, (split, path) in zip(self._starts, self.shards, strict=False):
            for batch in _batches(path, names):
                part = slice(start, start := start + len(batch))
                for one in filters:
                    passing[part] &= _passes(one, split, batch)
                if hidden:
                    passing[part] &= _is_safe(batch[hidden])
        return passing

    def choices(self) -> dict[str, Choice]:
        """What rows can be filtered by, of each column but media."""
        features = {name: self.manifest.features[name] for name in self.columns}
        with TemporaryDirectory() as spill, duck.connected(MEMORY, Path(spill)) as connection:
            shards = [path for _, path in self.shards]
            column_stats.view(connection, shards, self.manifest.features)
            facts = column_stats.of(connection, features)
            chosen = {one["name"]: self._choice(one, connection) for one in facts}
        return {SPLIT: Choice(list(self.manifest.splits)), **chosen}

    def _choice(self, facts: dict[str, Any], connection: Any) -> Choice:
        name, kind = facts["name"], facts["type"]
        if kind == "ClassLabel":
            return Choice(self.manifest.features[name]["names"])
        if kind == "bool":
            return Choice(["true", "false"])
        if kind == "string" and facts["distinct"] < 2 * NAMED:  # which is about right
            query = f"SELECT DISTINCT {quoted(name)} FROM data ORDER BY 1"
            values = [value for (value,) in connection.execute(query).fetchall() if value]
            return Choice(values if len(values) <= NAMED else [])
        return Choice([], *(() if facts["unit"] else (facts["least"], facts["most"])))

    def _numbered(self, one: Filter) -> Filter:
        """A filter by the name of a class as one by its number."""
        feature = self.manifest.features.get(one.column)
        names = feature.get("names", []) if isinstance(feature, dict) else []
        return replace(one, value=str(names.index(one.value))) if one.value in names else one

    def _check(self, filters: Sequence[Filter]) -> None:
        types = {field.name: field.type for field in self._plain} | {SPLIT: pa.string()}
        for one in filters:
            if one.column not in types:
                raise ConfigError(absent("column", one.column, types))
            type_ = types[one.column]
            type_ = type_.value_type if pa.types.is_list(type_) else type_
            try:
                pa.nulls(1, type_).cast(pa.string())
                if one.compare != "~":
                    pa.scalar(one.value).cast(type_)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise ConfigError(
                    f"filter {one.column}{one.compare}{one.value}: the column holds {type_}"
                ) from None


@lru_cache(maxsize=64)
def _metadata(path: Path) -> pq.FileMetaData:
    with parquet.opened(path) as file:
        return file.metadata


def _batches(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    with parquet.opened(path) as file:
        yield from file.iter_batches(BATCH, columns=names)


def _passes(one: Filter, split: str, batch: pa.RecordBatch) -> Array:
    if one.column == SPLIT:
        return _compared(one, pa.array([split]))
    column = batch[one.column]
    if not pa.types.is_list(column.type):
        return _compared(one, column)
    passed = np.zeros(len(column), dtype=bool)  # any of its values will do
    passed[pc.list_parent_indices(column).filter(_compared(one, pc.list_flatten(column)))] = True
    return passed


def _compared(one: Filter, column: pa.Array) -> Array:
    if one.compare == "~":
        matches = pc.match_substring(column.cast(pa.string()), one.value, ignore_case=True)
    else:
        matches = COMPARE[one.compare](column, pa.scalar(one.value).cast(column.type))
    return np.asarray(matches.fill_null(False).to_numpy(zero_copy_only=False))


def _is_safe(column: Any) -> Array:
    if pa.types.is_floating(column.type):
        marks = pc.less(column, 0.5)
    elif pa.types.is_boolean(column.type):
        marks = pc.invert(column)
    else:
        marks = pc.is_in(pc.utf8_upper(column.cast(pa.string())), pa.array(SAFE))
    return np.asarray(marks.fill_null(False).to_numpy(zero_copy_only=False))


def caption(value: Any) -> str:
    """A caption as one text: of several the first."""
    value = value[0] if isinstance(value, list) and value else value
    return str(value or "")
