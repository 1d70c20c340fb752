"""The parts of asking by themselves: the pace, the book of calls, the prompts."""

from pathlib import Path

import pytest

from edge_glass.core.errors import EdgeGlassError
from edge_glass.domains.slides import call_log, decks, prompts, rate_limits
from edge_glass.domains.slides.call_log import Calls, Key, Use


def test_a_refused_pace_is_halved_and_grows_again(tmp_path: Path) -> None:
    gate = rate_limits.Gate(Calls(tmp_path), 16)
    for _ in range(3):  # which were under way together
        gate.refused({})
    assert gate.allowed == 8
    for _ in range(200):
        gate.answered({}, 100)
    assert gate.allowed == 16


def test_durations() -> None:
    said = ["20ms", "1.5s", "6m0s", "7", "1h1s", "soon", None, "", "1" * 4000 + "x"]
    assert [rate_limits.seconds(text) for text in said] == [0.02, 1.5, 360, 7, 3601, 0, 0, 0, 0]


def test_an_answer_and_its_cost_are_one_record(tmp_path: Path) -> None:
    """A crash between the two leaves neither; the next run counts the call at its most."""
    book, key, most = Calls(tmp_path), Key("a", 1, "docvqa"), Use(900, 1000, 0.5, True)
    call = book.begin(key, 1, "p", "m", most)
    book._base.execute("begin immediate")
    book.end(call, "answered", Use(10, 10, 0.1), 1, 200, "")
    book._base.close()  # as a kill would
    again = Calls(tmp_path)
    assert again.answer(key) is None and again.cost == 0.5
    assert again.outcomes()["docvqa, lost"]["calls"] == 1
    again.close()
    assert Calls(tmp_path).cost == 0.5  # counted once


def test_a_damaged_book_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / call_log.FILE).write_bytes(b"no database " * 100)
    with pytest.raises(EdgeGlassError, match=r"calls\.sqlite: damaged"):
        Calls(tmp_path)


def test_a_language_without_a_prompt_is_named_in_the_english_one() -> None:
    found = prompts.prompt("retrieval", "gl")
    assert found.version.startswith("en/retrieval@")
    assert "in galego" in found.filled(count=2, language=prompts.name("gl"))
    assert "code xx" in prompts.name("xx")


@pytest.mark.parametrize("path", sorted(prompts.HERE.glob("*/*.txt")), ids=lambda p: str(p)[-15:])
def test_shipped_prompts_name_the_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "JSON" in text
    if path.stem in decks.TASKS:
        assert "$count" in text and "$language" in text and '"pairs"' in text
