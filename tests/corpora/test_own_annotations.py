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


def test_annotations_of_an_image_that_is_not_listed_are_in_the_ledger(at: Path, cli: Cli) -> None:
    """One row for all of an image, as those of a listed one are one; `"1"` is not 1."""
    head = {"images": [{"id": n, "file_name": f"{n}.jpg"} for n in (1, 2)]}
    said = [{"id": n, "image_id": image, "caption": "A cat."} for n, image in enumerate((1, 9, 9))]
    said += [{"id": 3, "image_id": "1", "caption": "A dog."}, {"id": 4, "caption": "An owl."}]
    boxes = [{"id": 5, "image_id": image, "bbox": [1, 2, 3, 4]} for image in (2, 9, 8)]
    for name, notes in (("captions", said), ("instances", boxes)):
        put(at / f"{name}_train2017.json", json.dumps(head | {"annotations": notes}))
    for number in (1, 2):
        put(at / "train2017" / f"{number}.jpg", jpeg(number))
    assert cli("build", "d").code == 0 and list(verify(Path("data"))) == []
    outcomes = {id: (r["outcome"], r["detail"]) for id, r in entries(Path("data/d")).items()}
    lost = {
        f"train/annotations of image {id}": (
            "missing_media", f"no list of images has image_id {id} of {count} annotations",
        )
        for id, count in (("9", 3), ('"1"', 1), ("(none)", 1), ("8", 1))
    }  # fmt: skip
    assert outcomes.pop("train2017/1.jpg")[0] == "kept"
    assert outcomes.pop("train2017/2.jpg")[0] == "blank_caption" and outcomes == lost


def test_answers_to_a_question_that_is_not_listed_are_in_the_ledger(at: Path, cli: Cli) -> None:
    asked = [{"image_id": 1, "question": "What?", "question_id": 1000}]
    told = [
        {"image_id": 1, "question_id": id, "multiple_choice_answer": "cat"} for id in (1000, 1001)
    ]
    put(at / "v2_OpenEnded_mscoco_val2014_questions.json", json.dumps({"questions": asked}))
    put(at / "v2_mscoco_val2014_annotations.json", json.dumps({"annotations": told}))
    put(at / "val2014" / "COCO_val2014_000000000001.jpg", jpeg(1))
    assert cli("build", "d").code == 0 and list(verify(Path("data"))) == []
    detail = "no list of questions has question_id 1001 of 1 annotations"
    assert [(r["outcome"], r["detail"]) for r in entries(Path("data/d")).values()] == [
        ("kept", ""), ("missing_media", detail),
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
