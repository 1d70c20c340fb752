"""CC12M-Cls: its sample, JSON lines, and CC3M's order of columns."""

from pathlib import Path

import pytest
from kit import entries, rows

from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

OUTCOMES = {"blank_caption": 1, "kept": 2, "malformed_row": 1, "no_class": 1, "removed": 1}


def test_sample(built: Path) -> None:
    folder = built / "cc12m_cls_sample"
    assert manifest.read(folder).splits["train"].outcomes == OUTCOMES
    found = [(row["url"], row["class_name"]) for row in rows(folder).values()]
    assert found == [
        ("http://pictures.example/cat.jpg", "tabby cat"),
        ("http://pictures.example/rocket.jpg", "T-shirt"),
        ("http://pictures.example/rocket.jpg", "missile"),  # of two classes
        ("http://pictures.example/rocket.jpg", "missile"),
    ]


def test_caption_first(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "cc12m.tsv").write_bytes(b"a tench\thttp://a.example/1\r\n\xff tench\tb\n")
    variant = catalog.variant("cc12m_cls_metadata", {"caption_first": True}, "cc12m_cls_cc3m")
    build(variant, tmp_path / "out", Options(raw=raw))
    [row] = rows(tmp_path / "out" / "cc12m_cls_cc3m").values()
    assert (row["url"], row["caption"]) == ("http://a.example/1", "a tench")
    book = entries(tmp_path / "out" / "cc12m_cls_cc3m").values()
    assert [entry["outcome"] for entry in book] == ["kept", "bad_encoding"]


@pytest.mark.parametrize("name", ["lastk", "ceil", "shuffle"])
def test_what_other_corpora_draw_by_is_no_parameter(name: str) -> None:
    with pytest.raises(EdgeGlassError, match=f"no parameter {name}"):
        catalog.variant("cc12m_cls_metadata", {name: 1}, "cc12m_cls_x")


def test_nothing_but_json_lines(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "cc12m.jsonl").write_text('{"filepath": "1.jpg", "caption": "a tench"}\n[]\n')
    build(catalog.variant("cc12m_cls_jsonl"), tmp_path / "out", Options(raw=raw))
    [row] = rows(tmp_path / "out" / "cc12m_cls_jsonl").values()
    assert (row["id"], row["filepath"]) == ("1.jpg#n01440764", "1.jpg")
    with pytest.raises(EdgeGlassError, match=r"lacks\n  cc12m\.tsv"):
        build(catalog.variant("cc12m_cls_metadata"), tmp_path / "2", Options(raw=raw))
