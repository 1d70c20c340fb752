"""What the tests of slides share: decks that are drawn, and the command line as a process."""

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from edge_glass.domains.slides import decks, llm_session, rate_limits
from edge_glass.domains.slides.decks import Deck, Pair

ROOT = Path(__file__).parents[2]
PDFS = os.environ.get("EDGE_GLASS_TEST_PDFS", "/usr/share/doc/packaging-tutorial")
NEEDED = """real decks: apt-get download packaging-tutorial,
dpkg-deb -x packaging-tutorial_*.deb DIR, then
EDGE_GLASS_TEST_PDFS=DIR/usr/share/doc/packaging-tutorial"""
LINES = [
    "La fotosíntesis convierte la luz del sol en energía química",
    "El corazón humano bombea unos cinco litros de sangre por minuto",
    "La muralla romana de Lugo mide más de dos kilómetros de largo",
    "Los volcanes submarinos forman islas nuevas en medio del océano",
    "Un telescopio de espejo recoge mucha más luz que uno de lente",
    "El puente colgante resiste el viento gracias a sus cables de acero",
    "La abeja reina pone hasta dos mil huevos cada día en primavera",
    "El tren de alta velocidad une Madrid con Sevilla en dos horas y media",
]


def real_pdf(language: str) -> Path:
    """A real deck in a language. Skips where it is not installed, but never in CI."""
    path = Path(PDFS) / f"packaging-tutorial.{language}.pdf"
    if not path.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing: {NEEDED}")
        pytest.skip(f"needs {NEEDED}")
    return path


def slide(text: str, number: int = 0, size: tuple[int, int] = (320, 240)) -> bytes:
    """A slide with a text and a bar somewhere, so that no two look alike."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for row, word in enumerate(text.split()):
        draw.text((20, 15 + 18 * row), word, fill="black")
    draw.rectangle((200, 20 + 25 * (number % 8), 300, 40 + 25 * (number % 8)), fill="navy")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def deck(root: Path, id: str, lines: list[str], **known: object) -> Path:
    """A deck with a slide for each line."""
    folder = root / id
    folder.mkdir(parents=True)
    made = Deck(id, title=f"Deck {id}", len=len(lines), transcript=lines, lang="es")
    for number, line in enumerate(lines, 1):
        (folder / decks.slide_file(number)).write_bytes(slide(line, number))
        made.images.append(decks.slide_file(number))
    made.lang_detected, made.dim = "es", [240, 320]
    for name, value in known.items():
        setattr(made, name, value)
    decks.write(folder, made)
    return folder


def pair(slide: int, question: str, answer: str = "Una respuesta entera.", **more: object) -> Pair:
    made = Pair(slide, question, answer, "docvqa")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def process(*arguments: object, **env: str) -> subprocess.Popen[str]:
    """`edge-glass` as a process of its own."""
    command = [sys.executable, "-m", "edge_glass", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | env
    )


def pdf(lines: list[str], **info: str) -> bytes:
    """A PDF with a page for each line, and a text layer."""
    pages = range(len(lines))
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in pages)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(lines)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, line in enumerate(lines):
        escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        text = f"BT /F1 12 Tf 20 {40 + 20 * number} Td ({escaped}) Tj ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 400 300]"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(text.encode('cp1252'))} >>\nstream\n{text}\nendstream")
    known = " ".join(f"/{name} ({value})" for name, value in info.items())
    return pdf_of([*objects, f"<< {known} >>"])


def pdf_of(objects: list[str]) -> bytes:
    """A PDF of these objects: the first one is its catalogue, the last one says what it is."""
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    start, count = len(out), len(objects) + 1
    out += f"xref\n0 {count}\n0000000000 65535 f \n{table}".encode()
    trailer = f"trailer\n<< /Size {count} /Root 1 0 R /Info {len(objects)} 0 R >>\n"
    return out + f"{trailer}startxref\n{start}\n%%EOF\n".encode()


def without_naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Rests between calls pass at once, on a clock of their own; the list gets their seconds."""
    naps: list[float] = []
    real, nap = rate_limits.clock, asyncio.sleep

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await nap(0)

    for module in (rate_limits, llm_session):
        monkeypatch.setattr(module, "sleep", sleep)
    monkeypatch.setattr(rate_limits, "clock", lambda: real() + sum(naps))
    return naps
