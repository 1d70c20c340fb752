"""ANLS, exact match, nDCG and recall, by hand and over builds; BM25 as the baseline."""

import json
from pathlib import Path
from typing import Any

import pytest
from kit import Cli

from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.slides import score
from edge_glass.domains.slides.bm25 import Index, words
from edge_glass.domains.slides.retrieval_set import RetrievalSet
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

PARTS = ("corpus", "queries", "qrels")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored")
    for part in PARTS:
        build(catalog.variant(f"slides_qa_retrieval_sample-{part}"), out, Options())
    build(catalog.variant("slides_qa_pages_sample"), out, Options())
    return out


ANLS = [
    ("cinco litros", ["cinco litros"], 1.0),
    ("  Cinco   LITROS ", ["cinco litros"], 1.0),
    ("cinco litro", ["cinco litros"], 1 - 1 / 12),
    ("abcdef", ["abcxyz"], 0.0),  # a distance of exactly the threshold is worth nothing
    ("abcdefg", ["abcdxyz"], 1 - 3 / 7),
    ("seis", ["cinco litros", "seis"], 1.0),
    ("", ["algo"], 0.0),
]


@pytest.mark.parametrize(("answer", "right", "wanted"), ANLS)
def test_anls_by_hand(answer: str, right: list[str], wanted: float) -> None:
    assert score.anls(answer, right) == pytest.approx(wanted)


def test_predictions(data: Path, tmp_path: Path) -> None:
    right = dict(score._questions(data, "test"))
    assert len(right) == 5
    file = tmp_path / "predictions.json"
    said = [{"questionId": id, "answer": answer.upper()} for id, answer in right.items()]
    file.write_text(json.dumps(said))
    found = score.answers(data, file, "test")
    assert (found["ANLS"], found["exact match"], found["questions"]) == (1.0, 1.0, 5)
    said[0]["answer"], said[1]["questionId"] = "völlig anders gesagt, und viel länger als das", "x"
    file.write_text(json.dumps(said))
    found = score.answers(data, file, "test")
    assert found["ANLS"] == found["exact match"] == pytest.approx(3 / 5)
    assert (found["without an answer"], found["answers to no question"]) == (1, 1)


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', '[{"question": 1}]', "[3]"])
def test_no_predictions(data: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(EdgeGlassError, match="expected DocVQA's predictions"):
        score.answers(data, tmp_path / "p.json", "test")


def qrels(data: Path) -> dict[str, str]:
    return {query: page for query, [page] in RetrievalSet.of(data).relevant("test").items()}


def judged(data: Path, run: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "run.json").write_text(json.dumps(run))
    return score.retrieval(data, tmp_path / "run.json", "test", None)


def test_a_run_by_hand(data: Path, tmp_path: Path) -> None:
    right = qrels(data)
    perfect = {query: {page: 1.0} for query, page in right.items()}
    assert judged(data, perfect, tmp_path)["nDCG@5"] == 1.0
    second = {query: {page: 1.0, "other": 2.0} for query, page in right.items()}
    found = judged(data, second, tmp_path)
    assert found["nDCG@5"] == pytest.approx(1 / 1.5849625)  # 1 / log2(3)
    assert (found["recall@1"], found["recall@5"]) == (0.0, 1.0)
    sixth = {q: {page: 0.5} | {f"o{n}": 1.0 + n for n in range(5)} for q, page in right.items()}
    assert judged(data, sixth, tmp_path)["recall@5"] == 0.0


def test_queries_without_a_document_count(data: Path, tmp_path: Path) -> None:
    """trec_eval leaves them out of the mean, which flatters a run that gives up."""
    right = qrels(data)
    one = dict(list(right.items())[:1])
    found = judged(data, {query: {page: 1.0} for query, page in one.items()}, tmp_path)
    assert found["nDCG@5"] == pytest.approx(1 / len(right))
    assert judged(data, {}, tmp_path)["nDCG@5"] == 0.0


def test_bm25_runs_out_of_the_box(data: Path, tmp_path: Path, cli: Cli) -> None:
    saved = tmp_path / "bm25.trec"
    found = cli("eval", data, "--save", saved, "--json").json
    assert found == {
        "run": "BM25", "queries": 9, "documents": 10,
        "nDCG@5": pytest.approx(0.85, abs=0.02), "nDCG@10": found["nDCG@5"],
        "recall@1": pytest.approx(6 / 9), "recall@5": 1.0, "nDCG@10, es": 1.0,
        "nDCG@10, de": pytest.approx(0.51, abs=0.02), "nDCG@10, fr": pytest.approx(0.88, abs=0.02),
    }  # fmt: skip
    again = cli("eval", data, "--run", saved, "--json").json
    assert again == found | {"run": str(saved)}
    mine = tmp_path / "notes"
    mine.write_text("mine")
    refused = cli("eval", data, "--save", mine)
    assert refused.code == 1 and "move it away" in refused.err and mine.read_text() == "mine"
    assert cli("eval", data, "--save", saved).code == 0
    assert "nDCG@5" in cli("eval", data).out


def test_texts_without_words() -> None:
    assert Index(["", "…"]).top("algo", 5) == []
    assert Index(["un gato negro", ""]).top("", 5) == []
    assert Index(["un gato negro", "un perro"]).top("GATÓ", 5)[0][0] == 0


def test_words_are_those_of_any_spelling() -> None:
    assert words("La VERSIÓN 1.2, straße") == ["la", "version", "strasse"]


def test_mistakes_are_told_plainly(data: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "run.trec").write_text("one two three\n")
    assert "expected a run" in cli("eval", data, "--run", tmp_path / "run.trec").err
    assert "no query in split train" in cli("eval", data, "--split", "train").err
    (tmp_path / "p.json").write_text("[]")
    both = ("--predictions", tmp_path / "p.json", "--run", tmp_path / "run.trec")
    assert "give one of them" in cli("eval", data, *both).err
    line = ("eval", data, "--predictions", tmp_path / "p.json", "--split", "validation")
    assert "no question in split" in cli(*line).err
    build(catalog.variant("slides_qa_retrieval_sample-qrels"), tmp_path / "part", Options())
    assert "is not built" in cli("eval", tmp_path / "part").err
    build(catalog.variant("slides_qa_sample"), tmp_path / "other", Options())
    error = cli("eval", tmp_path / "other").err
    assert "no retrieval set" in error and "build slides_qa_retrieval-corpus" in error
    (tmp_path / "nothing").mkdir()
    line = ("eval", tmp_path / "nothing")
    assert "build slides_qa_retrieval-corpus" in cli(*line).err
    assert "build slides_qa_pages" in cli(*line, "--predictions", tmp_path / "p.json").err
