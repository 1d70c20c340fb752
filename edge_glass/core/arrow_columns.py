"""Arrow types as they are stored, and rows, one at a time, -> the Arrow columns of a row group.

A row's media bytes go into the buffer that the Parquet writer reads from as soon as the row
arrives, so that a row can be forgotten at once, and the next row group uses that buffer again.
"""

from collections.abc import Iterator
from mmap import mmap
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

# bytes of buffer at first (memory that is not written to is not there), and most that stay for the
# next row group
START, KEEP = 2**24, 2**25


def is_media(type_: pa.DataType) -> bool:
    """Whether an Arrow column holds files: bytes, a struct with bytes, or a list of either."""
    inner = type_.value_type if pa.types.is_list(type_) else type_
    fields = list(inner) if pa.types.is_struct(inner) else []
    return any(pa.types.is_binary(field.type) for field in fields) or pa.types.is_binary(inner)


def has_media(type_: pa.DataType) -> bool:
    """Whether bytes, or samples (lists of floating point numbers), stand anywhere in a column."""
    return any(
        pa.types.is_binary(leaf) or (pa.types.is_floating(leaf) and ".list." in path)
        for path, leaf in leaves("", type_)
    )


class Column(Protocol):
    """The values of one column (or a part of it) in a row group."""

    def add(self, value: Any) -> None:
        """Take the next row's value."""

    def take(self) -> pa.Array:
        """All values since the last call; they hold until the next `add`."""


def column(type_: pa.DataType) -> Column:
    """The column for values of an Arrow type."""
    if pa.types.is_binary(type_):
        return _Media()
    if any(pa.types.is_binary(leaf) for _, leaf in leaves("", type_)):
        if pa.types.is_struct(type_):
            return _Struct(type_)
        if pa.types.is_list(type_):
            return _List(type_)
    return _Plain(type_)


def leaves(path: str, type_: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """The Parquet columns that a column of some type is stored in: their paths and types."""
    if pa.types.is_struct(type_):
        for field in type_:
            yield from leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_list(type_):
        yield from leaves(f"{path}.list.element", type_.value_type)
    else:
        yield path, type_


def text_bytes(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where each text of an array begins and ends among the bytes that are given with it."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    first, last = (ends[0], ends[-1]) if len(ends) else (0, 0)
    return ends - first, np.frombuffer(data or b"", np.uint8)[first:last]


class _Plain:
    def __init__(self, type_: pa.DataType) -> None:
        self._type = type_
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        self._values.append(value)

    def take(self) -> pa.Array:
        values, self._values = self._values, []
        return pa.array(values, type=self._type)


class _Media:
    def __init__(self) -> None:
        self._buffer = _room(START)
        self._ends, self._nulls = [0], [False]

    def add(self, value: bytes | None) -> None:
        start = self._ends[-1]
        end = start if value is None else start + len(value)
        if end > len(self._buffer):
            larger = _room(max(end, 2 * len(self._buffer)))
            larger[:start] = self._buffer[:start]
            self._buffer = larger
        if value is not None:
            self._buffer[start:end] = value
        self._ends.append(end)
        self._nulls.append(value is None)

    def take(self) -> pa.Array:
        ends, nulls = np.array(self._ends, dtype=np.int32), self._nulls[1:]
        valid = pa.py_buffer(np.packbits(np.logical_not(nulls), bitorder="little"))
        parts = [valid if any(nulls) else None, pa.py_buffer(ends), pa.py_buffer(self._buffer)]
        taken = pa.Array.from_buffers(pa.binary(), len(nulls), parts)
        if len(self._buffer) > KEEP:
            self._buffer = _room(START)
        self._ends, self._nulls = [0], [False]
        return taken


def _room(size: int) -> memoryview:
    """Memory that the C library knows nothing of: it would keep as much again after its end."""
    return memoryview(mmap(-1, size))


class _Struct:
    def __init__(self, type_: pa.StructType) -> None:
        self._fields = list(type_)
        self._parts = [(field.name, column(field.type)) for field in self._fields]
        self._nulls: list[bool] = []

    def add(self, value: dict[str, Any] | None) -> None:
        for name, part in self._parts:
            part.add(None if value is None else value.get(name))
        self._nulls.append(value is None)

    def take(self) -> pa.Array:
        nulls, self._nulls = self._nulls, []
        mask = pa.array(nulls) if any(nulls) else None
        parts = [part.take() for _, part in self._parts]
        return pa.StructArray.from_arrays(parts, fields=self._fields, mask=mask)


class _List:
    def __init__(self, type_: pa.ListType) -> None:
        self._type = type_
        self._item = column(type_.value_type)
        self._ends, self._nulls = [0], [False]

    def add(self, value: list[Any] | None) -> None:
        for item in value or ():
            self._item.add(item)
        self._ends.append(self._ends[-1] + len(value or ()))
        self._nulls.append(value is None)

    def take(self) -> pa.Array:
        ends, nulls = np.array(self._ends, dtype=np.int32), self._nulls[1:]
        self._ends, self._nulls = [0], [False]
        mask = pa.array(nulls) if any(nulls) else None
        return pa.ListArray.from_arrays(ends, self._item.take(), type=self._type, mask=mask)
