"""A list of URLs, of pictures and of PDFs, through the fetch engine.

A line is a URL, or a deck's name, a tab and a URL. Pictures without a name belong to the deck of
their host and folder, in the order of the list; a PDF without one is a deck of its own.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.domains.slides import decks, pdf
from edge_glass.domains.slides.deck_store import Desk, Sheet
from edge_glass.domains.slides.decks import Deck
from edge_glass.media import magic
from edge_glass.sources.responses import Answer
from edge_glass.sources.row_fetch import Limits
from edge_glass.sources.web import Web

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff")
AT_ONCE = 8  # decks
MAX_BYTES = 100_000_000  # of one file


def listed(path: Path) -> dict[str, list[str]]:
    """The URLs of a list by deck. Raises EdgeGlassError if there is none."""
    urls: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, tab, url = line.strip().rpartition("\t")
        if url and not url.startswith("#"):
            urls.setdefault(decks.safe_id(name if tab else _deck(url)), []).append(url.strip())
    if not urls:
        raise SourceError(f"{path}: no URL in it: a line is a URL, or a name, a tab and a URL")
    return urls


def _deck(url: str) -> str:
    parts = urlsplit(url)
    path = PurePosixPath(unquote(parts.path))
    is_picture = path.suffix.lower() in PICTURES
    return f"{parts.netloc}{path.parent if is_picture else path.with_suffix('')}"


async def collect(desk: Desk, path: Path, dpi: int, limits: Limits) -> AsyncIterator[str]:
    """Make the decks that a list names; gives each id as it is done."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(id: str, urls: list[str], web: Web) -> str:
        async with gate:
            if desk.known(id):
                desk.take(id)
            else:
                await _one(desk.sheet(id, path.name), urls, web, dpi)
        return id

    async with Web(limits, max_bytes=MAX_BYTES) as web:
        tasks = [asyncio.create_task(one(id, urls, web)) for id, urls in listed(path).items()]
        for done in asyncio.as_completed(tasks):
            yield await done


async def _one(sheet: Sheet, urls: list[str], web: Web, dpi: int) -> None:
    deck, first = Deck(sheet.id), 1
    if len(urls) == 1:
        deck.presentation_url = urls[0]
    for url in urls:
        if sheet.has(first):
            first += 1
            continue
        answer = await web.get(url)
        if answer.kind == "application/pdf":
            first += await asyncio.to_thread(_document, sheet, deck, answer, first, dpi)
        else:
            put(sheet, first, answer)
            first += 1
    deck.len = max(deck.len, first - 1)
    deck.transcript += [""] * (deck.len - len(deck.transcript))
    sheet.finish(deck)


def put(sheet: Sheet, number: int, answer: Answer) -> None:
    """Put down what a URL gave as a slide."""
    if answer.dropped:
        sheet.lost(number, *answer.dropped, answer)
    elif not (answer.kind or "").startswith("image/"):
        what = magic.looks_like(answer.body)
        sheet.lost(number, Outcome.WRONG_KIND, what, answer)
    else:
        sheet.slide(number, answer.body, answer)


def _document(sheet: Sheet, deck: Deck, answer: Answer, first: int, dpi: int) -> int:
    """Put down the pages of a PDF; their number."""
    pdf.check()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "document.pdf"
        file.write_bytes(answer.body)
        rendered = pdf.Rendered(file, Path(folder), dpi)
        if not rendered.pages:
            sheet.lost(first, Outcome.UNDECODABLE_MEDIA, rendered.fault or "no pages", answer)
            return 1
        deck.transcript += [""] * (first - 1 - len(deck.transcript))
        deck.transcript += rendered.put(sheet, first)
        if first == 1:
            pdf.describe(deck, rendered)
        return rendered.pages + bool(rendered.more)
