"""Pictures with annotations in one JSON a split: COCO's, VQA's, and Karpathy's splits."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import JsonObject
from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.tables import SPLIT
from edge_glass.sources import json_text

NUMBER = re.compile(r"(\d+)\.\w+$")
IDS = ("id", "image_id", "question_id", "category_id")  # that join lists, and are not published
OWNERS, ANNOTATIONS = ("images", "questions"), "annotations"
ROWS = 5000  # on their way at a time
Item = JsonObject


def fits(files: Files) -> bool:
    """Whether there is a JSON object with lists of images or of questions, and pictures."""
    names = [name for name in files.names() if name.endswith(".json")]
    pictures = any(kind_of(name) == "image" for name in files.names())
    return pictures and any(map(partial(_has_owners, files), names))


def _has_owners(files: Files, name: str) -> bool:
    with suppress(SourceError), files.local(name) as path:
        return any(key in OWNERS and isinstance(item, dict) for key, item in json_text.lists(path))
    return False


def records(files: Files) -> Iterator[Record]:
    """A record an image or, where there are questions, one a question; split by split."""
    pictures, groups = _Pictures(files), dict[str, list[str]]()
    for name in tables.names(files):
        if name.endswith(".json"):
            groups.setdefault(_word(name), []).append(name)
    for split, names in groups.items():
        with TemporaryDirectory() as folder, closing(_Lists(Path(folder))) as lists:
            for name in names:
                with files.local(name) as path:
                    lists.add(json_text.lists(path))
            owners, key = ("questions", "question") if lists.asked else ("images", "image")
            for owner, notes in lists.joined(owners, key):
                if lists.asked:
                    yield _question(split, owner, notes, pictures)
                else:
                    yield _image(split, owner, notes, lists, pictures)
            for id, count in lists.unlisted(owners, key):
                why = f"no list of {owners} has {key}_id {id} of {count} annotations"
                lost = (Outcome.MISSING_MEDIA, why)
                where = f"{split}/annotations of {key} {id}".lstrip("/")
                yield Record(where, {}, split, dropped=lost)


class _Lists:
    """The lists of one split's files, joined in a database: what is in memory is a part of them."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "lists", check_same_thread=False)
        self._waiting = list[tuple[str, str | None, str | None, str]]()
        self.categories, self.licences = dict[str | None, Any](), dict[str | None, Any]()
        self.asked = False
        self._connection.execute("PRAGMA journal_mode = off")  # nothing of it outlives a crash
        self._connection.execute("CREATE TABLE items (list, image, question, said)")
        self.close = self._connection.close

    def add(self, items: Iterator[tuple[str, Any]]) -> None:
        """Take the items of a file."""
        for key, item in items:
            if not isinstance(item, dict):
                continue
            if key == "categories":
                self.categories[_key(item.get("id"))] = item.get("name")
            elif key == "licenses":
                self.licences[_key(item.get("id"))] = item.get("url") or item.get("name")
            elif key in (*OWNERS, ANNOTATIONS):
                self.asked |= key == "questions"
                is_image = key == "images"
                image = item.get("id", item.get("imgid")) if is_image else item.get("image_id")
                ids = (_key(image), _key(item.get("question_id")))
                self._waiting.append((key, *ids, json.dumps(item)))
                if len(self._waiting) == ROWS:
                    self._write()
        self._write()

    def _write(self) -> None:
        self._connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", self._waiting)
        self._waiting = []

    def joined(self, owners: str, key: str) -> Iterator[tuple[Item, list[Item]]]:
        """Each image or question, in source order, with its annotations in theirs.

        An image that stands in the files of captions and of objects is one, and so is a question
        of two files: those of VQA's test-dev are in test, too.
        """
        self._connection.execute(f"CREATE INDEX by_key ON items (list, {key})")
        rows = self._connection.execute(f"""
            SELECT owners.place, owners.said, notes.said FROM (
                SELECT min(rowid) AS place, said, {key} FROM items WHERE list = '{owners}'
                GROUP BY coalesce({key}, rowid)
            ) AS owners
            LEFT JOIN items AS notes ON notes.list = '{ANNOTATIONS}' AND notes.{key} = owners.{key}
            ORDER BY owners.place, notes.rowid
        """)
        for _, group in groupby(rows, itemgetter(0)):
            several = [*group]
            notes = [json.loads(each) for *_, each in several if each is not None]
            yield json.loads(several[0][1]), notes

    def unlisted(self, owners: str, key: str) -> Iterator[tuple[str, int]]:
        """The ids, as JSON, that annotations have and no image or question; how many have each."""
        rows = self._connection.execute(f"""
            SELECT {key}, count(*) FROM items AS notes WHERE list = '{ANNOTATIONS}' AND NOT EXISTS (
                SELECT 1 FROM items WHERE list = '{owners}' AND {key} = notes.{key}
            ) GROUP BY {key} ORDER BY min(rowid)
        """)
        return ((id or "(none)", count) for id, count in rows)


def _key(value: Any) -> str | None:
    """What an id is joined by: 1.0 is 1; a list, an object or nothing is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value) if isinstance(value, int | float | str) else None


class _Pictures:
    """The pictures by their name, or the number in it; those of a split first."""

    def __init__(self, files: Files) -> None:
        self._by_key: dict[tuple[str, str | int], str] = {}
        for name in files.names():
            if kind_of(name) == "image":
                file, number = PurePosixPath(name).name, NUMBER.search(name)
                keys: list[str | int] = [file, *([int(number[1])] if number else [])]
                for key in keys:
                    self._by_key.setdefault((_word(name), key), name)
                    self._by_key.setdefault(("", key), name)

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, split: str, key: str | int) -> str | None:
        """The picture of this name or number."""
        return self._by_key.get((split, key)) or self._by_key.get(("", key))


def _image(
    split: str, image: Item, notes: list[Item], lists: _Lists, pictures: _Pictures
) -> Record:
    captions = [str(each["caption"]) for each in notes if "caption" in each]
    objects: dict[Any, Item] = {}  # by their ids: keypoints are of the objects of another file
    for place, each in enumerate(notes):
        if "caption" not in each and "bbox" in each:
            one = {"category": lists.categories.get(_key(each.get("category_id")))}
            one |= {key: value for key, value in each.items() if key not in IDS}
            objects.setdefault(_key(each.get("id")) or place, {}).update(one)
    file = str(image.get("file_name") or image.get("filename"))
    values = {k: v for k, v in image.items() if k not in ("sentences", "sentids", "id")}
    number = image.get("license")
    if lists.licences and (known := _key(number)):  # what the file says of it by its number
        values |= {"license": lists.licences.get(known), "license_id": number}
    captions = captions or [str(each.get("raw")) for each in image.get("sentences") or ()]
    values |= {"captions": captions or None, "objects": [*objects.values()] or None}
    picture = pictures.find(split, file)
    where = f"{split}/{next((image[k] for k in ('id', 'imgid') if _key(image.get(k))), file)}"
    return _record(where, values, split, picture, file if pictures else None)


def _question(split: str, question: Item, answers: list[Item], pictures: _Pictures) -> Record:
    said = answers[-1] if answers else {}
    values = question | {"answer": said.get("multiple_choice_answer")}
    values["answers"] = [str(each.get("answer")) for each in said.get("answers") or ()] or None
    values |= {key: said.get(key) for key in ("question_type", "answer_type")}
    number = question.get("image_id")
    picture = pictures.find(split, number) if isinstance(number, int | str) else None
    where = f"{split}/{question.get('question_id')}"
    return _record(where, values, split, picture, str(number) if pictures else None)


def _record(
    where: str, values: JsonObject, split: str, picture: str | None, name: str | None
) -> Record:
    """Its `name` is that of a picture that must be there; where none are, URLs are fetched."""
    lost = (Outcome.MISSING_MEDIA, f"no picture {name}") if name and not picture else None
    return Record(where.lstrip("/"), values | {"image": picture}, split, dropped=lost)


def _word(name: str) -> str:
    """The word for a split anywhere in a path, as in `train2017/`."""
    match = SPLIT.search(name.lower())
    return match[1] if match else ""
