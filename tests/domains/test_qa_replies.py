"""Endpoints answer in many ways: what is paid for is read, and no fault is paid for twice."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from modelserver import NOT_ANSWERS, Asked, Model, Trouble, replies
from slidekit import LINES, deck, without_naps

from edge_glass.core.errors import EdgeGlassError
from edge_glass.domains.slides import call_log, decks, prompts
from edge_glass.domains.slides.ask import ask
from edge_glass.domains.slides.call_log import Prices
from edge_glass.domains.slides.model_run import Asked as Outcome
from edge_glass.domains.slides.vision_model import Options

ANSWER = (
    '{"pairs": [{"question": "¿Cuánta sangre bombea el corazón humano por minuto?", '
    '"answer": "Unos cinco litros de sangre"}]}'
)
REPLIES = replies(ANSWER)
Root = Callable[[int], Path]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A deck of so many slides."""

    def made(slides: int) -> Path:
        deck(tmp_path / "decks", "a", LINES[:slides])
        return tmp_path / "decks"

    return made


@pytest.fixture(autouse=True)
def no_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    without_naps(monkeypatch)


def asked(root: Path, model: Model, **more: object) -> Outcome:
    options = {"tasks": ("docvqa",), "pairs": 1, "at_once": 8} | more
    return ask(root, Options("stand-in", model.url, **options))  # type: ignore[arg-type]


def outcomes(root: Path) -> list[str]:
    return pq.read_table(root / call_log.TABLE)["outcome"].to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", REPLIES)
def test_an_answer_is_found_and_paid_once(root: Root, way: str) -> None:
    folder = root(1)
    with Model(folder, script=lambda *_: REPLIES[way]) as model:
        assert asked(folder, model).slides == {"done": 1, "left": 0}
        assert len(model.log) == 1
    (pair,) = decks.read_noted(folder / "a")[1]
    assert "".join(pair.answer.split()) == "Unoscincolitrosdesangre"
    assert outcomes(folder) == ["answered"]


@pytest.mark.parametrize(
    ("way", "tokens"),
    [("usage as text", (10, 20)), ("stream", (10, 20)), ("null usage", None), ("odd usage", None)],
)
def test_tokens_are_what_the_server_counts_or_the_most(
    root: Root, way: str, tokens: tuple[int, int] | None
) -> None:
    folder = root(1)
    with Model(folder, script=lambda *_: REPLIES[way]) as model:
        asked(folder, model)
    (row,) = pq.read_table(folder / call_log.TABLE).to_pylist()
    assert row["estimated"] == (tokens is None)
    if tokens:
        assert (row["tokens_in"], row["tokens_out"]) == tokens
    else:
        assert row["tokens_in"] > 100 and row["tokens_out"] == 1000


@pytest.mark.parametrize("way", NOT_ANSWERS)
def test_what_is_no_answer_ends_neither_the_run_nor_the_purse(root: Root, way: str) -> None:
    folder = root(4)
    body, outcome, times = NOT_ANSWERS[way]
    kind = "text/html" if outcome == "rejected" and isinstance(body, str) else "application/json"
    bad = Trouble(whole=body, kind=kind)
    with Model(folder, script=lambda a, _: bad if first(a, model) else None) as model:
        made = asked(folder, model, at_once=1)
        assert len(model.log) == 3 + times
    assert Counter(outcomes(folder)) == {outcome: times, "answered": 3}
    assert made.slides["done"] == (4 if outcome == "refused" else 3)


def first(asked: Asked, model: Model) -> bool:
    """Whether it is the slide that was asked about first."""
    return asked.slides == model.log[0].slides


def refusing(asked: Asked, max_tokens: bool, forms: tuple[str, ...]) -> Trouble | None:
    if max_tokens and "max_tokens" in asked.body:
        error = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return Trouble(status=400, error=error)
    if asked.body.get("response_format", {}).get("type", "text") in forms:
        return Trouble(status=400, error="This response_format type is unavailable now")
    return None


@pytest.mark.parametrize(
    ("max_tokens", "forms", "refused", "last"),
    [
        (True, (), 1, "json_schema"),
        (False, ("json_schema",), 1, "json_object"),
        (False, ("json_schema", "json_object"), 2, None),
        (True, ("json_schema", "json_object"), 3, None),
    ],
)
def test_what_an_endpoint_refuses_is_tried_once_in_a_run(
    root: Root, max_tokens: bool, forms: tuple[str, ...], refused: int, last: str | None
) -> None:
    folder = root(8)
    with Model(folder, script=lambda a, _: refusing(a, max_tokens, forms)) as model:
        made = asked(folder, model)
        assert made.slides == {"done": 8, "left": 0} and len(model.log) == 8 + refused
        body = model.log[-1].body
        assert body.get("response_format", {}).get("type") == last
        assert ("max_completion_tokens" in body) == max_tokens != ("max_tokens" in body)
        assert len(made.notes) == refused
    assert Counter(outcomes(folder)) == {"unsupported": refused, "answered": 8}


ERRORS = [  # as servers word them
    (400, "'response_format.type' must be 'json_object'"),
    (400, "This model does not support response format `json_schema`."),
    (422, "[{'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text'\"}]"),
    (404, "No endpoints found that can handle the requested parameters."),
    (400, "Invalid schema for response_format 'pairs'"),
]


@pytest.mark.parametrize(("status", "words"), ERRORS)
def test_refusals_of_a_schema(root: Root, status: int, words: str) -> None:
    def script(asked: Asked, _: int) -> Trouble | None:
        schema = asked.body.get("response_format", {}).get("type") == "json_schema"
        return Trouble(status=status, error=words) if schema else None

    folder = root(1)
    with Model(folder, script=script) as model:
        assert asked(folder, model).slides["done"] == 1 and len(model.log) == 2


def test_an_answer_that_is_cut_is_asked_for_with_more_room_and_the_run_remembers(
    root: Root,
) -> None:
    def script(asked: Asked, _: int) -> Trouble | None:
        small = asked.body["max_tokens"] < 3000
        return Trouble(ANSWER[:40], finish="length") if small else None

    folder = root(6)
    with Model(folder, script=script) as model:
        made = asked(folder, model, prices=Prices(3, 15))
        assert [a.body["max_tokens"] for a in model.log] == [1000] + [4000] * 6
        assert made.cost == pytest.approx(
            sum(a.billed[0] * 3e-6 + a.billed[1] * 15e-6 for a in model.log)
        )
    assert made.slides["done"] == 6 and "answers are cut at 1000 tokens" in made.notes[0]
    row = pq.read_table(folder / call_log.TABLE).to_pylist()[0]
    assert row["outcome"] == "length"
    assert row["detail"] == "cut at 1000 tokens: asked again with 4000"


def test_a_model_that_never_ends_is_not_paid_again_and_again(root: Root) -> None:
    cut = Trouble("", finish="length", message={"content": None, "reasoning_content": ANSWER})
    folder = root(8)
    with Model(folder, script=lambda *_: cut) as model:
        with pytest.raises(
            EdgeGlassError, match=r"cut at 4000 tokens: give more with --max-tokens"
        ):
            asked(folder, model)
        assert len(model.log) == 4  # the first slide twice, and two more


def test_a_small_context_gets_its_room_back(root: Root) -> None:
    def script(asked: Asked, _: int) -> Trouble | None:
        if asked.body["max_tokens"] > 1000:
            error = "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's "
            return Trouble(status=400, error=f"{error}maximum context length is 4096 tokens")
        return Trouble(ANSWER[:40], finish="length") if first(asked, model) else None

    folder = root(4)
    with Model(folder, script=script) as model:
        made = asked(folder, model, at_once=1)
        assert made.slides == {"done": 3, "failed": 1, "left": 0} and len(model.log) == 5


def test_a_budget_holds_when_the_room_grows(root: Root) -> None:
    def script(asked: Asked, _: int) -> Trouble | None:
        return Trouble(ANSWER[:40], finish="length") if asked.body["max_tokens"] < 3000 else None

    folder = root(8)
    with Model(folder, script=script) as model:
        made = asked(folder, model, tokens=4000)
        assert made.stopped == "the budget is spent" and len(model.log) == 1
        assert 0 < made.tokens <= 4000


def test_a_model_that_is_loading_is_waited_for(root: Root) -> None:
    def script(_: Asked, number: int) -> Trouble | None:
        return Trouble(status=503, error="Loading model") if number <= 40 else None

    folder = root(3)
    with Model(folder, script=script) as model:
        assert asked(folder, model).slides == {"done": 3, "left": 0}
        assert len(model.log) == 43 and model.most <= 3
    assert Counter(outcomes(folder)) == {"loading": 40, "answered": 3}


def test_the_last_json_that_has_the_form_is_the_answer() -> None:
    draft = '{"slides": [1]}'
    found = prompts.parsed(
        f'Draft: {draft}\nFinal: {{"slides": [2]}} {{"sure": true}}', prompts.Pick
    )
    assert found == prompts.Pick(slides=[2])
    assert prompts.parsed("I think [3].", prompts.Pick) == prompts.Pick(slides=[3])
    long = [character * 1_000_000 for character in "[{x"]  # read in a time that grows with it
    for text in ("", *long, "NaN", '{"slides": "2"}', "<think>"):
        with pytest.raises(ValueError, match=r"JSON|slides|it:"):
            prompts.parsed(text, prompts.Pick)
