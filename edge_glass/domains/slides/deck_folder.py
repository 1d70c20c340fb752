"""A folder of decks in the raw layout, taken over: every slide is decoded, every row is counted."""

from collections.abc import Iterator
from pathlib import Path

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.domains.slides import decks
from edge_glass.domains.slides.deck_store import Desk

MAX_BYTES = 2**28  # of one slide
MAX_SLIDES = 10_000  # of one deck that are looked for


def collect(desk: Desk, root: Path) -> Iterator[str]:
    """Take over each deck under a folder; gives each id as it is done."""
    for folder in decks.folders(root):
        id = decks.safe_id(folder.name)
        if not (desk.known(id) and desk.take(id)):
            _one(desk, folder, id)
        yield id


def _one(desk: Desk, folder: Path, id: str) -> None:
    sheet = desk.sheet(id, folder.name)
    try:
        deck, pairs, notes = decks.read_noted(folder)
    except EdgeGlassError as error:
        return sheet.drop(Outcome.MALFORMED_ROW, str(error))
    except Dropped as drop:
        return sheet.drop(drop.outcome, drop.detail)
    files = decks.numbered(deck.images)
    count = min(max(deck.len, len(deck.transcript), len(deck.mostRead)), MAX_SLIDES)
    for number in sorted({*files, *range(deck.first, deck.first + count)}):
        path = folder / files.get(number, "")
        if number not in files:
            sheet.lost(number, Outcome.MISSING_MEDIA, f"no {decks.slide_file(number)}")
        elif path.stat().st_size > MAX_BYTES:
            sheet.lost(number, Outcome.OVERSIZED_MEDIA, f"{path.stat().st_size} bytes")
        else:
            sheet.slide(number, path.read_bytes())
    if pairs:
        sheet.questions(pairs)
    deck.id = sheet.id
    sheet.finish(deck, "; ".join(notes))
    return None
