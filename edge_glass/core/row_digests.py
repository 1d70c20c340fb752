"""Digests of what a row holds: by them an altered, swapped or moved row is known."""

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

Take = Callable[[bytes], None]


class RowDigests:
    """The digests of rows of one schema, alike before they are written and after they are read."""

    def __init__(self, schema: pa.Schema) -> None:
        self._types = sorted(((f.name, f.type) for f in schema), key=itemgetter(0))

    def of(self, example: Mapping[str, Any]) -> tuple[str, str | None]:
        """A digest of all that is no media, and the sha256 of the media, None if there are none.

        Media are bytes, one after another, and lists of floating point numbers.
        """
        media, seen = sha256(), []

        def take(data: bytes) -> None:
            media.update(data)
            seen.append(len(data))

        plain = {name: _plain(example[name], type_, take) for name, type_ in self._types}
        text = json.dumps([plain, seen], default=str)
        return sha256(text.encode()).hexdigest()[:32], media.hexdigest() if any(seen) else None

    def of_all(
        self, examples: Iterable[Mapping[str, Any]], source_sha256: str | None
    ) -> tuple[list[str], list[str | None] | None]:
        """Both digests of each example of a source row.

        Those of the media are left out (None) where all of them are the bytes of the source.
        """
        pairs = [self.of(example) for example in examples]
        media = [found for _, found in pairs]
        as_they_were = all(found == source_sha256 for found in media)
        return [text for text, _ in pairs], None if as_they_were else media


def _plain(value: Any, type_: pa.DataType, take: Take) -> Any:
    """A value as it is read from Parquet, without the bytes in it, which go to `take`."""
    if value is None or type(value) in (str, bool):
        return value
    if pa.types.is_struct(type_):
        return {field.name: _plain(value.get(field.name), field.type, take) for field in type_}
    if pa.types.is_list(type_):
        item = type_.value_type
        if pa.types.is_floating(item):
            take(np.asarray(value, dtype=item.to_pandas_dtype()).tobytes())
            return None
        return [_plain(each, item, take) for each in value]
    return _leaf(value, type_, take)


def _leaf(value: Any, type_: pa.DataType, take: Take) -> Any:
    if pa.types.is_binary(type_):
        take(value)
        return None
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return type_.to_pandas_dtype()(value).item()
    return pa.scalar(value, type_).as_py()
