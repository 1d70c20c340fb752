"""MM-IMDb: the sample, a tar and trees with every trap in them, what upstream is known to hold."""

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from edge_glass.builders.mm_imdb import BY_FREQUENCY, MMIMDb
from kit import ROOT, entries, rows
from PIL import Image

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build as make

SAMPLES = ROOT / "samples" / "mm_imdb"
OUTCOMES = {
    "train": {"kept": 4, "missing_media": 1},
    "validation": {"kept": 2},
    "test": {"kept": 1, "truncated_media": 1},
}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "store"))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Raw files that a test may change, in a folder of another name."""
    return Path(shutil.copytree(SAMPLES, tmp_path / "imdb"))


def build(raw: Path, out: Path, jobs: int = 1, **overrides: Any) -> Path:
    variant = catalog.variant("mm_imdb", overrides, "mm_imdb_test")
    make(variant, out, Options(raw=raw, jobs=jobs, unverified=True))
    return out / variant.name


def pack(folder: Path, path: Path) -> Path:
    """The tarball that upstream publishes, out of a tree."""
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, "mmimdb")
    return path.parent


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def names(folder: Path, row: dict[str, Any]) -> list[str]:
    classes = manifest.read(folder).features["labels"]["feature"]["names"]
    return [classes[label] for label in row["labels"]]


def test_the_sample(built: Path) -> None:
    folder = built / "mm_imdb_sample"
    made = manifest.read(folder)
    assert {split: facts.outcomes for split, facts in made.splits.items()} == OUTCOMES
    assert made.features["labels"]["feature"]["names"] == sorted(BY_FREQUENCY)
    row = rows(folder)["9900001"]
    record = json.loads((SAMPLES / "dataset" / "9900001.json").read_text())
    assert row["plots"] == record["plot"]
    assert row["plot"] == " ".join(record["plot"])
    assert (row["title"], row["year"]) == ("The Long Countdown", 1999)
    assert names(folder, row) == row["genres"] == ["Drama", "Sci-Fi"]
    file = SAMPLES / "dataset" / "9900001.jpeg"
    assert row["image"] == {"bytes": file.read_bytes(), "path": "9900001.jpeg"}
    assert Image.open(file).size == (row["width"], row["height"])


def test_genres_that_are_no_labels_stand_in_the_ledger(built: Path) -> None:
    folder = built / "mm_imdb_sample"
    found, book = rows(folder), entries(folder)
    assert found["9900004"]["genres"] == ["Romance", "Comedy", "News"]
    assert names(folder, found["9900004"]) == ["Comedy", "Romance"]
    assert book["9900004"]["detail"] == "genre that is no label: News"
    assert found["9900007"]["labels"] == []
    assert book["9900007"]["detail"] == "genre that is no label: News; no label left"


def test_films_without_a_label_are_dropped_if_asked(tmp_path: Path) -> None:
    entry = entries(build(SAMPLES, tmp_path, unlabelled="drop"))["9900007"]
    assert (entry["outcome"], entry["detail"]) == ("no_label", "News")


def test_spellings_of_genres(raw: Path, tmp_path: Path) -> None:
    spelt = ["Science Fiction", "sci fi", " FILM NOIR ", "musical", "Talk-Show"]
    rewrite(raw / "dataset" / "9900001.json", genres=spelt)
    folder = build(raw, tmp_path / "out")
    row = rows(folder)["9900001"]
    assert row["genres"] == spelt and names(folder, row) == ["Film-Noir", "Musical", "Sci-Fi"]
    assert entries(folder)["9900001"]["detail"] == "genre that is no label: Talk-Show"


def test_stems_in_no_split_stand_in_the_ledger(raw: Path, tmp_path: Path) -> None:
    for name in ("9900002.jpeg", "9900002.json", "9900006.json"):
        shutil.copy(raw / "dataset" / name, raw / "dataset" / name.replace("990", "991"))
    (raw / "dataset" / "notes.txt").write_text("none of them")
    for place in (raw, pack(raw, tmp_path / "raw" / "mmimdb.tar.gz")):
        folder = build(place, tmp_path / f"of {place.name}")
        book = entries(folder)
        for id in ("9910002", "9910006"):
            told = book.pop(id)
            assert (told["split"], told["outcome"]) == ("train", "not_in_config")
            assert (told["row"], told["detail"]) == (f"dataset/{id}", "no split lists it")
        assert set(book) == {f"990000{n}" for n in range(1, 10)}
        assert [f for f in verify(folder) if f.kind == "error"] == []


@pytest.mark.parametrize(("mode", "chosen"), [("all", [0, 1, 2]), ("first", [0]), ("longest", [1])])
def test_plot_modes(mode: str, chosen: list[int], tmp_path: Path) -> None:
    row = rows(build(SAMPLES, tmp_path, plot_mode=mode))["9900003"]
    assert row["plot"] == " ".join(row["plots"][number] for number in chosen)
    assert len(row["plots"]) == 3


def test_labels_by_frequency(tmp_path: Path) -> None:
    folder = build(SAMPLES, tmp_path, label_order="frequency")
    assert rows(folder)["9900004"]["labels"] == [1, 2]
    assert names(folder, rows(folder)["9900004"]) == ["Comedy", "Romance"]


def test_a_broken_image_is_black_if_asked(raw: Path, tmp_path: Path) -> None:
    (raw / "dataset" / "9900006.jpeg").write_bytes(b"<html>gone</html>")
    folder = build(raw, tmp_path / "out", broken_images="black")
    found, book = rows(folder), entries(folder)
    for id in ("9900006", "9900008"):
        image = Image.open(io.BytesIO(found[id]["image"]["bytes"]))
        assert (image.size, image.getextrema()) == ((224, 224), ((0, 0),) * 3)
        assert book[id]["detail"].startswith("black in place of the image: ")
    assert book["9900009"]["outcome"] == "missing_media"
    assert [finding.what for finding in verify(folder) if finding.kind == "error"] == []


def test_traps(raw: Path, tmp_path: Path) -> None:
    dataset = raw / "dataset"
    split = json.loads((raw / "split.json").read_text())
    split["test"] += ["9900001", "9900010", "../../etc/passwd"]
    (raw / "split.json").write_text(json.dumps(split))
    (dataset / "9900001.jpeg").rename(dataset / "9900001.jpg")
    (dataset / "9900002.json").write_text('["a list"]')
    rewrite(dataset / "9900003.json", plot=[" ", "\n"])
    rewrite(dataset / "9900004.json", plot="one text")
    rewrite(dataset / "9900005.json", year=10**30)
    rewrite(dataset / "9900006.json", genres=["Drama", "Drama"], plot=["", "Told."])
    path = dataset / "9900007.json"
    path.write_bytes(path.read_bytes().replace(b"evening", b"even\xffng"))
    folder = build(raw, tmp_path / "out")
    book = entries(folder)
    assert {id: entry["outcome"] for id, entry in book.items()} == {
        "9900001": "duplicate_id",  # a film in two splits: the second
        "9900002": "malformed_row",
        "9900003": "blank_caption",
        "9900004": "malformed_row",
        "9900005": "malformed_row",
        "9900006": "kept",
        "9900007": "bad_encoding",
        "9900008": "truncated_media",
        "9900009": "missing_media",
        "9900010": "missing_caption",
        "../../etc/passwd": "malformed_row",
    }
    assert sorted(rows(folder)) == ["9900001", "9900006"]
    kept = rows(folder)["9900006"]
    assert (kept["plot"], names(folder, kept)) == ("Told.", ["Drama"])


def test_a_tarball_tells_the_same_as_the_tree(tmp_path: Path) -> None:
    tree = build(SAMPLES, tmp_path / "tree")
    tar = build(pack(SAMPLES, tmp_path / "raw" / "mmimdb.tar.gz"), tmp_path / "tar", jobs=2)
    assert rows(tar) == rows(tree)
    assert entries(tar) == entries(tree)


def test_a_folder_without_the_split_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(EdgeGlassError, match=r"split\.json should list names under 'train'"):
        build(tmp_path / "raw", tmp_path / "out")


# What upstream publishes


def test_the_published_figures_are_those_of_the_paper() -> None:
    known = MMIMDb.spec().expected
    assert sum(known.rows.values()) == MMIMDb.spec().sources["mmimdb.tar.gz"].rows == 25_959
    genres = known.values["labels"]
    assert list(genres) == sorted(genres, key=lambda genre: -genres[genre]) == BY_FREQUENCY


def test_verify_holds_a_full_build_against_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build(SAMPLES, tmp_path / "out")
    found = {(f.kind, f.where, f.what) for f in verify(folder)}
    assert ("note", "validation", "2 rows, upstream publishes 2608") in found
    assert ("note", "labels", "1 rows of Horror, upstream publishes 2703") not in found
    spec = MMIMDb.spec().model_copy(deep=True)
    monkeypatch.setattr(MMIMDb, "spec", classmethod(lambda cls: spec))
    real = catalog.spec
    monkeypatch.setattr(catalog, "spec", lambda n: spec if n == "mm_imdb" else real(n))
    spec.sources["mmimdb.tar.gz"].rows = 9
    spec.expected.rows = {"train": 5, "validation": 2, "test": 2}
    counts = dict.fromkeys(BY_FREQUENCY, 0)
    for row in rows(folder).values():
        for name in names(folder, row):
            counts[name] += 1
    # a film was dropped for its image, and one for want of it: both may be what is missing
    spec.expected.values = {"labels": counts | {"War": 1, "Horror": 1, "Drama": 4}}
    assert [f.what for f in verify(folder)] == ["1 rows of Drama, upstream publishes 4"]
    assert list(verify(build(SAMPLES, tmp_path / "part", splits=["test"]))) != []
    spec.sources["mmimdb.tar.gz"].rows = None
    assert list(verify(build(SAMPLES, tmp_path / "few", subset=3))) == []
