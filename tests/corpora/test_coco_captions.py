"""COCO Captions, which is a YAML alone: the sample, and the archive as it is published."""

import json
import shutil
from pathlib import Path

import pytest
from kit import ROOT, entries, rows

from edge_glass.core import manifest
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import Row
from edge_glass.corpora import catalog
from edge_glass.corpora.layouts import annotations
from edge_glass.corpora.layouts.record import Files
from edge_glass.sources.obtain import obtain
from edge_glass.sources.raw import Raw

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


def test_ids_that_are_odd_are_joined_or_none(tmp_path: Path) -> None:
    picture = SAMPLES / "web/images.example/train2017/000000900001.jpg"
    for number in range(4):
        shutil.copy(picture, tmp_path / f"{number}.jpg")
    ids = [{"id": 1, "license": 1.0}, {"id": 2.0}, {"id": [3]}, {}]
    images = [{"file_name": f"{n}.jpg", "license": [1]} | each for n, each in enumerate(ids)]
    notes = [{"image_id": n, "caption": f"number {n}"} for n in (1.0, 2, None, [3])]
    notes += [{"image_id": 1, "bbox": [0, 0, 1, 1], "category_id": n} for n in (7.0, [7])]
    licences = [{"id": 1, "url": "http://creativecommons.org/licenses/by/2.0/"}, {"id": [1]}]
    lists = {"images": images, "annotations": notes, "licenses": licences}
    lists["categories"] = [{"id": 7, "name": "cat"}, {"id": {}}]
    (tmp_path / "captions_train.json").write_text(json.dumps(lists))
    records = [*annotations.records(Files(Raw("own", {"data": tmp_path}), "data"))]
    assert [(record.where, record.values.get("captions")) for record in records] == [
        ("train/1", ["number 1.0"]),
        ("train/2.0", ["number 2"]),
        ("train/2.jpg", None),
        ("train/3.jpg", None),
        ("train/annotations of image (none)", None),
    ]
    assert [each["category"] for each in records[0].values["objects"]] == ["cat", None]
    assert records[0].values["license"] == licences[0]["url"]
