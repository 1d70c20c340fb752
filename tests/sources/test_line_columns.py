"""Lines of text as Arrow columns: what Python says of them, or nothing."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_glass.corpora.layouts import tables
from edge_glass.sources import json_text, line_columns

KINDS = {"i": pa.int64(), "s": pa.string(), "f": pa.float64(), "b": pa.bool_(), "n": pa.null()}
VALUES = (
    *("1", "-0", "1e3", "1.0", "01", "9223372036854775808", "[1]", "NaN", "Inf", "1e400", "{}"),
    *("5e-324", "123456789.12345678901234567890", ".5", "1.", "true", "null", '"a"', '"\\x"'),
    *('"\\u0000"', '"\\ud83d"', '"\\udc00"', '"\\ud83d\\ude00"', '"2020-01-01T00:00:00Z"'),
    *('"\x01"', '"\udcff"'),
)
WHOLE = ('{"i":1,"s":"q","f":0.5,"b":true}', '{"f":2.5}', '{"i":7}', "{}")
ODD = (
    *('{"x":1}', '{"i":1,"i":2}', '{"i":1}{"i":2}', '{"i":1,}', '/**/{"i":1}', '{"s":"x}', "7", ""),
    *('}{"i":1}', '{"i":{"b":1}', ' {"i":3} ', '{"i"\r:1}', '{"i":1}\r', "\x1c", '{"":1}', "{{}"),
)
OBJECTS = st.builds('{{"{}":{}}}'.format, st.sampled_from([*KINDS]), st.sampled_from(VALUES))


@given(st.lists(st.one_of(st.sampled_from(WHOLE), st.sampled_from(ODD), OBJECTS), min_size=1))
def test_objects_are_those_of_json(lines: list[str]) -> None:
    columns = line_columns.objects("\n".join(lines) + "\n", KINDS)
    items = json_text.values(lines)
    rows = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    if columns:
        assert repr([*rows]) == repr([tuple(map(item.get, KINDS)) for item in items])
        assert all(item.keys() <= KINDS.keys() for item in items)


@pytest.mark.parametrize("line", WHOLE)
def test_objects_of_known_kinds_are_read(line: str) -> None:
    assert line_columns.objects(f"{line}\n{WHOLE[0]}\r\n", KINDS)


FIELDS = st.sampled_from(
    [*"a\r\0\udcff\ufeff\x0b\x1c\x85\u2028\"'#", "", " ", "é", '"x"', "NA", "null", "\\t", "\ta"]
)


@given(st.lists(st.lists(FIELDS, min_size=1, max_size=3).map("\t".join), min_size=1), st.booleans())
def test_fields_are_those_of_lines(lines: list[str], tabs: bool) -> None:
    text = "\n".join(lines) + "\n"
    layout, keys = ("tsv", ["0", "1"]) if tabs else ("table", ["url"])
    _, rows, lost = tables.lines(text, layout, keys)
    columns = line_columns.fields(text, 2 if tabs else None)
    if columns:
        assert not lost
        assert [*map(list, zip(*(each.to_pylist() for each in columns), strict=True))] == rows
    else:
        assert lost or "\r" in text
