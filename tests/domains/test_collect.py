"""Decks out of PDFs, folders and lists of URLs: what is kept, and what becomes of the rest."""

import io
import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import encoders
import pytest
from kit import Cli
from PIL import Image
from slidekit import LINES, deck, pair, pdf, pdf_of, real_pdf, slide
from webkit import JPEG
from wildsite import Site, page

from edge_glass.core import ledger, names
from edge_glass.domains.slides import decks
from edge_glass.domains.slides import pdf as pdfs
from edge_glass.domains.slides.deck_store import Desk


def outcomes(out: Path) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in ledger.read(out / ledger.FILE):
        found.setdefault(row["split"], Counter())[row["outcome"]] += 1
    return found


def entry(out: Path, id: str) -> dict[str, Any]:
    return next(row for row in ledger.read(out / ledger.FILE) if row["id"] == id)


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Three PDFs, one of them in a folder, and a file that is none."""
    folder = tmp_path / "talks"
    (folder / "2024").mkdir(parents=True)
    spanish = pdf(LINES, Title="Ciencia", Author="Ana", CreationDate="D:20240131120000Z")
    (folder / "ciencia.pdf").write_bytes(spanish)
    (folder / "2024" / "Mi charla.PDF").write_bytes(pdf(LINES[:3]))
    english = ["The quick brown fox jumps over the lazy dog near the river", "Another day, another"]
    (folder / "english.pdf").write_bytes(pdf(english))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing of the kind")
    (folder / "notes.txt").write_text("not a PDF")
    return folder


def test_pdfs(talks: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "decks"
    result = cli("collect", talks, "--out", out, "--dpi", 72)
    assert result.code == 0
    folders = {folder.name: folder for folder in decks.folders(out)}
    assert len(folders) == 3 and "ciencia" in folders
    made = decks.read(folders["ciencia"])
    assert (made.title, made.author, made.date) == ("Ciencia", "Ana", "2024-01-31")
    assert made.transcript == LINES
    assert (made.len, made.numbers, made.dim) == (8, [1, 2, 3, 4, 5, 6, 7, 8], [300, 400])
    assert (made.lang, made.lang_detected) == (None, "es")
    assert Image.open(folders["ciencia"] / "slide_8.jpg").size == (400, 300)
    assert outcomes(out) == {
        "decks": {"kept": 3, "undecodable_media": 1},
        "slides": {"kept": 8 + 3 + 2},
    }
    assert "Data format error" in entry(out, "broken")["detail"]


def test_names_that_differ_in_case_alone_are_one_deck(tmp_path: Path, cli: Cli) -> None:
    """Some disks have one folder for both; no row is lost, and another run says the same."""
    (talks := tmp_path / "talks").mkdir()
    for name in ("Charla", "charla", "CHARLA"):
        (talks / f"{name}.pdf").write_bytes(pdf(LINES[:1]))
    out, said = tmp_path / "decks", []
    for _ in range(2):
        assert cli("collect", talks, "--out", out).code == 0
        assert [folder.name for folder in decks.folders(out)] == ["CHARLA"]
        assert outcomes(out)["decks"] == {"duplicate_id": 2, "kept": 1}
        said.append((out / ledger.FILE).read_bytes())
    assert said[0] == said[1] and "another case" in entry(out, "Charla~1")["detail"]


def test_the_dots_an_inch(talks: Path, tmp_path: Path, cli: Cli) -> None:
    cli("collect", talks / "ciencia.pdf", "--out", tmp_path / "decks", "--dpi", 144)
    assert decks.read(tmp_path / "decks" / "ciencia").dim == [600, 800]


def test_the_same_bytes_again(talks: Path, tmp_path: Path, cli: Cli) -> None:
    files = []
    for jobs in (1, 3):
        out = tmp_path / str(jobs)
        cli("collect", talks, "--out", out, "--jobs", jobs)
        paths = sorted(path for path in out.rglob("*") if path.is_file())
        files.append({str(path.relative_to(out)): path.read_bytes() for path in paths})
    assert files[0] == files[1]


def test_only_decks_in_a_language(talks: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "decks"
    result = cli("collect", talks, "--out", out, "--language", "es", "--json")
    assert result.json["decks"] == {"kept": 2, "undecodable_media": 1, "wrong_language": 1}
    assert result.json["slides"] == {"kept": 11, "wrong_language": 2}
    assert entry(out, "english")["detail"] == "en"


def test_decks_that_are_done_are_not_done_again(
    talks: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "decks"
    cli("collect", talks, "--out", out)
    before = (out / ledger.FILE).read_bytes()
    (out / "ciencia" / "ciencia.json").unlink()
    (out / "ciencia").rename(out / ".ciencia.part")  # as a kill before the last step leaves it
    asked: list[Path] = []
    real = pdfs.Rendered.__init__

    def watched(self: pdfs.Rendered, path: Path, folder: Path, dpi: int) -> None:
        asked.append(path)
        real(self, path, folder, dpi)

    monkeypatch.setattr(pdfs.Rendered, "__init__", watched)
    assert cli("collect", talks, "--out", out).code == 0
    assert [path.name for path in asked] == ["ciencia.pdf"]
    assert (out / ledger.FILE).read_bytes() == before


def test_a_pdf_that_kills_the_renderer_is_a_row(
    talks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setattr(pdfs, "SECONDS", -1)  # over before it begins, however slow this process is
    result = cli("collect", talks, "--out", tmp_path / "decks", "--json")
    assert result.json["decks"] == {"undecodable_media": 4}
    assert "not rendered in" in entry(tmp_path / "decks", "ciencia")["detail"]


def test_a_pdf_of_a_hundred_thousand_pages_is_bounded(
    talks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    kids = [f"[{f'{number} 0 R ' * times}]" for number, times in ((4, 100), (3, 1000))]
    small = pdf_of([
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count 100000 /Kids {kids[0]} >>",
        "<< /Type /Page /Parent 4 0 R /MediaBox [0 0 9 9] >>",
        f"<< /Type /Pages /Parent 2 0 R /Count 1000 /Kids {kids[1]} >>",
        "<< >>",
    ])  # fmt: skip
    (tmp_path / "many.pdf").write_bytes(small)
    rendered = pdfs.Rendered(tmp_path / "many.pdf", tmp_path, 36)
    assert len(small) < 10_000 and (rendered.pages, rendered.more) == (5000, 95_000)
    assert len(list(tmp_path.glob("*.jpg"))) == 5000
    monkeypatch.setattr(pdfs, "MAX_PAGES", 2)
    assert cli("collect", talks, "--out", tmp_path / "decks").code == 0
    rows = [
        r for r in ledger.read(tmp_path / "decks" / ledger.FILE) if "more than the 2" in r["detail"]
    ]
    assert {row["outcome"] for row in rows} == {"oversized_media"} and rows


def test_a_huge_page_gets_fewer_dots(tmp_path: Path, cli: Cli) -> None:
    body = pdf(LINES[:1]).replace(b"[0 0 400 300]", b"[0 0 14000 14000]")
    (tmp_path / "huge.pdf").write_bytes(body)
    cli("collect", tmp_path / "huge.pdf", "--out", tmp_path / "out", "--dpi", 600)
    height, width = decks.read(tmp_path / "out" / "huge").dim or []
    assert height * width < 2**25 * 1.01


# a line and two fields that are filled in: a text and a choice, without a picture of either
FORM = b"""%PDF-1.7
1 0 obj << /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R 7 0 R]
  /DR << /Font << /F1 4 0 R >> >> /NeedAppearances true >> >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 5 0 R
  /Resources << /Font << /F1 4 0 R >> >> /Annots [6 0 R 7 0 R] >> endobj
4 0 obj << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> endobj
5 0 obj << /Length 48 >> stream
BT /F1 12 Tf 20 250 Td (Solicitud de beca) Tj ET
endstream endobj
6 0 obj << /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Rosalia de Castro)
  /Rect [100 150 380 190] /F 4 /P 3 0 R /DA (/F1 24 Tf 0 g) >> endobj
7 0 obj << /Type /Annot /Subtype /Widget /FT /Ch /Ff 131072 /T (city) /Opt [(Padron) (Vigo)]
  /V (Padron) /Rect [100 80 380 120] /F 4 /P 3 0 R /DA (/F1 24 Tf 0 g) >> endobj
trailer << /Root 1 0 R /Size 8 >>
"""


@pytest.mark.parametrize("how", ["--object-streams=generate", "--generate-appearances"])
def test_form_fields_are_drawn_as_they_are_filled_in(tmp_path: Path, cli: Cli, how: str) -> None:
    written, form = tmp_path / "written.pdf", tmp_path / "form.pdf"
    written.write_bytes(FORM)
    encoders.run("qpdf", "--warning-exit-0", how, written, form)
    out = tmp_path / "decks"
    assert cli("collect", tmp_path / "form.pdf", "--out", out, "--dpi", 72).code == 0
    page = Image.open(out / "form" / "slide_1.jpg").convert("L")
    for top, bottom in ((110, 150), (180, 220)):  # from above, where the fields count from below
        assert page.crop((102, top, 240, bottom)).getextrema()[0] < 60
    assert decks.read(out / "form").transcript == ["Solicitud de beca\nRosalia de Castro Padron"]


def test_names_and_folders_do_not_collide(tmp_path: Path, cli: Cli) -> None:
    talks, names = tmp_path / "talks", ["a/b.pdf", "a--b.pdf", "a/b.PDF", "a--b c.pdf", "a/b c.pdf"]
    for number, name in enumerate(names, 1):
        (talks / name).parent.mkdir(parents=True, exist_ok=True)
        (talks / name).write_bytes(pdf(LINES[:number]))
    out = tmp_path / "decks"
    assert cli("collect", talks, "--out", out, "--json").json["decks"] == {"kept": 5}
    pages = {row["row"]: len(decks.read(out / row["id"]).numbers)
             for row in ledger.read(out / ledger.FILE) if row["split"] == "decks"}  # fmt: skip
    assert pages == {name: number for number, name in enumerate(names, 1)}
    assert (out / "a--b").is_dir() and entry(out, "a--b")["row"] == "a/b.pdf"
    assert decks.path_id("é/b") == decks.path_id(unicodedata.normalize("NFD", "é/b"))


def test_a_real_deck(tmp_path: Path, cli: Cli) -> None:
    path, out = real_pdf("es"), tmp_path / "decks"
    assert cli("collect", path, "--out", out, "--dpi", 60).code == 0
    made = decks.read(out / "packaging-tutorial.es")
    assert (made.len, made.date, made.lang_detected) == (90, "2021-11-03", "es")
    assert made.title == "Guía de creación de paquetes Debian"
    assert "Donde se realiza casi toda la" in made.text(9)  # PDFium marks a broken word there


# A folder of decks


def test_a_folder_in_the_raw_layout(tmp_path: Path, cli: Cli) -> None:
    raw, out = tmp_path / "raw", tmp_path / "decks"
    folder = deck(raw, "uno", LINES, likes=3)
    decks.write_pairs(folder, [pair(2, "¿Qué bombea el corazón?")])
    (folder / "slide_3.jpg").write_bytes(b"no picture")
    (folder / "slide_5.jpg").unlink()
    deck(raw, "..dos!", LINES[:3])
    (raw / "tres").mkdir()
    (raw / "tres" / "tres.json").write_text('{"title": 7}')
    assert cli("collect", raw, "--out", out).code == 0
    made = decks.read(out / "uno")
    assert (made.numbers, made.len, made.likes) == ([1, 2, 4, 6, 7, 8], 8, 3)
    assert decks.read_noted(out / "uno")[1][0].question == "¿Qué bombea el corazón?"
    found = outcomes(out)
    assert found["decks"] == {"kept": 2, "malformed_row": 1}
    assert found["slides"] == {"kept": 9, "wrong_kind": 1, "missing_media": 1}
    assert entry(out, "tres")["detail"].endswith(
        "no deck: title: Input should be a valid string (7). Collect it again."
    )
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == sorted(
        ["ledger.parquet", "uno", decks.safe_id("..dos!")]
    )


def test_questions_in_other_layouts() -> None:
    one = {"question": "¿Qué?", "answer": "Esto."}
    for value in ([one, [one, one]], {"1": one, "slide_2.jpg": [one, one]}):
        found, _ = decks.pairs_of(value, "d", [1, 2])
        assert [(p.slide, p.id) for p in found] == [(1, "d_1#1"), (2, "d_2#1"), (2, "d_2#2")]
    (found,), note = decks.pairs_of([{"question": 1}, "x", None, [[one]]], "d", [1, 2, 3, 4])
    assert found.slide == 4 and "3 of 4 entries are no question" in note


def test_slides_are_in_the_order_of_their_numbers() -> None:
    names = ["slide_10.jpg", "slide_2.jpg", "slide_1.JPEG", "qa_x.json", "slide_x.jpg"]
    assert [*decks.numbered(names)] == [1, 2, 10]


def test_half_characters_in_a_deck_are_told(tmp_path: Path, cli: Cli) -> None:
    folder = deck(tmp_path / "raw", "d", LINES[:3])
    file = folder / "d.json"
    file.write_text(file.read_text().replace("Deck d", "Deck \\ud83d"))
    result = cli("collect", tmp_path / "raw", "--out", tmp_path / "out", "--json")
    assert result.json["decks"] == {"malformed_row": 1}


DEVICES = ("con", "Nul.x")  # of Windows


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b", ".hidden", "", "x" * 500, "Ünï cödé", "a\0b", *DEVICES]
)
def test_ids_are_harmless(name: str) -> None:
    made = decks.safe_id(name)
    assert made and not made.startswith(".") and len(made) <= 100
    assert "/" not in made and made.isascii() and made.isprintable()
    assert made.partition(".")[0].lower() not in names.DEVICES


# A list of URLs


def test_a_list_of_urls(tmp_path: Path, cli: Cli) -> None:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(out, "PNG")
    pages = {
        "/talk/1.jpg": page(slide(LINES[0])), "/talk/2.png": page(out.getvalue()),
        "/talk/3.jpg": page(b"", 404), "/talk/4.jpg": page(b"<html>login</html>"),
        "/other/a.jpg": page(JPEG), "/papers/x.pdf": page(pdf(LINES[:4], Title="Ponencia")),
        "/gone.pdf": page(b"", 410),
    }  # fmt: skip
    with Site(pages) as site:
        order = ["/talk/1.jpg", "/talk/2.png", "/talk/3.jpg", "/talk/4.jpg", "/papers/x.pdf"]
        lines = [site.url + path for path in order]
        lines += [f"mine\t{site.url}/other/a.jpg", f"mine\t{site.url}/talk/1.jpg", "# a comment"]
        lines += [f"{site.url}/gone.pdf"]
        (tmp_path / "list.txt").write_text("\n".join(lines))
        cli("collect", tmp_path / "list.txt", "--out", tmp_path / "decks", "--intranet")
        asked = len(site.log)
        cli("collect", tmp_path / "list.txt", "--out", tmp_path / "decks", "--intranet")
        assert len(site.log) == asked  # nothing that failed may heal, so nothing is asked again
    made = {folder.name: decks.read(folder) for folder in decks.folders(tmp_path / "decks")}
    talk, paper = (next(d for id, d in made.items() if word in id) for word in ("talk", "papers"))
    assert talk.numbers == [1, 2]
    assert made["mine"].numbers == [1, 2]
    assert paper.title == "Ponencia" and paper.transcript == LINES[:4]
    assert paper.presentation_url == f"{site.url}/papers/x.pdf"
    found = outcomes(tmp_path / "decks")
    assert found["decks"] == {"kept": 3, "missing_media": 1}
    assert found["slides"]["kept"] == 2 + 2 + 4
    row = entry(tmp_path / "decks", f"{talk.id}_3")
    assert (row["outcome"], row["status"], row["url"]) == ("removed", 404, lines[2])
    assert entry(tmp_path / "decks", f"{talk.id}_4")["outcome"] == "wrong_kind"
    assert Image.open(tmp_path / "decks" / talk.id / "slide_2.jpg").format == "JPEG"


def test_what_may_heal_is_asked_for_again_and_nothing_else(tmp_path: Path, cli: Cli) -> None:
    with Site({"/a/1.jpg": page(JPEG), "/a/2.jpg": page(b"", 500)}) as site:
        (tmp_path / "list.txt").write_text(f"d\t{site.url}/a/1.jpg\nd\t{site.url}/a/2.jpg\n")
        line = ("collect", tmp_path / "list.txt", "--out", tmp_path / "decks", "--intranet")
        cli(*line)
        assert outcomes(tmp_path / "decks")["slides"] == {"kept": 1, "server_error": 1}
        site.pages["/a/2.jpg"] = page(slide(LINES[1]))
        cli(*line)
        assert site.count("/a/1.jpg") == 1
    assert outcomes(tmp_path / "decks")["slides"] == {"kept": 2}


def test_private_addresses_are_left_alone(tmp_path: Path, cli: Cli) -> None:
    with Site({"/1.jpg": page(JPEG)}) as site:
        (tmp_path / "list.txt").write_text(f"{site.url}/1.jpg")
        cli("collect", tmp_path / "list.txt", "--out", tmp_path / "decks")
        assert site.log == []
    assert outcomes(tmp_path / "decks")["slides"] == {"private_address": 1}


def test_mistakes_are_told_plainly(tmp_path: Path, cli: Cli) -> None:
    assert "no such folder" in cli("collect", tmp_path / "none", "--out", tmp_path / "o").err
    (tmp_path / "empty").mkdir()
    assert "no deck here" in cli("collect", tmp_path / "empty", "--out", tmp_path / "o").err
    (tmp_path / "list.txt").write_text("\n# nothing\n")
    assert "no URL in it" in cli("collect", tmp_path / "list.txt", "--out", tmp_path / "o").err


def test_the_record_of_a_deck_is_whole_before_its_name(tmp_path: Path) -> None:
    """A deck without its record is put together again; a record without its deck is none."""
    sheet = Desk(tmp_path, "test").sheet("d", "row")
    sheet.slide(1, JPEG)
    sheet.finish(decks.Deck("d"))
    assert Desk(tmp_path, "test").known("d")
    (tmp_path / "d").rename(tmp_path / ".d.part")
    assert not Desk(tmp_path, "test").known("d")
    record = tmp_path / ".collected" / "d.json"
    (tmp_path / ".d.part").rename(tmp_path / "d")
    record.write_text(record.read_text()[:20])
    assert not Desk(tmp_path, "test").known("d")
    assert json.loads((tmp_path / "d" / "d.json").read_text())["images"] == ["slide_1.jpg"]
