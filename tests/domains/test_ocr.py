"""Decks that were scanned: what stands on their pages is read off the pictures, and said to be."""

import io
from importlib.metadata import version
from pathlib import Path

import encoders
import pytest
from kit import Cli, rows
from PIL import Image
from slidekit import pdf

import edge_glass as eg
from edge_glass.core.errors import ConfigError
from edge_glass.domains.slides import decks

pytest.importorskip("rapidocr")
SAID = ["The mitochondrion", "makes energy for the cell"]


@pytest.fixture
def scanned(tmp_path: Path) -> Path:
    """A scanned page, an empty one, and one with a text layer."""
    pages = [tmp_path / f"{name}.pdf" for name in ("scan", "blank", "typed")]
    words = ("-pointsize", 60, "-fill", "black", "-gravity", "center", "-annotate", "+0+0")
    blank = ("-size", "1200x800", "xc:white")
    for page, drawn in zip(pages, ([*words, "\n".join(SAID)], []), strict=False):
        jpeg = encoders.run("convert", *blank, *drawn, "-quality", 80, "jpeg:-")
        Image.open(io.BytesIO(jpeg)).save(page)  # Debian's ImageMagick may write no PDF
    pages[2].write_bytes(pdf(["This page has a text layer of its own"]))
    (folder := tmp_path / "in").mkdir()
    several = ("--warning-exit-0", "--empty", "--pages", *pages, "--", folder / "talk.pdf")
    encoders.run("qpdf", *several)
    return folder


def test_a_scanned_page_is_read_and_says_by_what(scanned: Path, tmp_path: Path, cli: Cli) -> None:
    out, by = tmp_path / "decks", f"rapidocr {version('rapidocr')}"
    assert cli("collect", scanned, "--out", out, "--dpi", 100, "--ocr").code == 0
    deck = decks.read(out / "talk")
    assert deck.transcript[0].splitlines() == SAID
    assert deck.transcript[1:] == ["", "This page has a text layer of its own"]
    assert [deck.text_by(number) for number in (1, 2, 3)] == [by, None, None]
    assert deck.lang_detected == "en"
    options = {"progress": False, "test": 1.0, "validation": 0.0}
    [row] = rows(eg.build("slides_qa", tmp_path / "data", raw=out, **options).folder).values()
    assert row["transcript"] == deck.transcript and row["transcript_by"] == [by, None, None]


def test_without_being_asked_nothing_is_read(scanned: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("collect", scanned, "--out", tmp_path / "decks", "--dpi", 100).code == 0
    bare = decks.read(tmp_path / "decks" / "talk")
    assert bare.transcript[:2] == ["", ""] and bare.transcript_by == []
    # a folder of decks that were collected without is taken over with it
    assert cli("collect", tmp_path / "decks", "--out", tmp_path / "read", "--ocr").code == 0
    assert decks.read(tmp_path / "read" / "talk").transcript[0].splitlines() == SAID


def test_what_is_missing_is_said_before_a_page_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_glass.core import extras
    from edge_glass.domains.slides.ocr import Ocr

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"--ocr needs rapidocr, onnxruntime.*\[ocr\]"):
        Ocr()
