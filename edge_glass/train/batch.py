"""Rows of row groups -> one batch of columns; rows that cannot be decoded are left out and told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.train.stored_media import Stored

Batch = dict[str, Any]  # column -> array, or a list where values are no numbers of one shape
Decoder = Callable[[bytes, np.random.Generator], Any]


class Skipped(NamedTuple):
    """A row that was left out of its batch, and why; `row` counts within the row group."""

    file: str
    group: int
    row: int
    column: str
    outcome: Outcome
    detail: str


class Made(NamedTuple):
    """A batch, and the rows that are not in it."""

    batch: Batch
    skipped: list[Skipped]


class Row(NamedTuple):
    """Where a row of a batch comes from, and the seed of what is drawn for it."""

    group: "Future[Group]"
    row: int
    draw: list[int]


class Group:
    """A row group: media where they are stored or as bytes, other columns as they are, in memory.

    Bytes are given once. The table that pyarrow read is let go, so that the next one takes its
    place in memory.
    """

    def __init__(
        self,
        table: pa.Table,
        stored: Mapping[str, Stored],
        file: str,
        number: int,
        media: Sequence[str],
    ) -> None:
        self.file, self.number = file, number
        others = [name for name in table.column_names if name not in media]
        self.columns = {name: _cells(_one(table[name])) for name in others}
        self.media: dict[str, Stored | list[bytes | None]] = {
            name: stored[name] if name in stored else _cut(_one(table[name]).field("bytes"))
            for name in media
        }

    def take(self, column: str, row: int) -> bytes | None:
        """The bytes of a row, if it has any; the memory is the caller's from now on.

        Raises EdgeGlassError if the file has become shorter.
        """
        cells = self.media[column]
        if isinstance(cells, list):
            value, cells[row] = cells[row], None
            return value
        try:
            return cells.read(row)
        except EOFError as error:
            raise DataError(f"{self.file}: changed while it is read ({error})") from None


def _cut(values: pa.Array) -> list[bytes | None]:
    kind = np.int64 if pa.types.is_large_binary(values.type) else np.int32
    _, ends, data = values.buffers()
    at = np.frombuffer(ends, kind)[values.offset : values.offset + len(values) + 1].tolist()
    view = memoryview(data or b"")
    cells: list[bytes | None] = [bytes(view[i:j]) for i, j in pairwise(at)]
    for row in np.flatnonzero(values.is_null()) if values.null_count else ():
        cells[row] = None
    return cells


class Unreadable(Exception):
    """A row group that cannot be read; `place` is its file and number."""

    def __init__(self, why: str, file: str, number: int) -> None:
        super().__init__(why)
        self.place = (file, number)


Loaded = tuple[Group, int, dict[str, Any]] | Skipped  # with the row, and media by column


def load(rows: Sequence[Row], decode: Mapping[str, Decoder]) -> list[Loaded]:
    """Rows with their media, decoded where that is asked for. Waits for the row groups."""
    return [_load(row, decode) for row in rows]


def make(rows: Iterable[Loaded], columns: Sequence[str]) -> Made:
    """The batch of these rows, in their order."""
    skipped: list[Skipped] = []
    kept: list[tuple[Group, int, dict[str, Any]]] = []
    for row in rows:
        if isinstance(row, Skipped):
            skipped.append(row)
        else:
            kept.append(row)
    batch = {}
    for column in columns:
        if kept and column in kept[0][2]:
            batch[column] = _stacked([media[column] for _, _, media in kept])
        else:
            batch[column] = _plain(kept, column)
    return Made(batch, skipped)


def _load(row: Row, decode: Mapping[str, Decoder]) -> Loaded:
    try:
        group = row.group.result()
        found = _media(group, row, decode)
    except Unreadable as error:
        return Skipped(*error.place, row.row, "", Outcome.DAMAGED_FILE, str(error))
    return found if isinstance(found, Skipped) else (group, row.row, found)


def _media(group: Group, row: Row, decode: Mapping[str, Decoder]) -> dict[str, Any] | Skipped:
    """The media of a row, decoded where that is asked for."""
    values: dict[str, Any] = {}
    for column in group.media:
        value: Any = group.take(column, row.row)
        if decode and (decoder := decode.get(column)):
            place = (group.file, group.number, row.row, column)
            if value is None:
                return Skipped(*place, Outcome.MISSING_MEDIA, "no bytes")
            try:
                value = decoder(value, np.random.default_rng(row.draw))
            except Dropped as error:
                return Skipped(*place, error.outcome, error.detail)
            except (ValueError, OSError) as error:
                detail = f"{type(error).__name__}: {error}"
                return Skipped(*place, Outcome.UNDECODABLE_MEDIA, detail)
        values[column] = value
    return values


def _plain(kept: Sequence[tuple[Group, int, dict[str, Any]]], column: str) -> Any:
    """A column without media."""
    values = [group.columns[column][row] for group, row, _ in kept]
    if all(isinstance(value, np.generic) for value in values):
        return np.array(values, dtype=values[0].dtype if values else float)
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _stacked(values: list[Any]) -> Any:
    if all(isinstance(v, np.ndarray) and v.shape == values[0].shape for v in values):
        return np.stack(values)
    return values


def _one(values: pa.ChunkedArray) -> pa.Array:
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def _cells(values: pa.Array) -> Any:
    """Values by their row: an array if they are numbers and none is missing, else a list."""
    kind = values.type
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if numbers and not values.null_count:
        return values.to_numpy(zero_copy_only=False)
    return values.to_pylist()
