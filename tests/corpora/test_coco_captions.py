"""COCO Captions, which is a YAML alone: the sample, and the archive as it is published."""

import shutil
from pathlib import Path

import pytest
from kit import ROOT, entries, rows

from edge_glass.core import manifest
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import Row
from edge_glass.corpora import catalog
from edge_glass.sources.obtain import obtain

SAMPLES = ROOT / "samples" / "coco_captions"


def test_the_sample(built: Path) -> None:
    folder = built / "coco_captions_sample"
    outcomes = {name: split.outcomes for name, split in manifest.read(folder).splits.items()}
    assert outcomes == {"train": {"kept": 2, "removed": 2}, "validation": {"kept": 1}}
    cat = rows(folder)["000000900001.jpg"]
    assert sorted(cat["captions"]) == ["A tabby cat looks up.", "a cat that sits on a floor"]
    picture = SAMPLES / "web" / "images.example" / "train2017" / "000000900001.jpg"
    assert cat["image"]["bytes"] == picture.read_bytes()
    assert cat["license"] == "http://creativecommons.org/licenses/by/2.0/"
    assert (cat["licence_id"], cat["image_url"]) == (4, entries(folder)[cat["id"]]["url"])


def test_the_archive_has_other_annotations_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    lists = Path(shutil.copytree(SAMPLES / "annotations", tmp_path / "all" / "annotations"))
    (lists / "instances_train2017.json").write_text("no JSON, and not read")
    (tmp_path / "raw").mkdir()
    archive = tmp_path / "raw" / "annotations_trainval2017"
    shutil.make_archive(str(archive), "zip", tmp_path / "all")

    corpus = catalog.variant("coco_captions").builder()
    raw = obtain(corpus.request(), tmp_path / "raw", unverified=True)
    found: list[Row] = [row for split in corpus.splits() for row in corpus.rows(split, raw)]
    assert [row.id for row in found] == [f"0000009000{n:02d}.jpg" for n in (1, 2, 3, 4, 11)]
    assert all(row.fetch_request and not row.dropped for row in found)


def test_licences_are_those_of_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    raw_folder = Path(shutil.copytree(SAMPLES / "annotations", tmp_path / "raw" / "annotations"))
    listed = raw_folder / "captions_val2017.json"
    listed.write_text(listed.read_text().replace("licenses/by/2.0", "licenses/by-nc/2.0"))
    shutil.make_archive(
        str(raw_folder.parent / "annotations_trainval2017"), "zip", tmp_path / "raw"
    )
    corpus = catalog.variant("coco_captions", {"licences": ["commercial"]}).builder()
    raw = obtain(corpus.request(), raw_folder.parent, unverified=True)
    rows_ = [row for split in corpus.splits() for row in corpus.source_rows(split, raw)]
    wanted = (Outcome.LICENCE, "http://creativecommons.org/licenses/by-nc/2.0/")
    assert [corpus.unlicensed(row.fields) for row in rows_] == [None, None, None, None, wanted]
