"""Parquet files, read a row group at a time: in the memory of one, whatever the file holds.

Whoever wrote a file, what a row group takes in memory is known before any of it is unpacked: from
the headers of its pages, since a footer can say what it likes.
"""

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core import stored_media, units
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.libraries import pc
from edge_glass.core.locations import is_local
from edge_glass.core.parquet_pages import DICTIONARY_PAGE, Page, index_places, location, pages
from edge_glass.core.row import Example
from edge_glass.core.stored_media import UNLIKE, Stored, is_unpacked

MAGIC, MEDIA = b"PAR1", ".bytes"
FEW = 4  # a row in so many, or fewer, are read one by one
NEAR = 2**16  # bytes that are fetched for nothing rather than with another request
KEPT = 2**25  # bytes behind a URL that are fetched before they are read
LIMIT = 1_000_000_000  # bytes of a row group in memory, and so of a cell
SETTING = "EDGE_GLASS_MAX_ROW_GROUP"  # in the environment: another limit
VECTOR = 2048  # rows that DuckDB reads at a time
WIDTH = 8  # bytes of a value, or of its place where it is a text


def limit() -> int:
    """The bytes that a row group may take in memory.

    Raises ConfigError if the setting is no number.
    """
    text = os.environ.get(SETTING, "")
    if text and not text.isdecimal():
        raise ConfigError(f"{SETTING}={text}: give a number of bytes")
    return int(text or LIMIT)


class DamagedFile(DataError):
    """Bytes that are no Parquet file, or no longer; `detail` says so without the file's name."""

    def __init__(self, path: object, detail: str) -> None:
        super().__init__(f"{path}: damaged, or no Parquet file ({detail}): get it again")
        self.detail = detail


@contextmanager
def readable(path: object) -> Iterator[None]:
    """What a damaged Parquet file ends in, as an EdgeGlassError that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedFile(path, " ".join(str(error).split())[:200]) from error


Cell = tuple[Stored, int]  # values, and the number of one among them


class Fetched:
    """A file behind a URL. What is about to be read of it is fetched at once, and kept."""

    def __init__(self, file: Any) -> None:
        self._file, self._at, self._kept = file, 0, list[tuple[int, bytes]]()
        self.closed, self._size = False, file.seek(0, os.SEEK_END)

    def keep(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch what stands between these places; those that are near each other in one request."""
        joined = list[tuple[int, int]]()
        for start, end in sorted(ranges):
            if joined and start <= joined[-1][1] + NEAR:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        for start, end in joined:
            if end - start > KEPT or self._has(start, end) is not None:
                continue
            if sum(len(data) for _, data in self._kept) + end - start > KEPT:
                self._kept.clear()
            self._kept.append((start, self.pread(end - start, start)))

    def _has(self, start: int, end: int) -> bytes | None:
        for at, data in self._kept:
            if at <= start and end <= at + len(data):
                return data[start - at : end - at]
        return None

    def pread(self, size: int, at: int) -> bytes:
        """Bytes from a place on, out of those that are kept if they are there."""
        if (kept := self._has(at, at + size)) is not None:
            return kept
        self._file.seek(at)
        return bytes(self._file.read(size))

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        """As a file's own."""
        self._at = at + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        """As a file's own."""
        return self._at

    def read(self, size: int) -> bytes:
        """As a file's own."""
        at, self._at = self._at, self._at + size
        return self.pread(size, at)

    def close(self) -> None:
        """As a file's own."""
        self.closed = True
        self._file.close()


class BoundedFile(pq.ParquetFile):  # type: ignore[misc]
    """A Parquet file that refuses to unpack more than `limit()` bytes at a time.

    `source` is the open file where `path` is only its name. Raises EdgeGlassError, with that name,
    for a row group that takes more, and for what is damaged.
    """

    def __init__(self, path: str | Path, source: Any = None, **options: Any) -> None:
        local = isinstance(source, pa.NativeFile) if source else is_local(path)
        self._path, self._local, self._is_mine = path, local, source is None
        opened = source or (pa.OSFile(str(path)) if local else cast(Path, path).open("rb"))
        self._file = opened if local else Fetched(opened)
        with readable(path):
            self._size = self._file.seek(0, os.SEEK_END)
            super().__init__(self._file, **{"pre_buffer": False} | options)
            names = self.schema_arrow.names
            if len(set(names)) < len(names):
                raise ValueError("two columns have the same name")
            self._leaves = [self.schema.column(at).path for at in range(len(self.schema))]

    def close(self, force: bool = False) -> None:
        """Close the file, as pyarrow's own."""
        super().close(force or self._is_mine)

    def read_row_group(self, i: int, columns: Any = None, **options: Any) -> pa.Table:
        """A row group, as pyarrow's own."""
        with readable(self._path):
            self._keep(i, columns, plain=True)
        self.check([i], columns)
        with readable(self._path):
            return super().read_row_group(i, columns, **options)

    def iter_batches(
        self, batch_size: int = 65536, row_groups: Any = None, columns: Any = None, **options: Any
    ) -> Iterator[pa.RecordBatch]:
        """Batches of rows, as pyarrow's own: what is in memory is a page and a batch."""
        groups = range(self.num_row_groups) if row_groups is None else row_groups
        self.check(groups, columns, batch_size)
        batches = super().iter_batches(batch_size, groups, columns, **options)
        while True:
            with readable(self._path):  # not while somebody else goes on
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def rows_at(
        self, numbers: Iterable[int], columns: Any = None
    ) -> Iterator[tuple[int, int, Example]]:
        """Rows by their numbers, ascending: row group, number and row; one group is in memory.

        Where few rows of a group are asked for, of media that are stored plain no others are read.
        """
        left, start = iter(numbers), 0
        number = next(left, None)
        for group in range(self.num_row_groups):
            stop, inside = start + self.metadata.row_group(group).num_rows, list[int]()
            while number is not None and number < stop:
                inside.append(number - start)
                number = next(left, None)
            if inside:
                with readable(self._path):
                    listed = self._rows(group, inside, columns)
                yield from ((group, start + n, row) for n, row in zip(inside, listed, strict=True))
            start = stop

    def _rows(self, group: int, rows: list[int], columns: Any) -> list[Example]:
        few = FEW * len(rows) <= self.metadata.row_group(group).num_rows
        wanted = [self._leaves[at] for at in self._wanted(columns)]
        media = [path for path in wanted if few and path.endswith(MEDIA) and path.count(".") == 1]
        cells = {path: cell for path in media if (cell := self.cells(group, path, rows))}
        if not cells:
            return list(self.read_row_group(group, columns).take(rows).to_pylist())
        rest = [path for path in wanted if path not in cells]
        listed: list[Example] = [{} for _ in rows]
        if rest:
            listed = self.read_row_group(group, rest).take(rows).to_pylist()
        for path, values in cells.items():
            name = path.removesuffix(MEDIA)
            for row, (places, number) in zip(listed, values, strict=True):
                row[name] = row.get(name, {}) | {"bytes": places.read(number)}
        names = [name for name in self.schema_arrow.names if name in listed[0]]
        return [{name: row[name] for name in names} for row in listed]

    def cells(self, group: int, path: str, rows: list[int]) -> list[Cell] | None:
        """Where the values of a column of bytes stand, for some rows of a group.

        Behind a URL their pages are fetched, and no others. None if only pyarrow can tell.
        """
        at = self._leaves.index(path)
        chunk, kind = self.metadata.row_group(group).column(at), self.schema.column(at)
        level, file = kind.max_definition_level, self._file
        if kind.max_repetition_level or not stored_media.is_plain(chunk):
            return None
        if not isinstance(file, Fetched):
            places = stored_media.stored(self, chunk, level)
            return [(places, row) for row in rows] if places else None
        cells = list[Cell]()
        with suppress(*UNLIKE):
            start, size = self._index_places[group][at]
            file.keep([(start, start + size)])
            index = file.pread(size, start)
            for row in rows:
                page = location(index, row, chunk.num_values)
                # all but the last row of a page of ours are small
                is_last, most = row == page.last - 1, min(page.end, page.at + NEAR)
                for end in [page.end] if is_last else [most, page.end]:
                    file.keep([(page.at, end)])
                    if places := stored_media.in_page(file, chunk, level, page, end):
                        cells.append((places, row - page.first))
                        break
        return cells if len(cells) == len(rows) else None

    @cached_property
    def _index_places(self) -> list[list[tuple[int, int]]]:
        written = pa.BufferOutputStream()
        self.metadata.write_metadata_file(written)
        return index_places(written.getvalue().to_pybytes()[len(MAGIC) :])

    def pread(self, size: int, at: int) -> bytes:
        """Bytes of the file from a place on."""
        self._file.seek(at)
        return bytes(self._file.read(size))

    def check(self, groups: Iterable[int], columns: Any = None, batch: int = sys.maxsize) -> None:
        """Raise EdgeGlassError if row groups, or `batch` rows of one, take too much memory."""
        there = {path[:at] for path in self._leaves for at in _ends(path)}
        if missing := [name for name in columns or [] if name not in there]:
            names = ", ".join(self.schema_arrow.names)
            raise DataError(f"{self._path}: no column {', '.join(missing)}; it has {names}")
        for group in groups:
            with readable(self._path):
                self._keep(group, columns, plain=False)
                wanted = self._wanted(columns)
                size = sum(self._chunk_size(group, at, batch) for at in wanted)
            if size > limit():
                raise DataError(
                    f"{self._path}: row group {group} takes {units.size(size)} in memory, the "
                    f"limit is {units.size(limit())}: it may be damaged or made to do harm; if you "
                    f"trust it, set {SETTING} to more bytes"
                )

    def _wanted(self, columns: Any) -> list[int]:
        return [
            at
            for at, path in enumerate(self._leaves)
            if columns is None or any(f"{path}.".startswith(f"{name}.") for name in columns)
        ]

    def _keep(self, group: int, columns: Any, plain: bool) -> None:
        """Fetch what is read next, with or without what is stored plain."""
        if isinstance(self._file, Fetched):
            chunks = self.metadata.row_group(group)
            wanted = [chunks.column(at) for at in self._wanted(columns)]
            self._file.keep(self._span(one) for one in wanted if plain or not is_unpacked(one))

    def _span(self, chunk: Any) -> tuple[int, int]:
        starts = chunk.data_page_offset, chunk.dictionary_page_offset
        start, stored = min(filter(None, starts), default=0), chunk.total_compressed_size
        if start < 0 or stored < 0 or start + stored > self._size or chunk.num_values < 0:
            raise ValueError(f"the column {chunk.path_in_schema} does not fit in it")
        return start, start + stored

    def _chunk_size(self, group: int, at: int, batch: int) -> int:
        """The most bytes that a column takes in a row group, or `batch` rows of it."""
        chunk, kind = self.metadata.row_group(group).column(at), self.schema.column(at)
        start, end = self._span(chunk)
        if kind.max_repetition_level:
            batch = sys.maxsize  # a row of it is any number of values
        width = max(WIDTH, kind.length or 0)
        least = width * min(chunk.num_values, batch)
        # walking it would fetch it twice; pyarrow aborts where it is asked for a codec that is none
        if not self._local and is_unpacked(chunk):
            return int(least + end - start)
        every = list(pages(lambda at, size: self.pread(size, at), start, end))
        data = [page for page in every if page.kind != DICTIONARY_PAGE]
        size: int = max(least, _most(data, width, batch))
        words = max((page.size for page in every if page.kind == DICTIONARY_PAGE), default=0)
        coded = min(batch, sum(page.values for page in data if page.is_coded))
        if chunk.physical_type != "BYTE_ARRAY" or size + words > limit():
            return size + words
        if words * coded <= limit() // len(self._leaves):
            return size + words * coded
        return size + self._spelt_out(group, chunk.path_in_schema)

    def _spelt_out(self, group: int, path: str) -> int:
        """The bytes of a column's texts, from those in its dictionary and how often each stands."""
        file = pq.ParquetFile(
            self._file, metadata=self.metadata, read_dictionary=[path], pre_buffer=False
        )
        column = file.read_row_group(group, [path]).column(0)
        while not pa.types.is_dictionary(column.type):
            is_struct = pa.types.is_struct(column.type)
            column = pc.struct_field(column, 0) if is_struct else pc.list_flatten(column)
        sizes = (
            pc.sum(pc.binary_length(part.dictionary).cast("int64").take(part.indices)).as_py()
            for part in column.chunks
        )
        return sum(filter(None, sizes))


def _ends(path: str) -> Iterator[int]:
    """Where the names of a column and of those in it end."""
    yield from (at for at, letter in enumerate(f"{path}.") if letter == ".")


def _most(data: Iterable[Page], width: int, batch: int) -> int:
    """The most bytes of pages that `batch` values can stand in."""
    window = deque[tuple[int, int]]()
    most = size = values = 0
    for page in data:
        window.append((page.values, page.size + width * min(page.values, batch)))
        values, size = values + page.values, size + window[-1][1]
        while len(window) > 1 and values - window[0][0] - page.values >= batch:
            first = window.popleft()
            values, size = values - first[0], size - first[1]
        most = max(most, size)
    return most


def opened(path: Path, ahead: int | None = None) -> BoundedFile:
    """A file to read in parts, here or behind a URL, where `ahead` bytes more are read than asked.

    By itself pyarrow reads ahead and keeps it all until the end.
    """
    if ahead is None or is_local(path):
        return BoundedFile(path)
    return BoundedFile(path, cast(Any, path).open("rb", block_size=ahead))


def bounded(path: Path) -> Path:
    """A file that DuckDB may read. Raises EdgeGlassError if it takes too much, or is damaged."""
    with opened(path) as file:
        file.check(range(file.num_row_groups), batch=VECTOR)
    return path


def groups(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a file, one in memory."""
    with opened(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns)


def table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Columns of a whole file that are small."""
    with opened(path) as file:
        file.check(range(file.num_row_groups), columns)
        with readable(path):
            return file.read(columns)


def schema(path: Path) -> pa.Schema:
    """The columns of a file."""
    with opened(path) as file:
        return file.schema_arrow


def count(path: Path) -> int:
    """The rows of a file."""
    with opened(path) as file:
        return int(file.metadata.num_rows)


def rows(path: Path, columns: list[str] | None = None) -> Iterator[Example]:
    """The rows of a file, one row group in memory."""
    for part in groups(path, columns):
        yield from listed(path, part)


def listed(path: Path, rows: pa.Table) -> list[Example]:
    """Rows that were read of a file, as Python's. Raises EdgeGlassError if they are damaged."""
    with readable(path):
        values: list[Example] = rows.to_pylist()
    return values
