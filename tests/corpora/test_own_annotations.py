"""Pictures as their annotations are published: COCO, VQA, and base64 in tables."""

import base64
import json
from pathlib import Path

import pytest
from kit import Cli, entries, rows
from ownfiles import jpeg, put

from edge_glass.audit.verify import verify


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "d"


def test_keypoints_are_of_the_objects_of_another_file(at: Path, cli: Cli) -> None:
    images = [{"id": 9, "file_name": "000000000009.jpg"}]
    box = {"id": 7, "image_id": 9, "category_id": 1, "bbox": [1.5, 2, 3, 4], "iscrowd": 0}
    cat = box | {"id": 8, "category_id": 17, "segmentation": {"counts": [5, 1], "size": [2, 3]}}
    head = {
        "images": images,
        "categories": [{"id": 1, "name": "person"}, {"id": 17, "name": "cat"}],
    }
    box["segmentation"] = [[1.0, 2, 3, 4, 5, 6]]
    points = box | {"keypoints": [1, 2, 2], "num_keypoints": 1}
    for name, said in (("instances", [box, cat]), ("person_keypoints", [points])):
        text = json.dumps(head | {"annotations": said})
        put(at / "annotations" / f"{name}_train2017.json", text)
    put(at / "train2017" / "000000000009.jpg", jpeg(1))
    assert cli("build", "d").code == 0
    [row] = rows(Path("data/d")).values()
    person, other = json.loads(row["objects"])
    assert (person["category"], person["keypoints"], person["segmentation"]) == (
        "person", [1, 2, 2], [[1.0, 2, 3, 4, 5, 6]],
    )  # fmt: skip
    assert (other["category"], other["segmentation"]) == ("cat", cat["segmentation"])


def test_a_question_that_stands_in_two_files_is_one(at: Path, cli: Cli) -> None:
    """Those of VQA's test-dev are in its test, too."""
    questions = [{"image_id": 1, "question": f"No. {n}?", "question_id": n} for n in (1000, 1001)]
    for name, asked in (("test2015", questions), ("test-dev2015", questions[:1])):
        text = json.dumps({"questions": asked})
        put(at / f"v2_OpenEnded_mscoco_{name}_questions.json", text)
    put(at / "test2015" / "COCO_test2015_000000000001.jpg", jpeg(1))
    assert cli("build", "d").code == 0 and list(verify(Path("data"))) == []
    assert [(id, row["outcome"]) for id, row in entries(Path("data/d")).items()] == [
        ("test/1000", "kept"), ("test/1001", "kept"),
    ]  # fmt: skip


def test_base64_as_urls_have_it_is_read(at: Path, cli: Cli) -> None:
    text = base64.urlsafe_b64encode(jpeg(1)).decode()
    assert {*"-_"} & {*text}
    put(at / "a.jsonl", json.dumps({"id": "a", "image": text, "text": "An owl."}))
    assert cli("build", "d").code == 0
    assert rows(Path("data/d"))["a"]["image"]["bytes"] == jpeg(1)


def test_a_first_row_is_no_header(at: Path, cli: Cli) -> None:
    """As in OFA's tables, whose first picture was a column's name."""
    lines = [f"{n}\tNo. {n}\t{base64.b64encode(jpeg(n)).decode()}\n" for n in (1, 2)]
    put(at / "caption_val.tsv", "".join(lines))
    result = cli("build", "d")
    assert result.code != 0 and "not names of columns" in result.err
    assert cli("build", "d", "--layout", "tsv", "--caption", "1").code == 0
    assert len(rows(Path("data/d"))) == 2
