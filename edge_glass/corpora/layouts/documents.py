"""Questions about pages: DocVQA's JSON with pictures of pages, SlideVQA's lines with decks.

What asks says it by its keys; a picture is found by its name, wherever it lies. Boxes on the slides
of a deck, where there are lines of them, go with each question about it.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from edge_glass.core.ledger import Outcome
from edge_glass.core.row import JsonObject
from edge_glass.corpora.layouts import table_records, tables
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files, Record

ASKED = re.compile(r'\s*\{(.*"data"\s*:\s*\[\s*\{)?[^{}]*"(questionId|qa_id)"\s*:', re.DOTALL)
HEAD = 2**14  # bytes in which a question stands
PAGE = re.compile(r"(\d+)(?:-\d+)?\.\w+(?:\?.*)?$")  # title-12-1024.jpg is page 12


def fits(files: Files) -> bool:
    """Whether there are pictures, and JSON that begins with a question about them."""
    names = [*files.names()]
    asked = (n for n in names if tables.ending(n) in tables.JSON)
    return any(kind_of(n) == "image" for n in names) and any(_asks(files, n) for n in asked)


def records(files: Files) -> Iterator[Record]:
    """A record a question, with its page as `image`, or with all pages as `images`."""
    pictures: dict[str, str] = {}
    decks: dict[str, list[tuple[int, str]]] = {}
    for folder, names in files.folders():
        for name in (name for name in names if kind_of(name) == "image"):
            pictures.setdefault(PurePosixPath(name).stem, name)
            number = PAGE.search(name)
            deck = decks.setdefault(PurePosixPath(folder).name, [])
            deck.append((int(number[1]) if number else 0, name))
    with tempfile.TemporaryFile() as shelf:  # there may be too many boxes for memory
        places = _boxes(files, shelf)
        for name in (name for name in tables.names(files) if _asks(files, name)):
            for record in table_records.of_file(files, name):
                begin, length = places.get(str(record.values.get("deck_name")), (0, 0))
                shelf.seek(begin)
                record.values |= json.loads(shelf.read(length) or "{}")
                yield record if record.dropped else _question(record, pictures, decks)


def _boxes(files: Files, shelf: IO[bytes]) -> dict[str, tuple[int, int]]:
    """Where the boxes and the category of each deck are written, and how long that is."""
    places: dict[str, tuple[int, int]] = {}
    for name in (name for name in tables.names(files) if "bbox" in name):
        for said in (record.values for record in table_records.of_file(files, name)):
            if isinstance(pages := said.get("bboxes"), list):
                text = json.dumps({"boxes": pages, "category": said.get("category")})
                places[str(said.get("deck_name"))] = shelf.tell(), len(text)
                shelf.write(text.encode())
    return places


def _asks(files: Files, name: str) -> bool:
    with files.local(name) as path, path.open("rb") as file:
        return ASKED.match(file.read(HEAD).decode("utf-8-sig", errors="replace")) is not None


def _question(
    record: Record, pictures: dict[str, str], decks: dict[str, list[tuple[int, str]]]
) -> Record:
    said, lost = record.values, ""
    if "deck_name" in said:
        pages = sorted(decks.get(str(said["deck_name"]), ()))
        media: JsonObject = {"images": [name for _, name in pages] or None}
        media["pages"] = [number for number, _ in pages]  # slides may be gone from the web
        lost = "" if pages else f"deck {said['deck_name']}"
    elif isinstance(said.get("page_ids"), list):
        names = [pictures.get(str(id)) for id in said["page_ids"]]
        lost = ", ".join(
            str(i) for i, name in zip(said["page_ids"], names, strict=True) if not name
        )
        media = {"images": names}
    else:
        stem = PurePosixPath(str(said.get("image"))).stem
        media = {"image": pictures.get(stem)}
        lost = "" if media["image"] else stem
    id = said.get("questionId", said.get("qa_id"))
    dropped = (Outcome.MISSING_MEDIA, f"no picture of {lost}") if lost else None
    where = f"{record.folder}/{id}" if id is not None else record.where
    return Record(where, said | media, record.folder, dropped=dropped)
