"""Asking a vision model: a server on loopback that speaks the protocol, and misbehaves."""

import json
import sqlite3
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from kit import Cli
from modelserver import Asked, Model, Script, Trouble
from slidekit import LINES, deck, pair, without_naps

from edge_glass.core.errors import EdgeGlassError
from edge_glass.domains.slides import call_log, decks, prompts
from edge_glass.domains.slides.ask import ask
from edge_glass.domains.slides.call_log import Calls, Prices
from edge_glass.domains.slides.vision_model import Options

SECRET = "sk-very-secret-0123456789"
PRICES = Prices(3.0, 15.0)
SPANISH = (
    '{"pairs": [{"question": "¿Cuánta sangre bombea el corazón humano por minuto?", '
    '"answer": "Unos cinco litros de sangre"}]}'
)
ENGLISH = (
    '{"pairs": [{"question": "How much blood does the human heart pump each minute?", '
    '"answer": "About five litres of blood"}]}'
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two decks of four slides."""
    deck(tmp_path / "decks", "a", LINES[:4])
    deck(tmp_path / "decks", "b", LINES[4:])
    return tmp_path / "decks"


@pytest.fixture(autouse=True)
def no_naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    return without_naps(monkeypatch)


def options(model: Model, **more: object) -> Options:
    return Options("stand-in", model.url, **{"tasks": ("docvqa",), "pairs": 1} | more)


def table(root: Path) -> list[dict[str, object]]:
    return list(pq.read_table(root / call_log.TABLE).to_pylist())


def once(trouble: Trouble, at: int = 1) -> Script:
    """The trouble for one request, the usual answer for all others."""
    return lambda asked, number: trouble if number == at else None


def test_every_slide_is_asked_and_written_down(root: Path) -> None:
    with Model(root) as model:
        made = ask(root, options(model, tasks=decks.TASKS, pairs=2, prices=PRICES))
        assert len(model.log) == 16  # 8 slides, 2 tasks
        assert {asked.headers["authorization"] for asked in model.log} == {f"Bearer {SECRET}"}
        billed = sum(3e-6 * asked.billed[0] + 15e-6 * asked.billed[1] for asked in model.log)
    assert made.slides == {"done": 8, "left": 0}
    assert made.cost == pytest.approx(billed)
    found = decks.read_noted(root / "a")[1]
    assert [(p.slide, p.task) for p in found[:2]] == [(1, "docvqa"), (1, "retrieval")]
    assert found[0].answer == LINES[0]
    assert found[0].prompt == prompts.prompt("docvqa", "es").version
    rows = table(root)
    assert len(rows) == 16
    assert {row["outcome"] for row in rows} == {"answered"}
    first = rows[0]
    assert first["model"] == "stand-in" and first["seconds"] > 0 and not first["estimated"]
    assert first["cost"] == pytest.approx(first["tokens_in"] * 3e-6 + first["tokens_out"] * 15e-6)


def test_nothing_is_asked_twice(root: Path) -> None:
    with Model(root) as model:
        ask(root, options(model))
        before = (root / "a" / "qa_a.json").read_bytes()
        made = ask(root, options(model))
        assert len(model.log) == 8 and made.slides == {"done": 8, "left": 0}
        assert (root / "a" / "qa_a.json").read_bytes() == before
        ask(root, options(model, tasks=("docvqa", "retrieval")))
        assert len(model.log) == 16  # the task that was not asked yet


def test_the_structure_is_demanded(root: Path) -> None:
    with Model(root) as model:
        ask(root, options(model))
        demanded = model.log[0].body["response_format"]["json_schema"]
    assert demanded["strict"] is True
    item = demanded["schema"]["$defs"]["Said"]
    assert item["required"] == ["question", "answer"] and item["additionalProperties"] is False


BAD = ["no JSON at all", '{"pairs": [{"question": "¿Qué es esto?"}]}', '{"pairs": "none"}', ""]


@pytest.mark.parametrize("content", BAD)
def test_bad_json_is_sent_back_once_to_be_mended(root: Path, content: str) -> None:
    with Model(root, script=once(Trouble(content))) as model:
        made = ask(root, options(model, at_once=1))
        assert made.slides["done"] == 8 and len(model.log) == 9
        repair = model.log[1].body["messages"]
        assert repair[1]["role"] == "assistant" and "JSON" in repair[2]["content"]
    assert Counter(row["outcome"] for row in table(root)) == {"invalid": 1, "answered": 8}


def test_what_stays_bad_is_asked_again_by_the_next_run_alone(root: Path) -> None:
    def script(asked: Asked, number: int) -> Trouble | None:
        return Trouble("never JSON") if number <= 2 else None

    with Model(root, script=script) as model:
        made = ask(root, options(model, at_once=1))
        assert made.slides == {"done": 7, "failed": 1, "left": 0}
        assert len(decks.read_noted(root / "a")[1]) == 3
        assert ask(root, options(model)).slides == {"done": 8, "left": 0}
        assert len(model.log) == 10


def test_fenced_json_is_json(root: Path) -> None:
    with Model(root, script=lambda a, n: Trouble(f"```json\n{SPANISH}\n```")) as model:
        assert ask(root, options(model)).slides["done"] == 8
        assert len(model.log) == 8


def test_a_refusal_is_an_answer(root: Path) -> None:
    refusal = Trouble("", refusal="I cannot help with that.")
    with Model(root, script=once(refusal)) as model:
        ask(root, options(model, at_once=1))
        ask(root, options(model, at_once=1))
        assert len(model.log) == 8  # neither sent back nor asked again
    assert Counter(row["outcome"] for row in table(root)) == {"refused": 1, "answered": 7}
    assert len(decks.read_noted(root / "a")[1]) == 3


def test_the_wrong_language_is_sent_back_once(root: Path) -> None:
    with Model(root, script=once(Trouble(ENGLISH))) as model:
        ask(root, options(model, at_once=1))
        assert len(model.log) == 9
        assert "another language (en)" in model.log[1].body["messages"][2]["content"]
    assert all("¿" in p.question for p in decks.read_noted(root / "a")[1])


def test_what_stays_in_the_wrong_language_is_kept_for_the_filter(root: Path) -> None:
    with Model(root, script=lambda a, n: Trouble(ENGLISH)) as model:
        assert ask(root, options(model)).slides["done"] == 8
        assert len(model.log) == 16
    assert len(decks.read_noted(root / "a")[1]) == 4


def test_too_many_requests_are_waited_for(root: Path, no_naps: list[float]) -> None:
    limit = Trouble(status=429, headers={"Retry-After": "7"})
    with Model(root, script=once(limit)) as model:
        assert ask(root, options(model, at_once=1)).slides["done"] == 8
        assert len(model.log) == 9
    assert max(no_naps) == pytest.approx(7, abs=0.1)
    row = next(row for row in table(root) if row["outcome"] == "rate_limited")
    assert (row["status"], row["cost"], row["tokens_in"]) == (429, 0, 0)


def test_the_pace_is_learned_from_the_answers(root: Path, no_naps: list[float]) -> None:
    low = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m3s"}
    with Model(root, script=once(Trouble(headers=low))) as model:
        ask(root, options(model, at_once=1))
        assert len(model.log) == 8  # never refused
    assert max(no_naps) == pytest.approx(63, abs=0.1)


def test_an_answer_that_is_cut_is_counted_and_asked_for_again(root: Path) -> None:
    with Model(root, script=once(Trouble(cut=True))) as model:
        made = ask(root, options(model, at_once=1, prices=PRICES))
        assert made.slides["done"] == 8 and len(model.log) == 9
        cut = model.log[0].billed
    row = next(row for row in table(root) if row["outcome"] == "cut")
    assert row["estimated"] and row["tokens_in"] >= cut[0] and row["tokens_out"] >= cut[1]
    assert row["cost"] > 0


def test_an_answer_that_is_late_is_counted_at_its_most(root: Path) -> None:
    with Model(root, script=once(Trouble(late=2))) as model:
        ask(root, options(model, at_once=1, seconds=0.5, prices=PRICES))
    rows = table(root)
    first = rows[0]
    assert first["outcome"] == "timed_out" and first["estimated"] and first["cost"] != 0
    assert Counter(row["outcome"] for row in rows)["answered"] == 8


def test_half_and_control_characters_do_no_harm(root: Path) -> None:
    bad = SPANISH.replace("¿", "\\u0000\\ud83d¿").replace("sangre", "san\\u0007gre")
    with Model(root, script=once(Trouble(bad))) as model:
        assert ask(root, options(model, at_once=1)).slides["done"] == 8
    found = decks.read_noted(root / "a")[1][0]
    assert found.question.startswith("¿Cuánta") and found.question.isprintable()


def test_a_server_that_falls_over_is_asked_again(root: Path) -> None:
    with Model(root, script=once(Trouble(status=503))) as model:
        assert ask(root, options(model, at_once=1)).slides["done"] == 8
    assert Counter(row["outcome"] for row in table(root)) == {"server_error": 1, "answered": 8}


def test_an_answer_without_usage_is_counted_at_its_most(root: Path) -> None:
    with Model(root, script=lambda a, n: Trouble(usage=False)) as model:
        ask(root, options(model, prices=PRICES))
        billed = {asked.call: asked.billed for asked in model.log}
    for row in table(root):
        tokens_in, tokens_out = billed[str(row["id"])]
        assert row["estimated"] and row["tokens_in"] >= tokens_in
        assert row["tokens_out"] >= tokens_out


def test_the_budget_holds_whatever_is_under_way(root: Path) -> None:
    with Model(root, latency=0.02) as model:
        most = 0.022
        made = ask(root, options(model, prices=Prices(3, 15), money=most, at_once=8))
        assert made.stopped == "the budget is spent"
        assert 0 < made.cost <= most and 0 < len(model.log) < 8
        assert made.slides["left"] == 8 - made.slides["done"]
        asked = len(model.log)
        assert ask(root, options(model, prices=Prices(3, 15), money=most)).stopped
        assert len(model.log) == asked  # it counts over all runs
        assert ask(root, options(model, prices=Prices(3, 15), money=10)).slides["done"] == 8
        assert len(model.log) == 8


def test_the_budget_of_tokens(root: Path) -> None:
    with Model(root) as model:
        made = ask(root, options(model, tokens=4000, at_once=1))
        assert made.stopped and 0 < made.tokens <= 4000


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_next_call_would_meet_too_ends_the_run(root: Path, status: int) -> None:
    trouble = Trouble(status=status, error=f"bad key {SECRET}")
    with Model(root, script=lambda a, n: trouble) as model:
        with pytest.raises(EdgeGlassError, match=rf"HTTP {status}.*Nothing is lost") as raised:
            ask(root, options(model, at_once=1))
        assert len(model.log) == 1
    assert SECRET not in str(raised.value)
    assert SECRET not in str(table(root))


def test_a_server_that_is_not_there_ends_the_run(root: Path) -> None:
    with pytest.raises(EdgeGlassError, match="unreachable"):
        ask(root, Options("m", "http://127.0.0.1:9/v1", pairs=1, at_once=1))


def test_a_server_that_is_not_there_is_named_however_few_slides(tmp_path: Path, cli: Cli) -> None:
    deck(tmp_path / "decks", "a", LINES[:1])
    url = "http://127.0.0.1:9/v1"
    result = cli("qa", tmp_path / "decks", "--model", "m", "--base-url", url, "--task", "docvqa")
    assert result.code == 1 and f"{url}, model m: unreachable" in result.err


def test_the_key_is_never_shown(root: Path, cli: Cli) -> None:
    echo = Trouble(status=400, error=f"Authorization: Bearer {SECRET}")
    with Model(root, script=lambda a, n: echo) as model:
        result = cli("qa", root, "--model", "m", "--base-url", model.url)
    assert result.code == 1
    stored = (root / call_log.FILE).read_bytes() + (root / call_log.TABLE).read_bytes()
    assert SECRET not in result.out + result.err and SECRET.encode() not in stored
    result = cli("qa", root, "--model", "m", "--base-url", f"http://me:{SECRET}@127.0.0.1/v1")
    assert result.code == 1 and SECRET not in result.out + result.err


def test_two_runs_at_once_are_told_apart(root: Path) -> None:
    held = Calls(root)
    with Model(root) as model, pytest.raises(EdgeGlassError, match="another run uses it"):
        ask(root, options(model))
    held.close()


def test_questions_by_hand_stay_and_are_not_asked_for(root: Path) -> None:
    decks.write_pairs(root / "a", [pair(2, "¿Quién escribió esto a mano?", id="mine")])
    with Model(root) as model:
        ask(root, options(model))
        assert len(model.log) == 7
    assert [p.id for p in decks.read_noted(root / "a")[1] if p.slide == 2] == ["mine"]


def test_questions_of_a_run_on_another_folder_stay(root: Path) -> None:
    decks.write_pairs(root / "a", [pair(2, "¿Quién preguntó esto antes?", prompt="es/docvqa@1")])
    with Model(root) as model:
        ask(root, options(model, tasks=("retrieval",)))
        assert next(p.task for p in decks.read_noted(root / "a")[1] if p.slide == 2) == "docvqa"
        ask(root, options(model, tasks=("docvqa",)))  # asked here now: the answer takes its place
    assert {p.prompt for p in decks.read_noted(root / "a")[1]}.isdisjoint({"es/docvqa@1"})


def test_second_looks(root: Path) -> None:
    decks.write_pairs(root / "a", [])
    with Model(root) as model:
        ask(root, options(model, blind=True, others=2))
        forms = Counter(asked.form for asked in model.log)
        assert forms == {"pairs": 8, "blind": 8, "pick": 8}
        assert all(not asked.slides for asked in model.log if asked.form == "blind")
        picks = [asked for asked in model.log if asked.form == "pick"]
        assert all(len(set(asked.slides)) == 3 for asked in picks)
        before = len(model.log)
        ask(root, options(model, blind=True, others=2))
        assert len(model.log) == before
    found = decks.read_noted(root / "a")[1]
    assert all(p.answerable_without is False and p.identifies for p in found)


def test_a_question_that_does_not_tell_its_slide_is_flagged(root: Path) -> None:
    def script(asked: Asked, number: int) -> Trouble | None:
        if asked.form == "blind":
            return Trouble('{"answerable": true}')
        return Trouble('{"slides": [1, 2]}') if asked.form == "pick" else None

    with Model(root, script=script) as model:
        ask(root, options(model, blind=True, others=2))
    found = decks.read_noted(root / "b")[1]
    assert all(p.answerable_without and p.identifies is False for p in found)


def test_prompts_of_ones_own(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "prompts" / "es"
    own.mkdir(parents=True)
    (own / "docvqa.txt").write_text("Escribe $count preguntas en $language. Cuesta $5.")
    with Model(root) as model:
        ask(root, options(model, prompts=tmp_path / "prompts"))
        assert model.log[0].text == "Escribe 1 preguntas en español. Cuesta $5."
    assert table(root)[0]["prompt"].startswith("es/docvqa@")  # type: ignore[attr-defined]


def test_the_command_line(root: Path, cli: Cli) -> None:
    with Model(root) as model:
        line = ("qa", root, "--model", "m", "--base-url", model.url, "--task", "docvqa")
        result = cli(*line, "--json")
        assert result.code == 0 and result.json["slides"] == {"done": 8, "left": 0}
        assert "the budget is spent" in cli(*line, "--task", "retrieval", "--token-budget", 1).err
        result = cli(*line, "--max-tokens", 500, "--seconds", 60)
        assert "docvqa, answered" in result.out and "8 slides done" in result.out
        assert "--price-in" in cli(*line, "--budget", "1").err
        assert "there are docvqa, retrieval" in cli(*line, "--task", "vqa").err
        money = ("--price-in", 1, "--price-out", 1, "--budget", 0.000001, "--task", "retrieval")
        result = cli(*line, *money)
        assert result.code == 1 and "the budget is spent" in result.err
    assert "no such folder of prompts" in cli(*line, "--prompts", root / "none").err
    assert "no deck here" in cli("qa", root / "a", "--model", "m", "--base-url", model.url).err


def test_the_book_survives_as_plain_tables(root: Path) -> None:
    """Whoever wants to can read it with nothing of ours."""
    with Model(root) as model:
        ask(root, options(model))
    base = sqlite3.connect(root / call_log.FILE)
    (content,) = base.execute(
        "select content from answers where deck = 'a' and slide = 1"
    ).fetchone()
    assert json.loads(content)["pairs"][0]["answer"] == LINES[0]
