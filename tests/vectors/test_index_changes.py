"""An index follows what becomes of its build: only what changed is encoded."""

import json
import shutil
from pathlib import Path

import faiss
import numpy as np
import pytest
import searchkit
from searchkit import files, made, nearest

from edge_glass.vectors import index_build, vector_index
from edge_glass.vectors.query import Finder, Query


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many vectors are encoded at a time."""
    counts: list[int] = []
    index, encode = faiss.IndexIVF, faiss.IndexIVF.sa_encode

    def counting(self: object, vectors: np.ndarray) -> np.ndarray:
        counts.append(len(vectors))
        return encode(self, vectors)

    monkeypatch.setattr(index, "sa_encode", counting)
    return counts


@pytest.mark.parametrize("kind", ["exact", "inverted"])
def test_an_index_follows_a_change(
    kind: str, tmp_path: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row goes, two others come to have other vectors, 500 are appended."""
    monkeypatch.setattr(index_build, "EXACT", 0 if kind == "inverted" else 10**9)
    vectors = searchkit.clustered(6500)
    old, place = {"train": 2000, "validation": 2000, "test": 2000}, "embeddings/data/planted/index"
    made(searchkit.write(tmp_path / "old", {"caption": vectors[:6000]}, old, 2000))
    left = [n for n in range(6500) if n != 2700]
    vectors[[2100, 2101]] = searchkit.clustered(2, seed=1)
    new = {"train": 2000, "validation": 1999, "test": 2500}
    words = {"id": [f"row {n}" for n in left], "caption": [f"caption {n}" for n in left]}
    for name in ("new", "at once"):
        searchkit.write(tmp_path / name, {"caption": vectors[left]}, new, 2000, **words)
    shutil.copytree(tmp_path / "old" / place, tmp_path / "new" / place)
    there = {path.name: path.stat().st_ino for path in (tmp_path / "new" / place).glob("*/*")}
    encoded.clear()
    followed = made(tmp_path / "new" / "data")
    assert sum(encoded) == (502 if kind == "inverted" else 0)
    parts = {path for path in followed.iterdir() if path.suffix != ".json"}
    again = {path.name for path in parts if path.stat().st_ino != there.get(path.name)}
    assert {name.partition(".")[0] for name in again} == {"validation-00000", "test-00001"}
    if kind == "inverted":  # one that is built in one go finds its lists anew
        lists = shutil.copy(followed / vector_index.LISTS, tmp_path)
        train = index_build.library().read_index(str(lists))
        monkeypatch.setattr(index_build.library(), "index_factory", lambda *_: train)
        monkeypatch.setattr(train, "train", lambda _: None)
    at_once = files(made(tmp_path / "at once" / "data"))
    assert {p.name: p.read_bytes() for p in parts} | at_once == at_once
    finder, true = Finder(tmp_path / "new" / "data"), vectors[left]
    facts = json.loads((followed / vector_index.FILE).read_text())
    assert facts["rows"] == 6499 and facts["changed"] == (505 if kind == "inverted" else 0)
    for row in (0, 2100, 3998, 6400):
        hits = [hit.row for hit in finder.find(Query("row", row), k=10, fold=False)]
        assert hits[0] == row and len({*hits} & {*nearest(true, true[row], 10)}) > 8


def test_lists_are_found_anew_once_a_third_of_the_rows_is_another(
    tmp_path: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_build, "EXACT", 0)
    vectors, previous = searchkit.clustered(3500), tmp_path / "none"
    for rows, wanted in ((2000, 2000), (2900, 900), (3500, 3500)):
        out = tmp_path / f"{rows}"
        folder = searchkit.write(out, {"caption": vectors[:rows]}, None, 1000)
        if previous.is_dir():
            shutil.copytree(previous, vector_index.place(searchkit.only(folder)))
        encoded.clear()
        previous = made(folder)
        assert sum(encoded) == wanted
