"""SlidesQA: the sample, decks with every trap in them, splits, a retrieval set for mteb."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
from kit import ROOT, Cli, entries, rows
from modelserver import Model
from slidekit import LINES, deck, pair, real_pdf

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog
from edge_glass.domains.slides import decks
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build as make

SAMPLES = ROOT / "samples" / "slides_qa"
RETRIEVAL = "slides_qa_retrieval"
PARTS = ("corpus", "queries", "qrels")
META = ["presentation_url", "title", "author", "date", "len", "description", "lang",
        "lang_detected", "likes", "dim", "views", "mostRead", "transcript",
        "transcript_by"]  # fmt: skip


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Raw files that a test may change."""
    return Path(shutil.copytree(SAMPLES, tmp_path / "raw"))


def build(raw: Path, out: Path, config: str = "slides_qa", **overrides: Any) -> Path:
    variant = catalog.variant(config, overrides, f"{config}_test" if overrides else None)
    make(variant, out, Options(raw=raw))
    return out / variant.name


def set_of(raw: Path, out: Path, **overrides: Any) -> None:
    for part in PARTS:
        name = f"mine-{part}"
        make(catalog.variant(f"{RETRIEVAL}-{part}", overrides, name), out, Options(raw=raw))


def test_the_sample(built: Path) -> None:
    folder = built / "slides_qa_sample"
    made = manifest.read(folder)
    assert {split: facts.outcomes for split, facts in made.splits.items()} == {
        "train": {"kept": 2}, "test": {"kept": 1},
    }  # fmt: skip
    row = rows(folder)["packaging-tutorial-es"]
    source = json.loads((SAMPLES / row["id"] / f"{row['id']}.json").read_text())
    assert {name: row[name] for name in META[:9]} == {name: source[name] for name in META[:9]}
    assert row["dim"] == [416, 555] and source["dim"] == "416x555"
    assert (row["views"], row["mostRead"]) == (None, [False] * 4)  # the source has one for the deck
    assert row["slides"] == [7, 9, 17, 26]
    assert row["transcript"] == [source["transcript"][number - 1] for number in row["slides"]]
    for number, image in zip(row["slides"], row["images"], strict=True):
        file = SAMPLES / row["id"] / f"slide_{number}.jpg"
        assert image == {"bytes": file.read_bytes(), "path": f"slide_{number}.jpg"}
    hand = json.loads((SAMPLES / row["id"] / f"qa_{row['id']}.json").read_text())
    names = ["slide", "id", "question", "answer", "task"]
    assert row["pairs"] == [{name: one[name] for name in names} for one in hand]


def test_slides_are_in_the_order_of_their_numbers(raw: Path, tmp_path: Path) -> None:
    deck(raw, "long", [f"{number} {LINES[number % 8]}" for number in range(12)])
    assert rows(build(raw, tmp_path / "out"))["long"]["slides"] == [*range(1, 13)]
    pages = rows(build(raw, tmp_path / "out", f"{RETRIEVAL}-corpus"))
    assert [p["slide"] for p in pages.values() if p["deck"] == "long"] == [*range(1, 13)]


def test_columns(raw: Path, tmp_path: Path) -> None:
    found = {config: next(iter(rows(build(raw, tmp_path, config)).values())) for config in (
        "slides_qa", "slides_qa_minimal", "slides_qa_pages", f"{RETRIEVAL}-corpus",
        f"{RETRIEVAL}-queries", f"{RETRIEVAL}-qrels")}  # fmt: skip
    assert set(found["slides_qa"]) == {"id", "slides", "images", "pairs", *META}
    minimal = {"id", "title", "lang", "slides", "images", "pairs"}
    assert set(found["slides_qa_minimal"]) == minimal
    page = {"id", "deck", "slide", "lang", "transcript", "image", "width", "height"}
    assert set(found["slides_qa_pages"]) == page | {"title", "pairs", "transcript_by"}
    assert set(found[f"{RETRIEVAL}-corpus"]) == page
    assert set(found[f"{RETRIEVAL}-queries"]) == {"id", "text", "answer", "lang"}
    assert set(found[f"{RETRIEVAL}-qrels"]) == {"id", "query-id", "corpus-id", "score"}


def test_pages_have_the_pairs_of_their_slide(built: Path) -> None:
    found = rows(built.parent / built.name / "slides_qa_sample")["packaging-tutorial-fr"]
    assert {p["slide"] for p in found["pairs"]} == {5, 12, 43}


def test_pages_without_a_question_are_told(raw: Path, tmp_path: Path) -> None:
    folder = build(raw, tmp_path, "slides_qa_pages")
    book = entries(folder)
    assert book["packaging-tutorial-de_38"]["outcome"] == "missing_caption"
    assert len(rows(folder)) == 9
    assert len(rows(build(raw, tmp_path, f"{RETRIEVAL}-corpus"))) == 10  # as distractors


def test_a_deck_is_in_one_split_whatever_else_is_there(raw: Path, tmp_path: Path) -> None:
    for number in range(20):
        deck(raw, f"d{number}", [f"{number} {line}" for line in LINES[:3]])
    first = manifest.read(build(raw, tmp_path / "one", test=0.3, validation=0.2))
    split = {id: row["split"] for id, row in entries(tmp_path / "one" / "slides_qa_test").items()}
    assert all(facts.rows for facts in first.splits.values())
    deck(raw, "one-more", LINES[:3])
    again = entries(build(raw, tmp_path / "two", test=0.3, validation=0.2))
    assert {id: row["split"] for id, row in again.items() if id in split} == split
    other = entries(build(raw, tmp_path / "three", test=0.3, validation=0.2, seed=7))
    assert {id: row["split"] for id, row in other.items()} != {
        id: row["split"] for id, row in again.items()
    }


def test_shares_that_are_too_much(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match="together at most 1"):
        build(raw, tmp_path, test=0.7, validation=0.5)


def test_traps(raw: Path, tmp_path: Path) -> None:
    es, fr, de = (raw / f"packaging-tutorial-{code}" for code in ("es", "fr", "de"))
    (es / "slide_9.jpg").write_bytes((es / "slide_9.jpg").read_bytes()[:5000])
    (fr / f"{fr.name}.json").write_text('{"title": "x", "transcript": 7}')
    (de / f"qa_{de.name}.json").write_text("[{")
    deck(raw, "bare", [])
    (raw / "nothing").mkdir()
    book = entries(build(raw, tmp_path, "slides_qa"))
    assert {id: row["outcome"] for id, row in book.items()} == {
        "packaging-tutorial-es": "kept",
        "packaging-tutorial-fr": "malformed_row",
        "packaging-tutorial-de": "malformed_row",
        "bare": "missing_media",
    }
    assert "slide left out: 9: truncated_media" in book[es.name]["detail"]
    row = rows(tmp_path / "slides_qa")[es.name]
    assert row["slides"] == [7, 17, 26] and len(row["images"]) == len(row["transcript"]) == 3
    pages = entries(build(raw, tmp_path, f"{RETRIEVAL}-corpus"))
    assert pages[f"{es.name}_9"]["outcome"] == "truncated_media"
    assert [f.what for f in verify(tmp_path) if f.kind == "error"] == []


def test_a_question_about_a_slide_that_is_not_here(raw: Path, tmp_path: Path) -> None:
    (raw / "packaging-tutorial-es" / "slide_26.jpg").unlink()
    book = entries(build(raw, tmp_path, f"{RETRIEVAL}-queries"))
    assert book["packaging-tutorial-es_26#retrieval-1"]["outcome"] == "missing_media"
    assert book["packaging-tutorial-es_26#docvqa-1"]["outcome"] == "not_in_config"


def test_verify_looks_at_the_slides_of_a_deck(raw: Path, tmp_path: Path) -> None:
    from edge_glass.core.columns import media_kinds

    folder = build(raw, tmp_path, "slides_qa")
    found = list(verify(folder))
    assert found == []
    assert media_kinds(manifest.read(folder).features) == {"images": ("image", True)}


def test_shards_are_cut_by_all_slides_of_a_deck(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 150_000)  # a deck has 130 to 200 kB, a slide 50
    made = manifest.read(build(raw, tmp_path, "slides_qa", test=0, validation=0))
    assert [shard.rows for shard in made.splits["train"].shards] == [1, 1, 1]


def test_slides_that_are_made_smaller(raw: Path, tmp_path: Path) -> None:
    made = rows(build(raw, tmp_path, "slides_qa_pages", resize="longest", image_size=100))
    assert {(row["width"], row["height"]) for row in made.values()} == {(100, 75)}


def test_mteb_reads_the_retrieval_set(raw: Path, tmp_path: Path) -> None:
    """As `RetrievalDatasetLoader` of mteb does: configs by name, columns by name, types cast."""
    for part in PARTS:
        make(catalog.variant(f"{RETRIEVAL}_sample-{part}"), tmp_path, Options())
    repo, config = str(tmp_path), f"{RETRIEVAL}_sample"
    assert {f"{config}-{part}" for part in PARTS} <= set(datasets.get_dataset_config_names(repo))
    corpus, queries, qrels = (
        datasets.load_dataset(repo, f"{config}-{part}", split="test") for part in PARTS
    )
    types = {"query-id": "string", "corpus-id": "string", "score": "int32"}
    wanted = datasets.Features({name: datasets.Value(kind) for name, kind in types.items()})
    relevant = qrels.select_columns([*types]).cast(wanted)
    assert set(relevant["query-id"]) == set(queries["id"])
    assert set(relevant["corpus-id"]) <= set(corpus["id"]) and set(relevant["score"]) == {1}
    assert corpus[0]["image"].size == (555, 416)
    assert "text" in queries.column_names and "text" not in corpus.column_names  # pictures alone


# From a real PDF to a data set that is judged


def test_from_a_real_pdf_to_a_verified_set(tmp_path: Path, cli: Cli) -> None:
    """The commands of docs/slides.md, one after the other."""
    pdf, there = real_pdf("es"), {name: tmp_path / name for name in ("decks", "good", "data")}
    assert cli("collect", pdf, "--out", there["decks"], "--dpi", 110).code == 0
    with Model(there["decks"]) as model:
        line = ("qa", there["decks"], "--model", "stand-in", "--base-url", model.url, "--blind")
        assert cli(*line, "--price-in", 3, "--price-out", 15, "--budget", 2).code == 0
    result = cli("filter", there["decks"], "--out", there["good"], "--language", "es")
    assert result.code == 0
    funnel = json.loads((there["good"] / "funnel.json").read_text())
    took = {step["name"]: step["reasons"] for step in funnel["steps"]}
    assert took["near"]["near_duplicate"] >= 9  # the outline stands before each section
    assert 40 < funnel["steps"][-1]["share"] < 100
    everything = ("--set", "test=1", "--set", "validation=0")
    configs = ["slides_qa", "slides_qa_pages", *(f"{RETRIEVAL}-{part}" for part in PARTS)]
    for config in configs:
        line = (
            "build",
            config,
            "--raw",
            there["good"],
            "--out",
            there["data"],
            "--name",
            "t_" + config,
        )
        assert cli(*line, *everything).code == 0
    result = cli("verify", there["data"])
    assert result.code == 0 and "0 errors" in result.out
    found = cli("eval", there["data"], "--json").json
    assert found["documents"] == len(rows(there["data"] / f"t_{RETRIEVAL}-corpus")) > 60
    assert 0.5 < found["nDCG@5"] <= 1 and found["recall@1"] <= found["recall@5"]
    whole = rows(there["data"] / "t_slides_qa")["packaging-tutorial.es"]
    assert len(whole["images"]) == found["documents"] and whole["lang_detected"] == "es"


def test_the_page_says_what_is_tested() -> None:
    text = (ROOT / "docs" / "slides.md").read_text()
    verbs = re.findall(r"^ *edge-glass (\w+)", text, re.MULTILINE)
    assert verbs[:3] == ["collect", "qa", "filter"] and {"build", "verify", "eval"} <= {*verbs}


def test_hand_written_pairs_are_told_by_nobody(raw: Path) -> None:
    for folder in decks.folders(raw):
        assert all(p.model is None and p.prompt is None for p in decks.read_noted(folder)[1])
        assert pair(1, "¿Y?").task == "docvqa"
