"""Filters: what each takes and why, alone and one after the other; the funnel as table and plot."""

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from kit import Cli
from PIL import Image, ImageDraw
from slidekit import LINES, deck, pair
from test_collect import outcomes

from edge_glass.core import ledger
from edge_glass.core.errors import EdgeGlassError
from edge_glass.domains.slides import decks, funnel
from edge_glass.domains.slides.filters import FILTERS, Limits

GOOD = [
    ("¿Qué convierte la luz del sol en energía?", "La fotosíntesis de las plantas"),
    ("¿Cuántos litros bombea el corazón por minuto?", "Unos cinco litros de sangre"),
    ("¿Cuánto mide la muralla romana de Lugo?", "Más de dos kilómetros de largo"),
]


def good(number: int = 1, **more: Any) -> decks.Pair:
    question, answer = GOOD[(number - 1) % 3]
    return pair(number, question, answer, **more)


def taken(root: Path, out: Path, *names: str, **limits: Any) -> dict[str, str]:
    """Id -> detail of what filters take, besides what goes with it."""
    funnel.run(root, out, list(names), Limits(**limits))
    rows = ledger.read(out / ledger.FILE)
    return {
        row["id"]: f"{row['outcome']}: {row['detail']}"
        for row in rows
        if row["outcome"] != "kept" and not row["detail"].startswith("its ")
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A deck of eight slides with three good pairs."""
    folder = deck(tmp_path / "decks", "a", LINES)
    decks.write_pairs(folder, [good(1), good(2), good(3)])
    return tmp_path / "decks"


def write(root: Path, *pairs: decks.Pair, id: str = "a") -> None:
    decks.write_pairs(root / id, [good(1), good(2), good(3), *pairs])


def spoil(root: Path, number: int, change: Any) -> None:
    path = root / "a" / f"slide_{number}.jpg"
    image = Image.open(path)
    out = io.BytesIO()
    change(image.convert("RGB")).save(out, "JPEG", quality=70)
    path.write_bytes(out.getvalue())


def test_what_is_good_stays(root: Path, tmp_path: Path) -> None:
    assert taken(root, tmp_path / "out", *FILTERS) == {}
    assert decks.read_noted(tmp_path / "out" / "a")[1] == decks.read_noted(root / "a")[1]
    assert decks.read(tmp_path / "out" / "a") == decks.read(root / "a")
    for number in range(1, 9):
        name = f"a/slide_{number}.jpg"
        assert (tmp_path / "out" / name).read_bytes() == (root / name).read_bytes()


def test_blank_slides(root: Path, tmp_path: Path) -> None:
    spoil(root, 2, lambda image: Image.new("RGB", image.size, (250, 250, 240)))
    assert taken(root, tmp_path / "out", "blank") == {"a_2": "blank_slide: "}
    made = decks.read(tmp_path / "out" / "a")
    assert made.numbers == [1, 3, 4, 5, 6, 7, 8] and made.len == 8
    assert [p.slide for p in decks.read_noted(tmp_path / "out" / "a")[1]] == [1, 3]


def test_slides_that_look_alike(root: Path, tmp_path: Path) -> None:
    first = (root / "a" / "slide_4.jpg").read_bytes()
    (root / "a" / "slide_6.jpg").write_bytes(first)

    def bullet(image: Image.Image) -> Image.Image:
        ImageDraw.Draw(image).text((180, 210), ".", fill="black")
        return image

    (root / "a" / "slide_7.jpg").write_bytes(first)
    spoil(root, 7, bullet)
    found = taken(root, tmp_path / "out", "near")
    assert found["a_6"] == "near_duplicate: as slide 4, 0.00 grey levels apart"
    assert found.keys() == {"a_6", "a_7"}


def test_decks_with_few_slides(root: Path, tmp_path: Path) -> None:
    decks.write_pairs(deck(root, "b", LINES[:2]), [good(1)])
    found = taken(root, tmp_path / "out", "few")
    assert found == {"b": "too_few_slides: 2, 3 are asked for"}
    assert [folder.name for folder in decks.folders(tmp_path / "out")] == ["a"]
    rows = {row["id"]: row["detail"] for row in ledger.read(tmp_path / "out" / ledger.FILE)}
    assert rows["b_1"] == rows["b_1#1"] == "its deck"
    assert taken(root, tmp_path / "out", "few", slides=2) == {}


def test_another_language(root: Path, tmp_path: Path) -> None:
    write(root, pair(4, "How tall is the wall around the old city?", "It is twelve metres tall"))
    decks.write_pairs(deck(root, "b", LINES[:4], lang_detected="pt", lang="pt"), [good(1)])
    assert taken(root, tmp_path / "out", "language") == {
        "a_4#1": "wrong_language: en",
        "b_1#1": "wrong_language: es",
    }
    found = taken(root, tmp_path / "out", "language", language="es")
    assert found == {"a_4#1": "wrong_language: en", "b": "wrong_language: pt"}


PLACEHOLDERS = ["Lorem ipsum dolor sit amet", "<your question here>", "[Respuesta]", "N/A", "...",
                "question 1", "string", "null"]  # fmt: skip


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_placeholders(root: Path, tmp_path: Path, text: str) -> None:
    write(root, pair(4, text, "Una respuesta entera."), pair(5, "¿Una pregunta entera?", text))
    found = taken(root, tmp_path / "out", "placeholder")
    assert found.keys() == {"a_4#1", "a_5#1"}
    assert all(detail.startswith("placeholder: ") for detail in found.values())


UNANSWERABLE = [
    "The slide does not mention it.", "It cannot be determined from the image.",
    "La diapositiva no menciona el precio.", "No se puede determinar con la imagen.",
    "La diapositive ne précise pas la date.", "Die Folie zeigt das nicht.", "No hay información",
    "O slide não menciona isso.", "Non è possibile determinare la data.",
]  # fmt: skip
ANSWERABLE = [
    "No se menciona a nadie por su nombre en el acta de 1812", "Nicht alle, nur die ersten drei",
    "The slider does not move", "No es visible el espectro infrarrojo para el ojo humano",
]  # fmt: skip


@pytest.mark.parametrize("answer", UNANSWERABLE)
def test_answers_that_there_is_none(root: Path, tmp_path: Path, answer: str) -> None:
    write(root, pair(4, "¿Cuánto cuesta la entrada?", answer))
    assert [*taken(root, tmp_path / "out", "unanswerable")] == ["a_4#1"]


@pytest.mark.parametrize("answer", ANSWERABLE[:3])
def test_answers_that_only_sound_like_it(root: Path, tmp_path: Path, answer: str) -> None:
    write(root, pair(4, "¿Cuánto cuesta la entrada?", answer))
    assert taken(root, tmp_path / "out", "unanswerable") == {}


def test_short_questions_and_answers(root: Path, tmp_path: Path) -> None:
    write(
        root, pair(4, "¿Quién?", "Una respuesta entera."), pair(5, "¿De qué color es?", " Azul. ")
    )
    assert taken(root, tmp_path / "out", "short") == {
        "a_4#1": "too_short: question of 7 characters",
        "a_5#1": "too_short: answer of 5 characters",
    }
    assert taken(root, tmp_path / "out", "short", characters=5) == {}


def test_short_pairs_take_their_deck_as_the_seed_has_it(root: Path, tmp_path: Path) -> None:
    decks.write_pairs(deck(root, "b", LINES[:4]), [good(1), pair(2, "¿De qué color es?", "Azul")])
    found = taken(root, tmp_path / "out", "short", whole_deck=True)
    assert found == {"b": "too_short: b_2#1: answer of 4 characters"}
    assert outcomes(tmp_path / "out")["pairs"] == {"kept": 3, "too_short": 2}


def test_questions_that_stand_twice_in_a_deck(root: Path, tmp_path: Path) -> None:
    again = GOOD[0][0].upper().replace("Í", "I").replace("?", " ?!")
    write(root, pair(4, again, "Otra respuesta entera."))
    decks.write_pairs(deck(root, "b", LINES[:4]), [good(1)])
    assert taken(root, tmp_path / "out", "duplicate") == {"a_4#1": "duplicate: as a_1#1"}


def test_what_needs_no_slide(root: Path, tmp_path: Path) -> None:
    write(
        root, good(4, answerable_without=True), good(5, answerable_without=False, identifies=False)
    )
    made = funnel.run(root, tmp_path / "out", ["blind"], Limits())
    assert made.steps[-1].reasons == {"needs_no_slide": 1}
    assert made.flagged == 1  # kept, but it does not tell its slide from others


def test_each_filter_sees_what_those_before_it_have_left(root: Path, tmp_path: Path) -> None:
    for number in range(1, 7):
        spoil(root, number, lambda image: Image.new("RGB", image.size, "white"))
    assert "a" in taken(root, tmp_path / "one", "blank", "few")
    assert "a" not in taken(root, tmp_path / "two", "few", "blank")


def test_the_ledger_balances(root: Path, tmp_path: Path) -> None:
    write(root, good(1), pair(4, "¿?", "no"), pair(99, GOOD[0][0], GOOD[0][1]))
    decks.write_pairs(deck(root, "b", LINES[:2]), [good(1)])
    made = funnel.run(root, tmp_path / "out", list(FILTERS), Limits())
    found = outcomes(tmp_path / "out")
    assert {kind: counts.total() for kind, counts in found.items()} == {
        "decks": 2, "slides": 10, "pairs": 7,
    }  # fmt: skip
    last = made.steps[-1]
    kept = [found[kind]["kept"] for kind in ("decks", "slides", "pairs")]
    assert kept == [last.decks, last.slides, last.pairs] == [1, 8, 3]


def test_the_funnel(root: Path, tmp_path: Path, cli: Cli) -> None:
    write(root, pair(4, "¿Quién?", "Una respuesta entera."))
    result = cli("filter", root, "--out", tmp_path / "out", "--min-chars", 10)
    assert result.code == 0 and "75.0" in result.out and "1 too_short" in result.out
    said = json.loads((tmp_path / "out" / funnel.FILE).read_text())
    assert [step["name"] for step in said["steps"]] == ["collected", *FILTERS]
    assert said["steps"][-1]["share"] == 75.0
    drawn = ElementTree.fromstring((tmp_path / "out" / funnel.PLOT).read_text())
    texts = ["".join(node.itertext()) for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("75.0% ") for text in texts) and "too_short" in texts


def test_no_deck_kept_is_an_error(root: Path, tmp_path: Path, cli: Cli) -> None:
    run = ["filter", root, "--min-slides", 99, "--out"]
    result = cli(*run, tmp_path / "out")
    assert result.code == 1
    assert "filter: no row is kept: 1 too_few_slides. " in result.err
    assert "--allow-empty" in result.err
    assert outcomes(tmp_path / "out")["decks"]["kept"] == 0  # all is in the ledger that it names
    assert cli(*run, tmp_path / "more", "--allow-empty").code == 0


def test_the_same_bytes_again(root: Path, tmp_path: Path) -> None:
    write(root, pair(4, "¿Quién?", "Una respuesta entera."))
    made = []
    for name in ("one", "two"):
        funnel.run(root, tmp_path / name, list(FILTERS), Limits())
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        made.append({str(p.relative_to(tmp_path / name)): p.read_bytes() for p in files})
    assert made[0] == made[1]


def test_a_folder_of_something_else_is_left_alone(root: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    assert "holds other files" in cli("filter", root, "--out", tmp_path / "mine").err
    assert "give another folder" in cli("filter", root, "--out", root).err
    assert "no filter shrt" in cli("filter", root, "--out", tmp_path / "o", "--filters", "shrt").err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"


def test_what_was_filtered_before_makes_room(root: Path, tmp_path: Path) -> None:
    decks.write_pairs(deck(root, "b", LINES[:2]), [good(1)])
    taken(root, tmp_path / "out", "blank")
    assert len(decks.folders(tmp_path / "out")) == 2
    taken(root, tmp_path / "out", "few")
    assert len(decks.folders(tmp_path / "out")) == 1


def test_damaged_questions_are_told_plainly(root: Path, tmp_path: Path) -> None:
    (root / "a" / "qa_a.json").write_text("[{")
    with pytest.raises(EdgeGlassError, match=r"qa_a\.json: no list of questions"):
        taken(root, tmp_path / "out", *FILTERS)
