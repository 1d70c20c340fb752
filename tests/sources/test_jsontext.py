"""JSON of any size: lists and lines, wherever the blocks that are read may end."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_glass.core.errors import EdgeGlassError
from edge_glass.sources import json_text

ITEMS = st.lists(
    st.recursive(
        st.integers() | st.booleans() | st.none() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ITEMS, st.integers(3, 60), st.sampled_from([None, 2]))
def test_lists(tmp_path: Path, wanted: list[Any], block: int, indent: int | None) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(wanted, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "BLOCK", block)
        assert list(json_text.items(path)) == wanted


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ITEMS.filter(len), st.integers(3, 60), st.sampled_from([None, 2]))
def test_a_list_under_a_key(
    tmp_path: Path, values: list[Any], block: int, indent: int | None
) -> None:
    path, wanted = tmp_path / "list.json", [{"value": value} for value in values]
    path.write_text(json.dumps({"n": 1, "tags": ["a"], "data": wanted, "end": {}}, indent=indent))
    assert not json_text.is_lines(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "BLOCK", block)
        assert list(json_text.items(path)) == wanted


def test_which_of_two_lists_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text('{"images": [{"id": 1}], "annotations": [{"id": 2}]}')
    with pytest.raises(EdgeGlassError, match="lists of objects under images and annotations"):
        list(json_text.items(tmp_path / "coco.json"))


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("nemo.json", '{"text": "a"}\n{"text": "b"}\n', True),
        ("one.json", '{"text": "a"}', True),
        ("cuts.jsonl", '{"supervisions": [{"id": 1}]}\n', True),
        ("qa.json", '{"data": [{"id": 1}]}\n', False),
        ("chat.json", '{"said": [{"from": "a"}]}\n{"said": [{"from": "b"}]}\n', True),
        ("cut.json", '{"text": \n{"text": "b"}\n', True),
        ("pretty.json", '{\n "data": [\n  {"id": 1}\n ]\n}\n', False),
        ("list.jsonl", '[{"id": 1}]', False),
    ],
)
def test_lines_are_told_from_one_object(tmp_path: Path, name: str, text: str, lines: bool) -> None:
    (tmp_path / name).write_text(text)
    assert json_text.is_lines(tmp_path / name) == lines


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"a": 1, "b": [1]}',
        '{"a": [{}], "b"',
        "[1",
        "[1 2]",
        "[1, nope]",
        '["a',
        "[" * 9000,
    ],
)
def test_what_is_no_list(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(EdgeGlassError, match=r"list\.json: (expected a JSON list|damaged JSON)"):
        list(json_text.items(tmp_path / "list.json"))


def test_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"a": "\xff"}\r\n\n[1]\n{"a":\n"end"')
    found = list(json_text.lines(tmp_path / "a.jsonl"))
    assert found == [{"a": "\udcff"}, [1], None, "end"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(), ITEMS | st.integers(), max_size=4), st.integers(3, 60))
def test_lists_of_an_object(tmp_path: Path, wanted: dict[str, Any], block: int) -> None:
    path = tmp_path / "lists.json"
    path.write_text(json.dumps(wanted))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "BLOCK", block)
        found = list(json_text.lists(path))
    assert found == [(k, item) for k, v in wanted.items() if isinstance(v, list) for item in v]


@pytest.mark.parametrize("text", ['{"a": [1', '{"a": [1]', '{"a" [1]}', '{"a": [1] "b": 2}'])
def test_an_object_that_is_cut(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(EdgeGlassError, match=r"a\.json: damaged JSON"):
        list(json_text.lists(tmp_path / "a.json"))


ODD = [
    *('{"a":[1', "2]}", "1,2", "5,-Infinity,6", "-Infinity", '{"n":NaN}', "[", "]", '"a', 'b"'),
    *("nope", '"-Infinity"', r'"\ud800"', "-1e999", "{}", "null", " ", "\v"),
]


@settings(deadline=None)
@given(ITEMS.map(json.dumps) | st.sampled_from(ODD))
def test_a_line_says_what_pythons_own_reader_finds_in_it(line: str) -> None:
    try:
        wanted = json.loads(line)
    except ValueError:
        wanted = None
    assert repr(json_text.value(line)) == repr(wanted)
