"""Rows of row groups -> one batch of columns; rows that cannot be decoded are left out and told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import Example
from edge_glass.core.stored_media import Stored

Batch = Example  # column -> array, or a list where values are no numbers of one shape
Decoder = Callable[[bytes, np.random.Generator], Any]
Transform = Callable[[Example, np.random.Generator], Any]
ELSEWHERE = (
    "a loader gives whole batches in an order of its own: iterate over it, or over its DataLoader, "
    "`loader.torch(workers)`, which trainers take as it is. Another class of DataLoader is made of "
    "its parts: data = loader.torch(); StatefulDataLoader(data.dataset, "
    "batch_sampler=data.batch_sampler, collate_fn=data.collate_fn)"
)


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


@dataclass(frozen=True)
class Recipe:
    """What becomes of rows: media are decoded, the row transformed, rows put together."""

    columns: Sequence[str]
    decode: Mapping[str, Decoder]
    transform: Transform | None = None
    collate: Callable[[list[Any]], Any] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether rows are put together as they are."""
        return not (self.decode or self.transform or self.collate)


Loaded = Any  # a row: a dictionary, or what `transform` made of it; or a Skipped


def load(rows: Sequence[Row], recipe: Recipe) -> list[Loaded]:
    """Rows with their media, decoded where that is asked for. Waits for the row groups."""
    return [_load(row, recipe) for row in rows]


def make(rows: Iterable[Loaded], recipe: Recipe) -> Made:
    """The batch of these rows, in order. Raises EdgeGlassError if arrays are of several shapes."""
    skipped: list[Skipped] = []
    kept: list[Any] = []
    for row in rows:
        (skipped if isinstance(row, Skipped) else kept).append(row)
    if recipe.collate and kept:
        return Made(recipe.collate(kept), skipped)
    if kept and not isinstance(kept[0], Mapping):
        raise ConfigError(
            f"transform gives rows of type {type(kept[0]).__name__}: give dictionaries, or a "
            "collate_fn that makes a batch of such rows"
        )
    batch: Batch = {}
    for column in kept[0] if kept else recipe.columns:
        values = [row[column] for row in kept]
        if is_ragged(recipe.decode.get(column)):
            batch[column], batch[f"{column}_length"] = _padded(values)
        elif column in recipe.decode and not values:
            batch[column] = np.empty(0)
        else:
            batch[column] = _together(column, values, recipe.transform is not None)
    return Made(batch, skipped)


def is_ragged(decoder: Decoder | None) -> bool:
    """Whether what a decoder gives is of any length, so that a batch is padded."""
    return bool(getattr(decoder, "ragged", False))


def _load(row: Row, recipe: Recipe) -> Loaded:
    try:
        group = row.group.result()
    except Unreadable as error:
        return Skipped(*error.place, row.row, "", Outcome.DAMAGED_FILE, str(error))
    place = (group.file, group.number, row.row)
    values: Example = {}
    for column in recipe.columns:
        single = column in group.media
        value: Any = group.take(column, row.row) if single else group.columns[column][row.row]
        if decoder := recipe.decode.get(column):
            decode = _decoded if single else _all_decoded
            value = decode(decoder, value, row, (*place, column))
        if isinstance(value, Skipped):
            return value
        values[column] = value
    if recipe.transform:
        return _transformed(recipe.transform, values, row, (*place, ""))
    return values


def _all_decoded(decoder: Decoder, media: Any, row: Row, place: tuple[str, int, int, str]) -> Any:
    """A list of media (the frames of a clip), each drawn alike: they become one array."""
    values = [_decoded(decoder, each and each["bytes"], row, place) for each in media or [None]]
    skipped = [value for value in values if isinstance(value, Skipped)]
    return skipped[0] if skipped else _together(place[-1], values, False)


def _decoded(
    decoder: Decoder, value: bytes | None, row: Row, place: tuple[str, int, int, str]
) -> Any:
    if value is None:
        return Skipped(*place, Outcome.MISSING_MEDIA, "no bytes")
    try:
        return decoder(value, np.random.default_rng(row.draw))
    except Dropped as error:
        return Skipped(*place, error.outcome, error.detail)
    except (ValueError, OSError) as error:
        detail = f"{type(error).__name__}: {error}"
        return Skipped(*place, Outcome.UNDECODABLE_MEDIA, detail)


def _transformed(
    transform: Transform, values: Example, row: Row, place: tuple[str, int, int, str]
) -> Any:
    plain = {name: _item(value) for name, value in values.items()}
    try:  # any other error is one of the function, not of the row
        return transform(plain, np.random.default_rng([*row.draw, 1]))
    except Dropped as error:
        return Skipped(*place, error.outcome, error.detail)


def _together(column: str, values: list[Any], any_number: bool) -> Any:
    """Arrays of one shape, and numbers, as one array; anything else as a list."""
    if values and all(isinstance(value, np.ndarray) for value in values):
        shapes = {value.shape for value in values}
        if len(shapes) > 1:
            one, other, *_ = sorted(shapes)
            raise ConfigError(
                f"{column}: arrays of shapes {one} and {other} in one batch. Let what makes them "
                f"give one shape, wrap a decoder of sounds of any length in Padded, or give "
                "collate_fn"
            )
        return np.stack(values)
    numbers = (np.generic, bool, int, float) if any_number else np.generic
    if all(isinstance(value, numbers) for value in values):
        first = values[0].dtype if values and isinstance(values[0], np.generic) else None
        return np.array(values, dtype=first if values else float)
    return [_item(value) for value in values]


def _padded(values: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Arrays of any length as one that ends in zeros, and their lengths."""
    lengths = np.array([len(value) for value in values], dtype=np.int64)
    if not values:
        return np.empty((0, 0)), lengths
    batch = np.zeros((len(values), lengths.max(), *values[0].shape[1:]), values[0].dtype)
    for row, value in zip(batch, values, strict=True):
        row[: len(value)] = value
    return batch, lengths


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _one(values: pa.ChunkedArray) -> pa.Array:
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def _cells(values: pa.Array) -> Any:
    """Values by their row: an array if they are numbers and none is missing, else a list."""
    kind = values.type
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if numbers and not values.null_count:
        return values.to_numpy(zero_copy_only=False)
    return values.to_pylist()
