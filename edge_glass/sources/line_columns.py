"""Whole lines of text as Arrow columns, where Arrow reads them as Python does."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from edge_glass.sources import json_text
from edge_glass.sources.chunk_text import TAB
from edge_glass.sources.fields import is_text


def fields(text: str, width: int | None) -> list[pa.Array]:
    """The fields of lines between tabs, where all lines have so many; else none.

    Without a width a line is one field without the gaps around it, and empty ones are none.
    """
    if "\r" in text or not is_text(text):
        return []
    if width is None:
        return [pa.array(filter(None, map(str.strip, text.split("\n"))), pa.string())]
    lines = pc.split_pattern(pa.array([text.removesuffix("\n")]), "\n").flatten()
    parts = pc.split_pattern(lines, TAB)
    fit = pc.all(pc.equal(parts.value_lengths(), width)).as_py()
    return [pc.list_element(parts, at) for at in range(width)] if fit else []


def objects(text: str, kinds: dict[str, pa.DataType]) -> dict[str, pa.Array]:
    """The values under the keys of JSON objects, a line each.

    Nothing where lines hold something else than values of these kinds, or Arrow might read it as
    another value than Python's `json`.
    """
    text = text.replace("\r\n", "\n") if "\r" in text else text
    whole = text[:1] == "{" and text[-2:] == "}\n" and text.count("\n") == text.count("}\n{") + 1
    if not (kinds and whole):
        return {}
    try:
        data = text.encode()
        table = pyarrow.json.read_json(
            pa.BufferReader(data),
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            pyarrow.json.ParseOptions(
                explicit_schema=pa.schema(kinds.items()), unexpected_field_behavior="error"
            ),
        )
    except ValueError:
        return {}
    values = dict(zip(kinds, _columns(table, text), strict=False))
    return values if all(_are_floats(text, *item) for item in values.items()) else {}


def _columns(table: pa.Table, text: str) -> list[pa.Array]:
    """The columns of a table if it has a row a line."""
    batches = table.to_batches() if table.num_rows == text.count("\n") else []
    return batches[0].columns if len(batches) == 1 else []


def _are_floats(text: str, key: str, values: pa.Array) -> bool:
    """Whether numbers of a column of floats are finite, and none is written as a whole number."""
    if not pa.types.is_floating(values.type):
        return True
    whole = pc.equal(values, pc.trunc(values)).to_numpy(zero_copy_only=False).nonzero()[0]
    lines = text.split("\n") if len(whole) else []
    finite = pc.all(pc.is_finite(values)).as_py() is not False
    return finite and all(type(json_text.value(lines[at])[key]) is float for at in whole)
