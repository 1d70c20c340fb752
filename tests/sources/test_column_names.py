"""Columns under other names than a corpus has for them, and files that are packed."""

import bz2
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.media.features import Value
from edge_glass.pipeline.build import Options, build
from edge_glass.pipeline.estimate import plan
from edge_glass.sources.parquet_folder import Tables
from edge_glass.sources.raw import Raw
from edge_glass.sources.table_layout import named

TEXT = Value("string")


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        (["url", "text"], ["Image_URL", " CAPTION"], ["Image_URL", " CAPTION"]),
        (["image_url", "caption"], ["url", "text"], ["url", "text"]),
        (["TEXT"], ["text", "caption"], ["text"]),
        (["text"], ["TEXT", "text"], ["text"]),
        (["text", "caption"], ["caption"], [None, "caption"]),  # which is wanted for itself
        (["url"], ["address"], [None]),
    ],
)
def test_names_of_columns(wanted: list[str], there: list[str], found: list[str | None]) -> None:
    names = named(wanted, there)
    assert [names.get(name) for name in wanted] == found


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_table_of_text(start: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f'{start}"Image_URL",text,more\nu,a,b\n', encoding="utf-8")
    raw = Raw("birds", {"list": path})
    assert [record for _, record in raw.csv("list", ["url", "caption"])] == [
        {"url": "u", "caption": "a", "more": "b"}
    ]
    assert raw.renamed == {"list": {"url": "Image_URL", "caption": "text"}}
    with pytest.raises(EdgeGlassError, match="no column title; found Image_URL, text, more"):
        list(raw.csv("list", ["url", "title"]))


def test_tables_in_a_folder(tmp_path: Path) -> None:
    pq.write_table(pa.table({"more": [1], "URL": ["u"], "text": ["a"]}), tmp_path / "0.parquet")
    raw = Raw("birds", {"list": tmp_path}, places={"list": Tables(tmp_path)})
    [(_, record)] = raw.records("list", {"image_url": TEXT, "caption": TEXT})
    assert record == {"image_url": "u", "caption": "a"}
    assert raw.renamed == {"list": {"image_url": "URL", "caption": "text"}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "url\tcaption\tSimilarity\nhttp://a.example/1\ta\t0.5\n"),
        ("a.jsonl", '{"url": "http://a.example/1", "caption": "a", "Similarity": 0.5}\n'),
    ],
)
def test_the_plan_says_which_names_are_read(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir()
    (tmp_path / "chunks" / name).write_text(text)
    made = plan(catalog.variant("laion400m_metadata"), tmp_path / "out", tmp_path)
    assert made.columns == {"chunks": {"URL": "url", "TEXT": "caption", "similarity": "Similarity"}}
    assert made.rows == {"train": 1}


PACKERS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


@pytest.mark.parametrize("packed", PACKERS)
def test_a_file_that_is_packed_is_the_file(packed: str, tmp_path: Path) -> None:
    lines = [{"filepath": "1.jpg", "caption": "a red panda"}, {"filepath": "2.jpg"}]
    data = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    for folder, name, content in (
        ("plain", "yfcc15m.jsonl", data),
        ("packed/in", f"yfcc15m.jsonl{packed}", PACKERS[packed](data)),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_bytes(content)
    variant = catalog.variant("yfcc15m_cls", {"images": "none"}, "yfcc15m_cls_text")
    outs = []
    for folder in ("plain", "packed"):
        assert plan(variant, tmp_path / "out", tmp_path / folder).exact == (folder == "plain")
        build(variant, tmp_path / f"{folder}-out", Options(raw=tmp_path / folder, unverified=True))
        outs.append(tmp_path / f"{folder}-out" / variant.name)
    plain, unpacked = (manifest.read(out) for out in outs)
    assert unpacked.sources == plain.sources  # as published
    assert plain.splits["train"].kept == 1
    assert unpacked.splits == plain.splits
