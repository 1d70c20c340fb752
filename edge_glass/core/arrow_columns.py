"""Arrow types as they are stored: which hold media, and where their values stand."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa


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
