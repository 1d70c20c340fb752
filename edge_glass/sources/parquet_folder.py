"""Folders of Parquet files, from the Hub or from disk: rows in order, media values by position.

A row is named `<file>/<number>`, a value in it `<file>/<number>/<column>`, with the dots of Parquet
in the names of columns inside others: `0000.parquet/17/audio.bytes`.
"""

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from edge_glass.core.errors import SourceError
from edge_glass.core.libraries import np, pa, pc
from edge_glass.core.row import JsonObject
from edge_glass.sources.contents import Place
from edge_glass.sources.table_layout import named, renamed

SUFFIX = ".parquet"
VALUE = re.compile(r"(?P<file>.+?\.parquet)/(?P<row>\d{1,18})/(?P<column>.+)", re.DOTALL)
BUFFER = 2**20  # bytes of a column that are read at a time
RECORDS, VALUES = 1000, 8  # rows decoded at a time: of plain columns, of media


@dataclass(frozen=True)
class Tables(Place):
    """The Parquet files in one folder, in the order of their names; or one file."""

    root: Path
    nested: bool = False  # in folders below it, too

    def files(self, prefix: str = "") -> list[Path]:
        """The files whose names begin so. Raises EdgeGlassError if there is none."""
        if self.root.is_file():
            return [self.root]
        find = self.root.rglob if self.nested else self.root.glob
        paths = sorted(find(f"{prefix}*{SUFFIX}"))
        if not paths:
            raise SourceError(f"{self.root}: no {prefix}*{SUFFIX} file in it")
        return paths

    def records(
        self, columns: list[str], prefix: str = "", others: dict[str, str] | None = None
    ) -> Iterator[tuple[str, JsonObject]]:
        """Name and `columns` of each row; `others` gets the names of those that have another.

        Raises EdgeGlassError if a column is missing.
        """
        from edge_glass.core import parquet

        for path in self.files(prefix):
            with parquet.BoundedFile(path, buffer_size=BUFFER) as file:
                there = file.schema_arrow.names
                names = named(columns, there)
                if missing := [name for name in columns if name not in names]:
                    raise SourceError(
                        f"{path}: no column {', '.join(missing)}; found {', '.join(there)}"
                    )
                if others is not None:
                    others |= renamed(names)
                number, name = 0, self._name(path)
                for batch in file.iter_batches(RECORDS, columns=[*names.values()]):
                    arrays = [batch[theirs] for theirs in names.values()]
                    for record in pa.RecordBatch.from_arrays(arrays, [*names]).to_pylist():
                        yield f"{name}/{number}", record
                        number += 1

    def names(self) -> Iterator[str]:
        """The names of the rows."""
        from edge_glass.core import parquet

        for path in self.files():
            with parquet.opened(path) as file:
                rows, name = file.metadata.num_rows, self._name(path)
            yield from (f"{name}/{number}" for number in range(rows))

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """The files, as those of one folder."""
        yield "", [self._name(path) for path in self.files()]

    def size(self, name: str) -> int | None:
        """About how many bytes a value has: the mean of its row group. None if it is not there."""
        cell = self._find(name)
        return cell[0].mean(cell[1]) if cell else None

    def read(self, name: str) -> bytes:
        """A value of a column of bytes. Raises FileNotFoundError if it is not there, or null."""
        value = self.value(name)
        value = value.get("bytes") if isinstance(value, dict) else value
        if value is None:
            raise FileNotFoundError(name)
        return value.encode() if isinstance(value, str) else bytes(value)

    def value(self, name: str) -> Any:
        """A value of any column; None if it is not there, or null."""
        cell = self._find(name)
        return cell[0].value(cell[1]) if cell else None

    def _name(self, path: Path) -> str:
        return path.name if path == self.root else path.relative_to(self.root).as_posix()

    def _find(self, name: str) -> tuple["_Column", int] | None:
        """Names of columns may hold a `/`; the first part that is a number is the row's."""
        if match := VALUE.fullmatch(name):
            path = self.root if self.root.is_file() else self.root / match["file"]
            if path.is_file():
                opened = _column(path, match["column"], os.getpid())
                if int(match["row"]) < opened.rows:
                    return opened, int(match["row"])
        return None


@lru_cache(maxsize=4)
def _column(path: Path, column: str, pid: int) -> "_Column":
    """A column of a file, opened once a process."""
    return _Column(path, column)


class _Column:
    """One column, read forwards with a few values in memory, and the page they stand in.

    A page can be a whole row group: pyarrow ends one every 1,024 values, however large they are.
    """

    def __init__(self, path: Path, column: str) -> None:
        from edge_glass.core import parquet

        self._path, self._name = path, column
        self._file = parquet.BoundedFile(path, buffer_size=BUFFER)
        meta, schema = self._file.metadata, self._file.schema
        names = [schema.column(i).path for i in range(len(schema))]
        file_names = self._file.schema_arrow.names
        leaves = [i for i, path in enumerate(names) if f"{path}.".startswith(f"{column}.")]
        if not leaves:
            raise SourceError(f"{path}: no column {column}; found {', '.join(names)}")
        root = next(f for f in file_names if f"{column}.".startswith(f"{f}."))
        self._inner = column[len(root) + 1 :]  # of a column's value, with dots in its own name
        groups = [meta.row_group(group) for group in range(meta.num_row_groups)]
        self._ends = [0, *accumulate(group.num_rows for group in groups)]
        self._sizes = [
            sum(group.column(leaf).total_uncompressed_size for leaf in leaves) for group in groups
        ]
        self.rows = self._ends[-1]
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._group_read = -1
        self._start = self._stop = 0  # of the values in memory
        self._values: Any = None

    def mean(self, number: int) -> int:
        """Mean bytes of a value in the row group of row `number`."""
        group = self._group(number)
        return int(self._sizes[group] // (self._ends[group + 1] - self._ends[group]))

    def value(self, number: int) -> Any:
        """The value in row `number`; going back starts its row group again."""
        from edge_glass.core import parquet

        group = self._group(number)
        with parquet.readable(self._path):
            if group != self._group_read or number < self._start:
                self._batches = self._file.iter_batches(
                    VALUES, row_groups=[group], columns=[self._name]
                )
                self._group_read, self._start, self._stop = group, 0, self._ends[group]
            while number >= self._stop:
                self._values = next(self._batches).column(0)
                for part in filter(None, self._inner.split(".")):
                    self._values = pc.struct_field(self._values, part)
                self._start, self._stop = self._stop, self._stop + len(self._values)
        return self._values[number - self._start].as_py()

    def _group(self, number: int) -> int:
        return bisect_right(self._ends, number) - 1


def bytes_of(value: Any) -> Iterator[bytes]:
    """The bytes of a value: itself, those of a struct, or of each of a list; of samples theirs."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        yield from bytes_of(value.get("bytes"))
    elif isinstance(value, list) and value and isinstance(value[0], bytes | dict | list):
        for item in value:
            yield from bytes_of(item)
    elif isinstance(value, list):
        yield np.asarray(value).tobytes()
