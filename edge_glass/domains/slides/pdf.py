"""A folder of PDFs, rendered at a number of dots an inch; their text layer is the transcript."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge_glass.core.extras import needs
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import JsonObject
from edge_glass.domains.slides import decks, render
from edge_glass.domains.slides.deck_store import Desk, Sheet
from edge_glass.domains.slides.decks import Deck
from edge_glass.domains.slides.render import MAX_PAGES, plain

SECONDS = 600.0  # that one document may take
MAX_BYTES = 500_000_000  # of one document


class Rendered:
    """What the renderer said of a document; its pages are pictures in a folder."""

    def __init__(self, pdf: Path, folder: Path, dpi: int) -> None:
        self.folder = folder
        command = [sys.executable, "-m", render.__name__, str(pdf), str(folder), str(dpi)]
        try:
            run = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
            said, self.fault = run.stdout, "" if run.returncode == 0 else _last(run.stderr)
            if run.returncode < 0:
                self.fault = f"the renderer died of signal {-run.returncode}"
        except subprocess.TimeoutExpired as late:
            said, self.fault = late.stdout or b"", f"not rendered in {SECONDS:.0f} s"
        lines = [json.loads(line) for line in said.split(b"\n")[:-1]]
        head: JsonObject = lines[0] if lines else {"pages": 0, "facts": {}}
        self.more = max(0, head["pages"] - MAX_PAGES)
        self.pages: int = head["pages"] - self.more
        self.facts: dict[str, str] = {k: plain(v) for k, v in head["facts"].items()}
        self.said = {line["page"]: line for line in lines[1:]}

    def put(self, sheet: Sheet, first: int = 1) -> list[str]:
        """Put the pages down as slides `first` and on; the text of each."""
        texts = []
        for page in range(1, self.pages + 1):
            said = self.said.get(page, {"fault": self.fault})
            if "fault" in said:
                sheet.lost(first + page - 1, Outcome.UNDECODABLE_MEDIA, said["fault"])
            else:
                sheet.slide(first + page - 1, (self.folder / f"{page}.jpg").read_bytes())
            texts.append(said.get("text", ""))
        if self.more:  # as many as a document claims to have, without a row for each
            detail = f"{self.more} pages more than the {MAX_PAGES} that are rendered"
            sheet.lost(first + self.pages, Outcome.OVERSIZED_MEDIA, detail)
        return texts


def describe(deck: Deck, rendered: Rendered) -> None:
    """Say of a deck what its document says of itself."""
    said = rendered.facts
    deck.title, deck.author = said.get("Title") or None, said.get("Author") or None
    deck.date, deck.description = date(said.get("CreationDate", "")), said.get("Subject") or None


def date(text: str) -> str | None:
    """A PDF's `D:20211103193303Z` as `2021-11-03`."""
    match = re.match(r"(?:D:)?(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", text)
    return "-".join(match.groups()) if match else None


def check() -> None:
    """Raise EdgeGlassError if PDFs cannot be read here."""
    needs("Reading PDFs", "qa", "pypdfium2")


def collect(desk: Desk, folder: Path, dpi: int, jobs: int) -> Iterator[str]:
    """Make a deck of each PDF under a folder (or of one file); gives each id as it is done."""
    check()
    if folder.is_file():
        files, root = [folder], folder.parent
    else:
        root = folder
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".pdf" and p.is_file())
    wanted: list[tuple[Sheet, Path]] = []
    for path in files:
        name = path.relative_to(root)
        id = decks.path_id(name.as_posix().removesuffix(".pdf"))
        if desk.known(id) and desk.take(id):
            yield id
        else:
            wanted.append((desk.sheet(id, name.as_posix()), path))
    with ThreadPoolExecutor(jobs) as threads:
        yield from threads.map(lambda item: _one(item[0], item[1], dpi), wanted)


def _one(sheet: Sheet, path: Path, dpi: int) -> str:
    if path.stat().st_size > MAX_BYTES:
        sheet.drop(Outcome.OVERSIZED_MEDIA, f"{path.stat().st_size} bytes")
        return sheet.id
    with tempfile.TemporaryDirectory() as folder:
        rendered = Rendered(path, Path(folder), dpi)
        if not rendered.pages:
            sheet.drop(Outcome.UNDECODABLE_MEDIA, rendered.fault or "no pages")
            return sheet.id
        deck = Deck(sheet.id, len=rendered.pages, transcript=rendered.put(sheet))
        describe(deck, rendered)
        sheet.finish(deck)
    return sheet.id


def _last(words: bytes) -> str:
    lines = words.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "the renderer failed"
