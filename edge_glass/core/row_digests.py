"""Digests of what a row holds: by them an altered, swapped or moved row is known."""

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from json.encoder import encode_basestring_ascii as json_text
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core.arrow_columns import text_bytes
from edge_glass.core.key_digests import digits

Take = Callable[[bytes], Any]
Read = Callable[[Any, Take], Any]


class RowDigests:
    """The digests of rows of one schema, alike before they are written and after they are read."""

    def __init__(self, schema: pa.Schema) -> None:
        self._types = sorted(((f.name, f.type) for f in schema), key=itemgetter(0))
        self._readers = [(name, _reader(type_)) for name, type_ in self._types]
        self._text = json.JSONEncoder(default=str).encode

    def of(self, example: Mapping[str, Any]) -> tuple[str, str | None]:
        """A digest of all that is no media, and the sha256 of the media, None if there are none.

        Media are bytes, one after another, and lists of floating point numbers.
        """
        media, seen = sha256(), []

        def take(data: bytes) -> None:
            media.update(data)
            seen.append(len(data))

        plain = {name: reader(example[name], take) for name, reader in self._readers}
        text = self._text([plain, seen])
        return sha256(text.encode()).hexdigest()[:32], media.hexdigest() if any(seen) else None

    def of_all(
        self, examples: Iterable[Mapping[str, Any]], source_sha256: str | None
    ) -> tuple[list[str], list[str | None] | None]:
        """Both digests of each example of a source row.

        Those of the media are left out (None) where all of them are the bytes of the source.
        """
        pairs = [self.of(example) for example in examples]
        media = [digest for _, digest in pairs]
        as_they_were = all(digest == source_sha256 for digest in media)
        return [text for text, _ in pairs], None if as_they_were else media

    def of_table(self, table: pa.Table) -> pa.Array:
        """The first digest of each row of a table without media, as `of` gives it."""
        parts, before = list[Any](), "[{"
        for name, type_ in self._types:
            parts += [f"{before}{json.dumps(name)}: ", _json(table[name], type_)]
            before = ", "
        texts = pc.binary_join_element_wise(*parts, "}, []]", "")
        return digits(texts)


def _reader(type_: pa.DataType) -> Read:
    """What gives a value as it is read from Parquet; its bytes go to `take`, which gives nothing.

    A type is looked at once, not for each row.
    """
    whole, number = pa.types.is_integer(type_), type_ == pa.float64()
    as_it_is = {type(None), str, bool, *([int] if whole else []), *([float] if number else [])}
    other = _reader_of_others(type_)
    return lambda value, take: value if type(value) in as_it_is else other(value, take)


def _reader_of_others(type_: pa.DataType) -> Read:
    if pa.types.is_struct(type_):
        parts = [(field.name, _reader(field.type)) for field in type_]
        return lambda value, take: {name: reader(value.get(name), take) for name, reader in parts}
    if pa.types.is_binary(type_):
        return lambda value, take: take(value)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        number = type_.to_pandas_dtype()
        return lambda value, take: number(value).item()
    if pa.types.is_list(type_) and pa.types.is_floating(type_.value_type):
        kind = type_.value_type.to_pandas_dtype()
        return lambda value, take: take(np.asarray(value, dtype=kind).tobytes())
    if pa.types.is_list(type_):
        item = _reader(type_.value_type)
        return lambda value, take: [item(each, take) for each in value]
    return lambda value, take: pa.scalar(value, type_).as_py()


def _json(values: pa.ChunkedArray, type_: pa.DataType) -> pa.Array:
    """Each value as `json.dumps` writes it."""
    array = values.combine_chunks()
    if pa.types.is_string(type_):
        texts = _quoted(array)
    elif pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        texts = array.cast(pa.string())
    elif pa.types.is_floating(type_):
        texts = json_numbers(array)
    else:
        reader = _reader(type_)
        plain = (reader(value, _no_media) for value in array.to_pylist())
        return pa.array([json.dumps(value, default=str) for value in plain], pa.string())
    return texts.fill_null("null") if array.null_count else texts


def _quoted(texts: pa.Array) -> pa.Array:
    """Only texts with something to escape go through Python."""
    ends, data = text_bytes(texts)
    escaped = (data < ord(" ")) | (data > ord("~")) | (data == ord('"')) | (data == ord("\\"))
    rows = np.unique(np.searchsorted(ends, np.flatnonzero(escaped), "right") - 1)
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    if not len(rows):
        return quoted
    texts_of_rows = pa.array(map(json_text, texts.take(rows).to_pylist()), pa.string())
    mask = np.zeros(len(texts), dtype=bool)
    mask[rows] = True
    return pc.replace_with_mask(quoted, pa.array(mask), texts_of_rows)


def json_numbers(floats: pa.Array) -> pa.Array:
    """Floating point numbers as Python writes them; Arrow does it where it writes the same."""
    numbers = floats.cast(pa.float64())
    size = np.abs(numbers.fill_null(1).to_numpy(zero_copy_only=False))
    with np.errstate(invalid="ignore"):  # NaN is odd
        odd = ~((size >= 1e-4) & (size < 1e10) & (size != np.trunc(size)))
    texts = numbers.cast(pa.string())
    if not odd.any():
        return texts
    odd_texts = pa.array(map(json.dumps, numbers.filter(pa.array(odd)).to_pylist()), pa.string())
    return pc.replace_with_mask(texts, pa.array(odd), odd_texts)


def _no_media(_: bytes) -> None:
    raise TypeError("a table of media: its rows go through `of`")
