"""ImageNet-Captions: captions of every kind, the scale ablations, the class layout."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kit import Cli, rows
from PIL import Image

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.imagenet import classes
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

SAMPLE = Path(__file__).parents[2] / "samples" / "imagenet_captions"
COUNTS = {"kept": 8, "malformed_row": 1, "missing_media": 1, "no_class": 1}
ONE = "n02123045_1"
TEXT = "Chelsea cat tabby whiskers She looks at me. Again."


def made(out: Path, raw: Path | None = None, **overrides: Any) -> dict[str, dict[str, Any]]:
    base = "imagenet_captions_metadata" if raw else "imagenet_captions_metadata_sample"
    overrides = {"append_cname": False} | overrides
    variant = catalog.variant(base, overrides, "imagenet_captions_test")
    build(variant, out, Options(raw=raw))
    return rows(out / "imagenet_captions_test")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,770 rows: of the n-th class n % 60."""
    folder = tmp_path_factory.mktemp("many")
    wnids = [found.wnid for found in classes.imagenet()[:60]]
    items = [
        {"filename": f"{wnid}_{n}.JPEG", "wnid": wnid, "title": f"t {n}", "tags": []}
        | {"description": ""}
        for label, wnid in enumerate(wnids)
        for n in range(label)
    ]
    (folder / "imagenet_captions.json").write_text(json.dumps(items))
    return folder


def test_sample(built: Path) -> None:
    folder = built / "imagenet_captions_sample"
    assert manifest.read(folder).splits["train"].outcomes == COUNTS
    row = rows(folder)[ONE]
    assert (row["wnid"], row["label"], row["class_name"]) == ("n02123045", 281, "tabby cat")
    assert row["caption"] == f"tabby cat {TEXT}"
    path = SAMPLE / "train" / "n02123045" / row["filename"]
    assert row["image"]["bytes"] == path.read_bytes()


@pytest.mark.parametrize(
    ("settings", "caption"),
    [
        ({}, TEXT),
        ({"text": ["title"]}, "Chelsea"),
        ({"text": ["tags"]}, "cat tabby whiskers"),
        ({"text": ["description", "title"]}, "Chelsea She looks at me. Again."),
        ({"text": [], "append_cname": True}, "tabby cat"),
        ({"text": [], "append_cname": True, "mode": "a+cname"}, "a tabby cat"),
        ({"append_cname": True, "mode": "photo"}, f"a photo of a tabby cat {TEXT}"),
    ],
)
def test_captions(settings: dict[str, Any], caption: str, tmp_path: Path) -> None:
    assert made(tmp_path, **settings)[ONE]["caption"] == caption


def test_empty_captions_are_dropped_by_reason(tmp_path: Path) -> None:
    found = made(tmp_path, text=["description"])
    outcomes = manifest.read(tmp_path / "imagenet_captions_test").splits["train"].outcomes
    assert outcomes == {"kept": len(found), "blank_caption": 5, "malformed_row": 1, "no_class": 1}


def test_templates_and_lemmas_are_drawn_by_seed(many: Path, tmp_path: Path) -> None:
    # fault: the source's templates are functions, which it formats as if they were text
    wanted = {"text": [], "append_cname": True, "mode": "openai80", "use_synset": True}
    first = {id: row["caption"] for id, row in made(tmp_path, many, **wanted).items()}
    again = {id: row["caption"] for id, row in made(tmp_path / "2", many, **wanted).items()}
    other = {id: row["caption"] for id, row in made(tmp_path / "3", many, seed=1, **wanted).items()}
    assert first == again != other
    lemmas = {l for found in classes.imagenet()[:60] for l in found.lemmas}  # noqa: E741
    possible = {t.format(l) for t in classes.templates("openai80") for l in lemmas}  # noqa: E741
    assert set(first.values()) <= possible and len(set(first.values())) > 1000


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"subset": 100}, {"subset": 500}),
        ({"subset": 0.1}, {"subset": 0.5}),
        ({"k": 400}, {"k": 700}),
        ({"classes": ["n01443537", "n01494475"]}, {"classes": ["in100", "n01443537", "n01494475"]}),
        ({"lastk": 971, "ceil": 2}, {"lastk": 971, "ceil": 9}),
        ({"lastk": 971, "ceil": 2}, {"lastk": 961, "ceil": 2}),
    ],
)
def test_scales_lie_inside_one_another(
    less: dict[str, Any], more: dict[str, Any], many: Path, tmp_path: Path
) -> None:
    # fault: the source ends in an error where classes are chosen (it indexes a list by a list)
    few, plenty = made(tmp_path / "few", many, **less), made(tmp_path / "more", many, **more)
    assert few and few.keys() < plenty.keys()
    if "subset" in less:
        assert (len(few), len(plenty)) in ((100, 500), (177, 885))


def test_trimmed_tail(many: Path, tmp_path: Path) -> None:
    # 941 of the 1,000 classes have no row here, and are the rarest (in the source, too)
    counts = Counter(row["label"] for row in made(tmp_path, many, lastk=941 + 19, ceil=5).values())
    assert counts == {label: min(label, 5) if label < 20 else label for label in range(1, 60)}
    gone = made(tmp_path / "2", many, lastk=941 + 19, ceil=0)
    assert {row["label"] for row in gone.values()} == set(range(20, 60))


def test_shuffled(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_glass.domains.imagenet import class_sample

    plain = list(made(tmp_path / "plain", many))
    once = list(made(tmp_path / "once", many, shuffle=True))
    monkeypatch.setattr(class_sample, "IN_MEMORY", 100)  # the order is the same, whatever fits
    assert list(made(tmp_path / "pieces", many, shuffle=True)) == once != plain
    assert sorted(once) == sorted(plain)
    assert list(made(tmp_path / "other", many, shuffle=True, seed=1)) != once


def test_wrong_parameters() -> None:
    for overrides, told in (
        ({"text": []}, "text is empty"),
        ({"mode": "photo"}, "set append_cname, too"),
        ({"ceil": 3}, "set lastk, too"),
        ({"classes": ["tench"]}, "tench: no wnid"),
        ({"classes": ["in100"], "k": 101}, "101 classes of 100"),
    ):
        with pytest.raises(EdgeGlassError, match=told):
            catalog.variant("imagenet_captions_title", overrides, "imagenet_captions_x")


def test_rows_of_a_full_build_are_checked(many: Path, tmp_path: Path) -> None:
    build(catalog.variant("imagenet_captions_100"), tmp_path, Options(raw=many))
    [found] = verify(tmp_path / "imagenet_captions_100")
    assert "rows, a full build is known to have 44548" in found.what and found.kind == "note"


def test_layouts_of_the_source(built: Path, cli: Cli, tmp_path: Path) -> None:
    folder = built / "imagenet_captions_sample"
    cli("export", folder, "--out", tmp_path, "--format", "tsv")
    lines = (tmp_path / "train" / "imagenet_captions_sample.tsv").read_text().split("\n")
    first = f"n02123045/{ONE}.JPEG\t281\ttabby cat {TEXT}"
    assert lines[:2] == ["filepath\tlabel\tcaption", first]
    path = tmp_path / "train" / "class_frequency_imagenet_captions_sample_ori.txt"
    assert sum(classes.frequencies(path).values()) == len(lines) - 2 == 8
    cli("export", folder, "--out", tmp_path, "--format", "files")
    for line in lines[1:-1]:
        assert Image.open(tmp_path / "train" / line.split("\t")[0]).size
    decks = built / "slides_qa_sample"
    shown = cli("export", decks, "--out", tmp_path, "--format", "tsv")
    assert shown.code == 1 and "tsv wants a caption and one file a row" in shown.err
