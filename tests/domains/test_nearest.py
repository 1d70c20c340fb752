"""Texts that are most like given ones: the search against all pairs, and who gets which text."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wordbag
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Cli, rows

from edge_glass.domains.imagenet import nearest
from edge_glass.tables.parts import FOLDER
from edge_glass.vectors import exact_search, text_encoders


def vectors(numbers: list[int]) -> Any:
    """Few different ones, so that many similarities are equal."""
    return text_encoders.normal(
        np.array([[n % 5, n % 3 + 1, 1] for n in numbers], dtype=np.float32)
    )


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=6),
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(1, 50),
)
def test_blocks_find_what_all_pairs_do(
    asked: list[int], all_: list[int], k: int, size: int
) -> None:
    queries, texts = vectors(asked), vectors(all_)
    positions = np.arange(len(texts)) * 7
    blocks = (
        (positions[at : at + size], texts[at : at + size]) for at in range(0, len(texts), size)
    )
    places, scores = exact_search.top(queries, blocks, k)
    for row, query in enumerate(queries):
        found = (query[None] @ texts.T).astype(np.float32)[0]
        order = sorted(range(len(texts)), key=lambda n: (-round(float(found[n]), 5), n))[:k]
        got = [round(float(score), 4) for score in scores[row] if score > -2]
        assert got == [round(float(found[n]), 4) for n in order]
        assert len(set(places[row][: len(order)].tolist())) == len(order)
        assert (places[row][len(order) :] == -1).all()


def test_each_text_once_and_the_class_of_the_nearest() -> None:
    places = np.array([[1, 2], [1, 3], [1, 2], [2, -1], [1, 2]])
    scores = np.array([[0.5, 0.4], [0.9, 0.1], [0.6, 0.3], [0.7, -np.inf], [0.2, 0.1]])
    taken = nearest.assigned(places, scores, ["a", "b", "a", "c", "b"])
    # the third finds the second text, the fourth nothing that is left, and so the fifth
    assert taken == {1: ("b", 0.9), 3: ("b", 0.1), 2: ("c", 0.7)}


@pytest.fixture
def laion(tmp_path: Path) -> Path:
    folder = tmp_path / "laion"
    folder.mkdir()
    texts = [["Chelsea the tabby cat", "rocket launch at night"], ["brick wall", "a man", ""]]
    for number, captions in enumerate(texts):
        urls = [f"http://a.example/{number}/{n}" for n in range(len(captions))]
        table = {"URL": urls, "TEXT": captions, "similarity": [0.3] * len(urls)}
        pq.write_table(pa.table(table), folder / f"{number}.parquet")
    return folder


def test_what_is_retrieved(built: Path, laion: Path, cli: Cli, tmp_path: Path) -> None:
    queries, out = built / "imagenet_captions_sample", tmp_path / "near"
    ask = ["retrieve", queries, "laion400m", "--raw", laion, "--encoder", "wordbag:encode"]
    told = cli(*ask, "--out", out, "--k", 3, "--json").json
    assert told["outcomes"] == {"blank_field": 1, "kept": 4}
    found = {
        r["TEXT"]: r for path in out.glob(f"{FOLDER}/*") for r in pq.read_table(path).to_pylist()
    }
    assert found["Chelsea the tabby cat"]["wnid"] == "n02123045"
    assert found["rocket launch at night"]["wnid"] == "n03773504"
    assert found["brick wall"]["wnid"] == "n04326547"
    captions = [row["caption"] for row in rows(queries).values() if row["wnid"] == "n04326547"]
    texts = text_encoders.normal(wordbag.encode([*captions, "brick wall"]))
    best = float((texts[:-1] @ texts[-1]).max())
    assert found["brick wall"][nearest.SIMILARITY] == pytest.approx(best, abs=1e-5)
    again = cli(*ask, "--out", tmp_path / "again", "--k", 3, "--jobs", 1, "--json").json
    assert [p["sha256"] for p in again["parts"]] == [p["sha256"] for p in told["parts"]]


def test_encoders_that_cannot_be_had(cli: Cli, built: Path, laion: Path, tmp_path: Path) -> None:
    ask = ["retrieve", built / "imagenet_captions_sample", "laion400m", "--raw", laion]
    shown = cli(*ask, "--out", tmp_path / "x", "--encoder", "wordbag:nothing")
    assert shown.code == 1 and "write it as module:function" in shown.err
