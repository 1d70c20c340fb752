"""Real upstream tables come out as they should; and a command that keeps no row says so."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chunk_records import records
from edge_glass.builders import librispeech
from kit import Cli

from edge_glass.corpora import catalog
from edge_glass.corpora.rows import Row
from edge_glass.sources.fields import strings
from edge_glass.sources.raw import Raw


def read(config: str, paths: dict[str, Path], folder: Path, **overrides: object) -> list[Row]:
    """The source rows of the first split of a config."""
    corpus = catalog.variant(config, overrides, "real" if overrides else None).builder()
    return list(corpus.source_rows(corpus.splits()[0], Raw(corpus.corpus, paths)))


@pytest.mark.parametrize("id", [None, 7, "", " \u2003\x1f"])
def test_a_row_without_an_id_is_malformed(id: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = catalog.variant("clotho").builder()
    rows = [Row("a", "x", "line 1"), Row(id, "x", "line 2")]
    monkeypatch.setattr(corpus, "rows", lambda *_: iter(rows))
    [whole, odd] = corpus.source_rows("evaluation", Raw("clotho", {}))
    assert whole.dropped is None and odd.id == "evaluation/line 2"
    found = "a number: 7" if id == 7 else "nothing"
    assert odd.dropped == ("malformed_row", f"id: expected text, found {found}")


def test_musiccaps(real: Path, tmp_path: Path) -> None:
    paths = {"musiccaps-public.csv": real / "musiccaps/musiccaps-public.csv", "clips": tmp_path}
    rows = read("musiccaps", paths, tmp_path)
    assert len(rows) == 5521
    assert all(row.dropped is None for row in rows)
    fields = [row.fields for row in rows]
    assert sum(record["is_audioset_eval"] == "True" for record in fields) == 2858
    assert sum(record["is_balanced_subset"] == "True" for record in fields) == 1000
    aspects = [aspect for record in fields for aspect in strings(record["aspect_list"])]
    assert (len(aspects), len(set(aspects))) == (58_901, 13_219)
    assert sum(len(record["audioset_positive_labels"].split(",")) for record in fields) == 17_676
    assert sum("\n" in record["caption"] for record in fields) == 5


def test_librispeech_speakers(real: Path, tmp_path: Path) -> None:
    shutil.copy(real / "librispeech" / "SPEAKERS.TXT", tmp_path)
    (tmp_path / "dev-clean").mkdir()
    raw = Raw("librispeech", {"part": tmp_path / "dev-clean"})
    speakers, _ = librispeech._tables(raw, "part")
    assert len(speakers) == 2484
    assert speakers["60"] == {"sex": "M", "minutes": 20.18, "name": "CBWSimon"}
    subsets = Counter(record[2] for record in raw.table_beside("part", "SPEAKERS.TXT", 5))
    assert [subsets[f"train-{part}"] for part in ("clean-100", "clean-360", "other-500")] == [
        251,
        921,
        1166,
    ]
    parts = [f"{kind}-{part}" for kind in ("dev", "test") for part in ("clean", "other")]
    assert [subsets[part] for part in parts] == [40, 33, 40, 33]


def test_urls_as_cc12m(real: Path, tmp_path: Path) -> None:
    table = pq.read_table(real / "urls" / "test_10000.parquet", columns=["URL", "TEXT"])
    pairs = zip(table["URL"].to_pylist(), table["TEXT"].to_pylist(), strict=True)
    path = tmp_path / "cc12m.tsv"
    path.write_text("".join(f"{url}\t{text}\n" for url, text in pairs), encoding="utf-8")
    rows = read("cc12m_cls", {"cc12m.tsv": path}, tmp_path, images=False)
    outcomes = Counter(row.dropped[0] if row.dropped else "kept" for row in rows)
    assert outcomes == {"malformed_row": 1, "no_class": 7959, "kept": 2040}
    assert sum(len(row.fields["wnid"]) for row in rows if not row.dropped) == 2373


def test_laion_chunks(real: Path) -> None:
    layout = catalog.corpus("laion400m").TABLE
    assert layout is not None
    found = list(records(real / "laion", layout))
    assert len(found) == 20
    assert all(why is None for _, _, why, _ in found)


def test_dedup_of_a_table_without_similarity(real: Path, tmp_path: Path, cli: Cli) -> None:
    run = ["dedup", "laion400m", "--raw", real / "urls", "--out", tmp_path, "--parts", 1]
    said = cli(*run)
    assert said.code == 1
    assert "no row is kept: 10,000 missing_column" in said.err
    assert json.loads((tmp_path / "dedup.json").read_text())["outcomes"] == {
        "missing_column": 10_000
    }
    assert cli(*run, "--allow-empty").code == 0


def test_no_row_kept_is_an_error_of_build_and_match(tmp_path: Path, cli: Cli) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "cc12m.tsv").write_text("http://a.example/1.jpg\tnothing of a class\n")
    run = ["build", "cc12m_cls", "--raw", raw, "--out", tmp_path / "out"]
    run += ["--set", "images=false", "--name", "cc12m_cls_empty", "--jobs", 1]
    said = cli(*run)
    assert said.code == 1
    assert "cc12m_cls_empty: no row is kept: 1 no_class" in said.err
    assert "--allow-empty" in said.err
    assert not (tmp_path / "out" / "cc12m_cls_empty").exists()
    assert cli(*run, "--allow-empty").code == 0
    assert (tmp_path / "out" / "cc12m_cls_empty" / "manifest.json").is_file()
    chunks = tmp_path / "chunks" / "metadata"
    chunks.mkdir(parents=True)
    (chunks / "a.csv").write_text("URL|TEXT|similarity\nhttp://a.example|nothing of a class|0.5\n")
    run = ["match", "laion400m", "--raw", tmp_path / "chunks", "--out", tmp_path / "m"]
    said = cli(*run, "--jobs", 1)
    assert said.code == 1
    assert "no row is kept: 1 no_class" in said.err
    assert cli(*run, "--jobs", 1, "--allow-empty").code == 0
