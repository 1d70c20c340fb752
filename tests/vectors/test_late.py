"""Late interaction: ColPali and ColQwen2 with tiny weights, from pages to a measured search."""

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tinymodels
import torch
import transformers
from kit import Cli
from PIL import Image

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.domains.slides import score
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.vectors import (
    embed,
    embedding_files,
    embedding_map,
    index_build,
    late_search,
    sentence,
)
from edge_glass.vectors.encoder import open_encoder
from edge_glass.vectors.stored_vectors import Tokens, stored

SET = "slides_qa_retrieval_sample"
NAMES = ("colpali", "colqwen2")
QUERIES = ["un paquet source", "Debian", "les dépendances entre paquets"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name in NAMES:
        (root / name).mkdir()
        getattr(tinymodels, name)(root / name)
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    for part in ("corpus", "queries", "qrels"):
        build(catalog.variant(f"{SET}-{part}"), out, Options())
    return out


@pytest.fixture(scope="module")
def embedded(data: Path, models: Path) -> Path:
    """The pages, embedded by both; in row groups of four pages."""
    corpus = data / f"{SET}-corpus"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding_files, "PAGES", 4)
        for name in NAMES:
            out = data / "embeddings" / corpus.name / name
            embed.embed(corpus, out, str(models / name), ["image"])
    return data


def tokens(data: Path, name: str) -> Tokens:
    found = {one.folder.name: one for one in stored(data / f"{SET}-corpus")}[name]
    assert isinstance(found, Tokens)
    return found


def pages(data: Path) -> list[bytes]:
    files = sorted((data / f"{SET}-corpus").glob("test-*.parquet"))
    return [row["bytes"] for file in files for row in pq.read_table(file)["image"].to_pylist()]


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_those_of_transformers(name: str, embedded: Path, models: Path) -> None:
    """By the model's own class and processor, and its own MaxSim."""
    kind = {"colpali": "ColPali", "colqwen2": "ColQwen2"}[name]
    processor = getattr(transformers, f"{kind}Processor").from_pretrained(models / name)
    net = getattr(transformers, f"{kind}ForRetrieval").from_pretrained(models / name).eval()
    expected, asked = [], []
    with torch.no_grad():
        for data in pages(embedded):
            image = Image.open(io.BytesIO(data)).convert("RGB")
            expected.append(net(**processor.process_images(images=[image])).embeddings[0])
        for text in QUERIES:
            asked.append(net(**processor.process_queries(text=[text])).embeddings[0])
    files = sorted((embedded / "embeddings" / f"{SET}-corpus" / name).glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file)["image_embedding"].to_pylist()]
    for row, values in zip(rows, expected, strict=True):
        np.testing.assert_allclose(row, values, atol=1e-5)
    encoder = open_encoder(str(models / name), "text")
    queries = encoder.encode([encoder.prepare(text) for text in QUERIES])
    scores = processor.score_retrieval(asked, expected).numpy()
    places, best = late_search.top(queries, tokens(embedded, name), 4)
    np.testing.assert_array_equal(places, np.argsort(-scores, axis=1, kind="stable")[:, :4])
    np.testing.assert_allclose(best, -np.sort(-scores, axis=1)[:, :4], atol=1e-4)


def test_a_row_group_has_few_pages_and_a_page_without_an_image_none(
    data: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_files, "PAGES", 4)
    values = embed._values
    monkeypatch.setattr(
        embed, "_values", lambda *a: (b"" if n == 2 else v for n, v in enumerate(values(*a)))
    )
    corpus = data / f"{SET}-corpus"
    embed.embed(corpus, tmp_path / corpus.name / "m", str(models / "colqwen2"), ["image"])
    [file] = (tmp_path / corpus.name / "m").glob("*.parquet")
    groups = pq.ParquetFile(file).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [4, 4, 2]
    assert pq.read_table(file)["image_embedding"].null_count == 1
    [column] = stored(corpus, tmp_path)
    assert isinstance(column, Tokens)
    sizes = np.diff(column.starts)
    assert sizes[2] == 0 and (np.delete(sizes, 2) > 10).all()
    encoder = open_encoder(str(models / "colqwen2"), "text")
    places, _ = late_search.top(encoder.encode(["Debian"]), column, 10)
    assert 2 not in places and sorted(places[0])[0] == -1


def test_eval_searches_pages_exactly_and_by_an_index(
    embedded: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    column = tokens(embedded, "colqwen2")
    monkeypatch.setattr(index_build, "EXACT", 100)  # so that lists are made of few tokens
    index_build.build(column, [], 10**9, Progress())
    line = ("eval", embedded, "--column", "image:colqwen2", "--json")
    exact = cli(*line, "--save", tmp_path / "exact.trec").json
    assert exact["queries"] == 9 and exact["documents"] == 10 and exact["run"] == "image:colqwen2"
    assert {"nDCG@5", "nDCG@10", "recall@1", "nDCG@10, de", "nDCG@10, es"} <= exact.keys()
    by_index = cli(*line, "--indexed", "--save", tmp_path / "index.trec").json
    runs = [score.read_run(tmp_path / f"{name}.trec") for name in ("exact", "index")]
    for query, ranked in runs[0].items():
        assert len(ranked) == 10 and all(a >= b for a, b in pairwise(ranked.values()))
        near = runs[1][query]
        assert len(near) > 3 and list(near)[:3] == list(ranked)[:3]
        assert all(ranked[page] == pytest.approx(value) for page, value in near.items())
    assert by_index["recall@1"] == exact["recall@1"]


def test_a_text_finds_pages(embedded: Path, cli: Cli) -> None:
    column = tokens(embedded, "colpali")
    assert cli("index", embedded / f"{SET}-corpus").code == 0
    line = ("search", embedded / f"{SET}-corpus", "Debian", "--in", column.name, "--json")
    hits = cli(*line, "--k", 3).json
    assert embedding_map.of(embedded / f"{SET}-corpus", None) == []  # which is of a vector a row
    assert len(hits) == 3 and hits[0]["score"] >= hits[1]["score"]


def test_one_vector_a_page_is_judged_too(data: Path, clip: Path, cli: Cli) -> None:
    corpus = data / f"{SET}-corpus"
    embed.embed(corpus, data / "embeddings" / corpus.name / "clip", str(clip), ["image"])
    found = cli("eval", data, "--column", "image:clip", "--json").json
    assert found["documents"] == 10 and 0 <= found["nDCG@10"] <= 1


def test_what_late_interaction_is_not_for(
    embedded: Path, models: Path, tmp_path: Path, cli: Cli
) -> None:
    corpus, queries = (embedded / f"{SET}-{part}" for part in ("corpus", "queries"))
    model = str(models / "colpali")
    with pytest.raises(EdgeGlassError, match="has one vector a row: use parquet"):
        embed.embed(corpus, tmp_path / "a", model, ["image"], "clip-retrieval")
    with pytest.raises(EdgeGlassError, match="texts are the queries"):
        embed.embed(queries, tmp_path / "b", model, ["text"])
    with pytest.raises(EdgeGlassError, match="colpali encodes image and text, not audio"):
        open_encoder(model, "audio")
    line = ("align", corpus, "--left", "image:colpali", "--right", "image:colqwen2")
    assert "a vector for each token" in cli(*line).err
    assert "there are image:" in cli("eval", embedded, "--column", "image:none").err
    assert "about the index of a --column" in cli("eval", embedded, "--indexed").err


def test_a_model_that_is_not_whole_is_told(models: Path, tmp_path: Path) -> None:
    """What is left at random would give tokens all the same."""
    from safetensors.torch import load_file, save_file

    for file in (models / "colqwen2").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    without = {name: value for name, value in weights.items() if "embedding_proj" not in name}
    save_file(without, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(EdgeGlassError, match=r"its weights lack embedding_proj"):
        open_encoder(str(tmp_path), "image")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    settings: dict[str, Any] = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | {"model_type": "unheard-of"}))
    sentence._loaded.cache_clear()
    with pytest.raises(EdgeGlassError, match="unheard-of"):
        open_encoder(str(tmp_path), "image")
