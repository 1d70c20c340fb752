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


@pytest.mark.parametrize("text", ["", "{}", "[1", "[1 2]", "[1, nope]", '["a', "[" * 9000])
def test_what_is_no_list(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(EdgeGlassError, match=r"list\.json: (expected a JSON list|damaged JSON)"):
        list(json_text.items(tmp_path / "list.json"))


def test_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"a": "\xff"}\r\n\n[1]\n{"a":\n"end"')
    found = list(json_text.lines(tmp_path / "a.jsonl"))
    assert found == [{"a": "\udcff"}, [1], None, "end"]
