"""Retrieval sets as ViDoRe v3 has them: several pages a query with grades and boxes, languages."""

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from kit import Cli
from PIL import Image as Pillow

import edge_glass as eg
from edge_glass.domains.slides import retrieval_set
from edge_glass.domains.slides.retrieval_set import RetrievalSet
from edge_glass.vectors import late_search

LANGUAGES = ("english", "french", "german", "italian", "portuguese", "spanish")
PAGES = ["blood and the heart", "plants and light", "an island of a volcano", "money and tax"]
ASKED: list[tuple[str, dict[int, int]]] = [
    ("blood heart", {0: 2, 1: 1}),
    ("volcano island", {2: 2}),
    ("money", {3: 1, 2: 1}),
]
BOXES = [{"annotator": 0, "x1": 1, "x2": 20, "y1": 2, "y2": 30}]
NUMBER, TEXT, TEXTS = Value("int64"), Value("string"), datasets.Sequence(Value("string"))


def save(folder: Path, rows: list[dict[str, Any]], features: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    table = Dataset.from_list(rows, features=Features(features))
    table.to_parquet(folder / "test-00000-of-00001.parquet")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of a data set as it lies on the Hub."""
    root = tmp_path_factory.mktemp("vidore_v3")
    corpus = [
        {"corpus_id": n, "image": Pillow.new("RGB", (40 + n, 50), (60 * n, 90, 10)),
         "doc_id": "report", "markdown": text, "page_number_in_doc": n}
        for n, text in enumerate(PAGES)
    ]  # fmt: skip
    save(root / "corpus", corpus, {
        "corpus_id": NUMBER, "image": Image(), "doc_id": TEXT, "markdown": TEXT,
        "page_number_in_doc": NUMBER,
    })  # fmt: skip
    queries, qrels = [], []
    for number, (text, relevant) in enumerate(ASKED):
        for at, language in enumerate(LANGUAGES):
            query = number * len(LANGUAGES) + at
            said = text if language == "english" else f"{language} words"
            queries.append({
                "query_id": query, "query": said, "language": language,
                "query_types": ["open-ended"], "query_format": "question",
                "content_type": ["text"], "raw_answers": ["a", "b"], "query_generator": "human",
                "query_generation_pipeline": "p", "source_type": "summary",
                "query_type_for_generation": "open", "answer": f"answer {number}",
            })  # fmt: skip
            qrels += [
                {"query_id": query, "corpus_id": page, "score": score, "content_type": ["chart"],
                 "bounding_boxes": BOXES}
                for page, score in relevant.items()
            ]  # fmt: skip
    lists = dict.fromkeys(("query_types", "content_type", "raw_answers"), TEXTS)
    save(root / "queries", queries, dict.fromkeys(queries[0], TEXT) | lists | {"query_id": NUMBER})
    box = [dict.fromkeys(BOXES[0], NUMBER)]
    save(root / "qrels", qrels, {
        "query_id": NUMBER, "corpus_id": NUMBER, "score": NUMBER, "content_type": TEXTS,
        "bounding_boxes": box,
    })  # fmt: skip
    return root


@pytest.fixture
def built(published: Path, tmp_path: Path, cli: Cli) -> Path:
    """Its three folders, built as data of one's own."""
    for part in retrieval_set.PARTS:
        line = ("build", published / part, "--out", tmp_path / "data", "--name", f"v3-{part}")
        assert cli(*line).code == 0
    return tmp_path / "data"


def test_a_set_of_vidore_is_built_and_judged(built: Path, cli: Cli) -> None:
    relevant = RetrievalSet.of(built).relevant("test")
    assert len(relevant) == 18 and relevant["0"] == {"0": 2, "1": 1}
    found = cli("eval", built, "--json").json
    assert (found["queries"], found["documents"]) == (18, 4)
    assert {f"nDCG@10, {language}" for language in LANGUAGES} <= found.keys()
    second = 1 / np.log2(3)  # BM25 knows the first page of each; of two, one is missing
    gains = [2 / (2 + second), 1, 1 / (1 + second)]
    assert found["nDCG@10, english"] == pytest.approx(float(np.mean(gains)))
    assert found["nDCG@10, french"] == 0


def test_what_is_exported_is_what_was_published(
    built: Path, published: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "vidore"
    line = ("export", built / "v3-corpus", "--out", out, "--format", "vidore")
    assert cli(*line).code == 0
    cache = str(tmp_path / "cache")
    names = {f"{each}-{part}" for each in LANGUAGES for part in retrieval_set.PARTS}
    assert set(datasets.get_dataset_config_names(str(out))) == names | {*retrieval_set.PARTS}
    for part, key in (("corpus", "corpus_id"), ("queries", "query_id"), ("qrels", "query_id")):
        ours = datasets.load_dataset(str(out), part, split="test", cache_dir=cache)
        theirs = datasets.load_dataset(str(published), data_dir=part, split="test", cache_dir=cache)
        assert set(theirs.column_names) <= set(ours.column_names)
        columns = [name for name in theirs.column_names if name != "image"]
        rows = [
            sorted(json.dumps(row, sort_keys=True) for row in one.select_columns(columns))
            for one in (ours, theirs)
        ]
        assert rows[0] == rows[1] and ours[0][key] is not None
    pages = datasets.load_dataset(str(out), "corpus", split="test", cache_dir=cache)
    assert [page["image"].size for page in pages] == [(40 + n, 50) for n in range(4)]
    french = datasets.load_dataset(str(out), "french-queries", split="test", cache_dir=cache)
    assert set(french["language"]) == {"french"} and french["text"] == french["query"]


def test_odd_languages_large_ids_and_pages_that_are_gone(tmp_path: Path, cli: Cli) -> None:
    large, out = "9" * 20, tmp_path / "out" / "vidore"
    picture = Pillow.new("RGB", (9, 9))
    parts: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
        "corpus": (
            [{"id": page, "image": picture} for page in (large, "7")],
            {"id": TEXT, "image": Image()},
        ),
        "queries": (
            [
                {"query-id": "q", "query": "what", "language": "../../evil", "answer": None},
                {"query-id": "r", "query": "why", "language": None, "answer": "so"},
            ],
            dict.fromkeys(("query-id", "query", "language", "answer"), TEXT),
        ),
        "qrels": (
            [{"query-id": "q", "corpus-id": page, "score": 1} for page in (large, "7")],
            {"query-id": TEXT, "corpus-id": TEXT, "score": NUMBER},
        ),
    }
    for part, (rows, features) in parts.items():
        save(tmp_path / part, rows, features)
        line = ("build", tmp_path / part, "--out", tmp_path / "data", "--name", f"v-{part}")
        assert cli(*line).code == 0
    line = ("export", tmp_path / "data" / "v-corpus", "--out", out, "--format", "vidore")
    done = cli(*line)
    assert done.code == 0, done.err
    names = sorted(path.name for path in out.glob("queries/*"))
    assert names == ["test-%2E.%2F..%2Fevil.parquet", "test-und.parquet"]
    eg.withdraw(tmp_path / "data", config="v-corpus", ids=["7"], reason="asked")
    assert "query q is judged by page 7, which" in " ".join(cli(*line).err.split())


def test_slides_are_exported_with_their_answers(tmp_path: Path, cli: Cli) -> None:
    configs = [f"slides_qa_retrieval_sample-{part}" for part in retrieval_set.PARTS]
    for config in configs:
        assert cli("build", config, "--out", tmp_path / "data").code == 0
    line = ("export", tmp_path / "data" / configs[0], "--format", "vidore", "--out")
    for name in ("a", "b"):
        assert cli(*line, tmp_path / name).code == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 9  # pages, three languages twice, README, what is ours
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    queries = datasets.load_dataset(
        str(tmp_path / "a"), "queries", split="test", cache_dir=str(tmp_path / "cache")
    )
    assert set(queries["language"]) == {"french", "german", "spanish"}
    assert all(queries["answer"]) and "query_types" not in queries.column_names
    wrong = (
        "export",
        tmp_path / "data" / configs[1],
        "--format",
        "vidore",
        "--out",
        tmp_path / "c",
    )
    assert "give that one" in cli(*wrong).err


def test_maxsim_by_hand() -> None:
    draw = np.random.default_rng(0)
    pages = [draw.normal(size=(n, 8)).astype(np.float32) for n in (3, 0, 5, 1, 0)]
    queries = [draw.normal(size=(n, 8)).astype(np.float32) for n in (4, 2)]
    sizes = np.array([len(page) for page in pages])
    found = late_search.maxsim(queries, sizes, np.concatenate(pages))
    for row, query in zip(found, queries, strict=True):
        for score, page in zip(row, pages, strict=True):
            best = sum(max(page @ token) for token in query) if len(page) else -np.inf
            assert score == pytest.approx(best)


def test_memory_does_not_depend_on_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(50, 8)).astype(np.float32)
    query, sizes = draw.normal(size=(40, 8)).astype(np.float32), np.array([20, 30])
    whole = late_search.maxsim([query], sizes, vectors)
    monkeypatch.setattr(late_search, "PRODUCTS", 60)  # one token of the query at a time
    np.testing.assert_allclose(late_search.maxsim([query], sizes, vectors), whole, rtol=1e-5)
