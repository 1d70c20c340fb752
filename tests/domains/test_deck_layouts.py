"""Decks as others write them: which slide a text or a question belongs to is told, or is a drop."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kit import Cli, entries, rows
from modelserver import Model
from slidekit import LINES, slide
from test_collect import entry, outcomes

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Dropped
from edge_glass.corpora import catalog
from edge_glass.domains.slides import ask, decks, raw_decks
from edge_glass.domains.slides import vision_model as models
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources.raw import Raw

CONFIGS = ["slides_qa", "slides_qa_minimal", "slides_qa_article", "slides_qa_pages"]
RETRIEVAL = [f"slides_qa_retrieval-{part}" for part in ("corpus", "queries", "qrels")]
FRENCH = "Quel est le sujet principal de la page numéro {} de cette présentation ?"
ANSWER = "La réponse se trouve dans le texte, tout en haut de la page."

picture = cache(slide)


def written(root: Path, id: str, numbers: list[int], total: int, **more: Any) -> Path:
    """A deck as the article's scraper and its notebooks leave it, in Spanish with French questions.

    `numbers` are the slides that are left of `total`, counted from 0; both lists are over all.
    """
    folder = root / id
    folder.mkdir(parents=True)
    record = {
        "id": id, "presentation_url": f"https://example.org/{id}", "title": f"Charla {id}",
        "author": "ana", "date": "2012-06-19", "len": len(numbers), "description": "De ciencia",
        "lang": "es", "dim": {"height": 540, "width": 720}, "like": 3, "view": 1300,
        "transcript": [text(n) for n in range(total)],
        "mostRead": [int(n % 3 == 0) for n in range(total)],
    }  # fmt: skip
    for number in numbers:
        (folder / f"slide_{number}.jpg").write_bytes(picture(f"{id} {number}", number))
    pairs = [{"question": FRENCH.format(number), "answer": ANSWER} for number in numbers]
    record |= {name: value for name, value in more.items() if name != "pairs"}
    record = {name: value for name, value in record.items() if value is not ...}
    (folder / f"{id}.json").write_text(json.dumps(record))
    (folder / f"qa_{id}.json").write_text(json.dumps(more.get("pairs", pairs)))
    return folder


def text(number: int) -> str:
    return f"{LINES[number % 8]}, lámina {number}"


SHAPES = {"11": ([0, 2, 9, 10], 12), "7": ([3, 5, 10], 11), "20": ([1, 2], 4), "5": ([], 3)}
LEFT = {f"{id}_{number}": number for id, (numbers, _) in SHAPES.items() for number in numbers}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Four decks as the article has them: one with slide 0, two without, one without any slide."""
    for id, (numbers, total) in SHAPES.items():
        written(tmp_path / "hf" / "data", id, numbers, total)
    (tmp_path / "hf" / "urls.csv").write_text("https://example.org\n")
    return tmp_path / "hf" / "data"


def made(config: str, raw: Path, out: Path, **overrides: Any) -> Path:
    everything = {} if config == "slides_qa_article" else {"test": 1, "validation": 0}
    name = f"t_{config}"
    build(catalog.variant(config, everything | overrides, name), out, Options(raw=raw))
    return out / name


@pytest.mark.parametrize(("above", "collected"), [(False, False), (True, False), (True, True)])
def test_every_slide_has_its_own_text_and_question(
    raw: Path, tmp_path: Path, cli: Cli, above: bool, collected: bool
) -> None:
    root = raw.parent if above else raw
    if collected:
        assert cli("collect", root, "--out", tmp_path / "decks").code == 0
        root = tmp_path / "decks"
        assert outcomes(root)["slides"] == {"kept": 9, "missing_media": 18 + 3}
    pages = rows(made("slides_qa_pages", root, tmp_path / "out"))
    assert {id: page["slide"] for id, page in pages.items()} == LEFT
    for page in pages.values():
        assert page["transcript"] == text(page["slide"])
        assert [pair["question"] for pair in page["pairs"]] == [FRENCH.format(page["slide"])]
        path = raw / page["deck"] / f"slide_{page['slide']}.jpg"
        assert page["image"]["bytes"] == path.read_bytes()


def test_a_row_a_deck(raw: Path, tmp_path: Path) -> None:
    folder = made("slides_qa", raw, tmp_path)
    row = rows(folder)["11"]
    assert row["slides"] == [0, 2, 9, 10] and row["transcript"] == [text(n) for n in row["slides"]]
    assert row["mostRead"] == [True, False, True, False]
    assert (row["dim"], row["likes"], row["views"], row["len"]) == ([540, 720], 3, 1300, 4)
    assert [(p["slide"], p["question"]) for p in row["pairs"]] == [
        (n, FRENCH.format(n)) for n in row["slides"]
    ]
    book = entries(folder)
    assert book["11"]["detail"].startswith("slides are counted from 0: there is one of that number")
    assert "mostRead lists 11" in book["7"]["detail"] and "in their order" in book["7"]["detail"]
    assert book["5"]["outcome"] == "missing_media"


def test_the_columns_under_the_names_of_the_article(raw: Path, tmp_path: Path) -> None:
    found = rows(made("slides_qa_article", raw, tmp_path))
    assert found.keys() == {"11", "7", "20"}
    row = found["7"]
    assert [*row] == [
        "id", "presentation_url", "title", "author", "date", "len", "description", "lang", "dim",
        "likes", "views", "mostRead", "transcript", "images", "questions/answers",
    ]  # fmt: skip
    assert row["questions/answers"] == [
        {"question": FRENCH.format(number), "answer": ANSWER} for number in (3, 5, 10)
    ]
    assert row["mostRead"] == [True, False, False] and row["likes"] == 3


def test_questions_without_a_task_are_good_for_retrieval(raw: Path, tmp_path: Path) -> None:
    for config in RETRIEVAL:
        assert len(rows(made(config, raw, tmp_path))) == 9
    qrels = rows(tmp_path / f"t_{RETRIEVAL[2]}")
    queries = rows(tmp_path / f"t_{RETRIEVAL[1]}")
    assert {row["corpus-id"] for row in qrels.values()} == LEFT.keys()
    for row in qrels.values():
        assert queries[row["query-id"]]["text"] == FRENCH.format(LEFT[row["corpus-id"]])


def test_the_seeds_filters(raw: Path, tmp_path: Path, cli: Cli) -> None:
    path = raw / "11" / "qa_11.json"
    path.write_text(path.read_text().replace(json.dumps(ANSWER), '"Oui"', 1))
    run = ["filter", raw.parent, "--filters", "few,short", "--json", "--out"]
    steps = cli(*run, tmp_path / "a").json["steps"]
    assert [(step["decks"], step["slides"], step["pairs"]) for step in steps] == [
        (4, 9, 9), (2, 7, 7), (2, 7, 6),
    ]  # fmt: skip
    whole = cli(*run, tmp_path / "b", "--whole-deck").json["steps"][-1]
    assert (whole["decks"], whole["slides"], whole["pairs"]) == (1, 3, 3)
    kept = rows(made("slides_qa_pages", tmp_path / "a", tmp_path / "out"))
    assert all(page["transcript"] == text(page["slide"]) for page in kept.values())
    assert len(kept) == 6 and "7_10" in kept
    assert "counted from 0" in entry(tmp_path / "a", "11")["detail"]


def test_questions_in_another_language_than_their_deck(raw: Path, tmp_path: Path, cli: Cli) -> None:
    run = ["filter", raw, "--filters", "language", "--json", "--out"]
    last = cli(*run, tmp_path / "a", "--language", "es").json["steps"][-1]
    assert last["pairs"] == 0 and last["reasons"] == {"wrong_language": 9}
    last = cli(*run, tmp_path / "b", "--language", "es", "--qa-language", "fr").json["steps"][-1]
    assert last["pairs"] == 9 and last["reasons"] == {}
    last = cli(*run, tmp_path / "c", "--qa-language", "en").json["steps"][-1]
    assert last["pairs"] == 0


def test_a_model_is_asked_about_every_slide(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(models.KEY, "a key")
    with Model(raw) as model:
        done = ask.ask(raw, ask.Options("stand-in", model.url, ("retrieval",), pairs=1))
    assert done.slides == {"done": 9, "left": 0}
    pages = rows(made("slides_qa_pages", raw, tmp_path))  # the folder as `qa` has left it
    assert len(pages) == 9
    for page in pages.values():
        first, second = page["pairs"]
        assert first["question"] == FRENCH.format(page["slide"])
        assert second["answer"] in page["transcript"] == text(page["slide"])


# Slides counted from 1


def named(numbers: list[int]) -> list[dict[str, Any]]:
    return [{"question": FRENCH.format(n), "answer": ANSWER, "slide": n} for n in numbers]


@pytest.mark.parametrize(
    "more",
    [
        {"pairs": named([1, 2, 4]), "mostRead": False, "dim": "540x720"},
        {"pairs": named([1, 2, 4]), "mostRead": ..., "images": ["slide_1.jpg"]},
        {"mostRead": ..., "lang_detected": "es"},
        {"first": 1},
    ],
)
def test_slides_counted_from_1_stay_right(tmp_path: Path, more: dict[str, Any]) -> None:
    written(tmp_path / "raw", "d", [1, 2, 4], 6, **more)
    pages = rows(made("slides_qa_pages", tmp_path / "raw", tmp_path / "out"))
    assert {id: page["transcript"] for id, page in pages.items()} == {
        "d_1": text(0), "d_2": text(1), "d_4": text(3),
    }  # fmt: skip
    for page in pages.values():
        assert [pair["question"] for pair in page["pairs"]] == [FRENCH.format(page["slide"])]


def test_the_last_slide_tells_that_they_are_counted_from_1(tmp_path: Path) -> None:
    written(tmp_path / "raw", "d", [1, 2, 4], 4)
    folder = made("slides_qa", tmp_path / "raw", tmp_path / "out")
    assert rows(folder)["d"]["transcript"] == [text(0), text(1), text(3)]
    assert "counted from 1: number 4 is the last of 4" in entries(folder)["d"]["detail"]


# What cannot be told

COUNTED, PLACED = "cannot be told if slides are counted", "cannot be told which question belongs"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"mostRead": ...}, COUNTED),  # questions by order say nothing about where numbers begin
        (
            {"pairs": named([1, 2, 4])},
            COUNTED,
        ),  # the lists of one layout, the questions of the other
        (
            {"transcript": [text(0), text(1)], "mostRead": [0, 1]},
            COUNTED,
        ),  # lists that are too short
        ({"pairs": named([1, 2, 4, 2])[:2] + [{"question": "¿?", "answer": "no"}] * 2}, PLACED),
        ({"pairs": [{"question": "¿Qué?", "answer": ANSWER}] * 5}, PLACED),
    ],
)
def test_what_cannot_be_told_is_a_drop(
    tmp_path: Path, cli: Cli, more: dict[str, Any], why: str
) -> None:
    raw = tmp_path / "raw"
    written(raw, "d", [1, 2, 4], 6, **{"first": 0} | more if why == PLACED else more)
    written(raw, "good", [0, 1, 2], 3)
    folder = made("slides_qa_pages", raw, tmp_path / "out")
    assert entries(folder)["d"]["outcome"] == "malformed_row"
    assert why in entries(folder)["d"]["detail"] and len(rows(folder)) == 3
    for verb in ("collect", "filter"):
        out = tmp_path / verb
        assert cli(verb, raw, "--out", out).code == 0
        assert outcomes(out)["decks"] == {"kept": 1, "malformed_row": 1}
        assert why in entry(out, "d")["detail"]
    with Model() as model, pytest.MonkeyPatch.context() as patch:
        patch.setenv(models.KEY, "a key")
        said = ask.ask(raw, ask.Options("stand-in", model.url, ("docvqa",)))
    assert said.skipped.keys() == {"d"} and why in said.skipped["d"]


def test_questions_over_all_slides_that_there_were(tmp_path: Path) -> None:
    pairs = [{"question": FRENCH.format(n), "answer": ANSWER} for n in range(4)]
    folder = written(tmp_path, "d", [0, 2, 3], 4, pairs=[pairs[0], {}, pairs[2], "{}"])
    found, notes = decks.read_noted(folder)[1], decks.read_noted(folder)[2]
    assert [(pair.slide, pair.question) for pair in found] == [
        (0, FRENCH.format(0)), (2, FRENCH.format(2)),
    ]  # fmt: skip
    assert "2 of 4 entries are no question" in notes[-1]


def test_two_files_of_one_slide(tmp_path: Path) -> None:
    folder = written(tmp_path, "d", [0, 1], 2)
    (folder / "slide_01.JPEG").write_bytes(b"")
    with pytest.raises(EdgeGlassError, match="two files are the same slide"):
        decks.read(folder)


# No deck at all


@pytest.mark.parametrize("verb", ["build", "collect", "filter", "qa"])
@pytest.mark.parametrize("where", ["empty", "hf/data/11", "other"])
def test_a_folder_without_a_deck_is_an_error(
    raw: Path, tmp_path: Path, cli: Cli, verb: str, where: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "song.mp3").write_bytes(b"")
    folder, out = tmp_path / where, tmp_path / "out"
    line = {
        "build": ["build", "slides_qa", "--raw", folder, "--out", out],
        "qa": ["qa", folder, "--model", "m", "--base-url", "http://127.0.0.1:9"],
    }.get(verb, [verb, folder, "--out", out])
    result = cli(*line)
    assert result.code == 1
    said = " ".join(result.err.split())
    assert "no deck here: expected <id>/<id>.json with slide_<n>.jpg beside it, found: " in said
    found = {"empty": "nothing", "hf/data/11": "11.json, qa_11.json", "other": "song.mp3"}
    assert f"found: {found[where]}" in said


def test_decks_without_a_slide_are_nothing_to_ask_about(tmp_path: Path) -> None:
    written(tmp_path, "a", [], 3)
    with pytest.raises(EdgeGlassError, match="no slide to ask about in 1 decks"):
        ask.ask(tmp_path, ask.Options("m", "http://127.0.0.1:9"))


def test_two_decks_of_one_name(tmp_path: Path, cli: Cli) -> None:
    for parent in ("a", "b"):
        written(tmp_path / "raw" / parent, "1", [0, 1], 2)
    result = cli("filter", tmp_path / "raw", "--out", tmp_path / "out")
    assert result.code == 1 and "two decks are called 1: a/1 and b/1" in " ".join(
        result.err.split()
    )
    folder = made("slides_qa", tmp_path / "raw", tmp_path / "built")
    assert len(rows(folder)) == 1


# Fields of any type

ODD = [
    *(None, 7, -3, 3e9, 0.5, float("nan"), True, [1], {"a": 1}, "", "x", "\0", "\ud800", "7"),
    *([None], ["x"], {"height": 3}, "x" * 10**5),
]
DECK = [
    *("presentation_url", "title", "author", "date", "len", "description", "lang", "dim", "like"),
    *("likes", "view", "views", "transcript", "mostRead", "first", "images", "lang_detected"),
]
PAIR = ["slide", "question", "answer", "task", "id", "model", "prompt", "identifies"]


def read(folder: Path) -> decks.Deck:
    """A deck as builders read it. Raises Dropped."""
    raw = Raw("slides_qa", {"decks": folder.parent})
    (found,) = raw_decks.folders(raw, "decks")
    deck, pairs, _ = raw_decks.deck(raw, "decks", *found)
    assert {pair.slide for pair in pairs} <= {0, 1, 2, 7}
    return deck


@pytest.mark.parametrize("field", DECK + PAIR)
def test_a_field_of_any_type_is_kept_or_named(tmp_path: Path, field: str) -> None:
    for number, value in enumerate(ODD):
        pairs = [{"question": FRENCH.format(n), "answer": ANSWER} for n in (0, 2)]
        more = {field: value} if field in DECK else {"pairs": [pairs[0], pairs[1] | {field: value}]}
        folder = written(tmp_path / str(number), "d", [0, 2], 4, **more)
        try:
            assert read(folder).numbers == decks.read(folder).numbers == [0, 2]
        except (EdgeGlassError, Dropped) as error:
            named = (field.rstrip("s"), "bad_encoding", "surrogates", COUNTED)
            assert any(word in str(error) for word in named), (value, error)
