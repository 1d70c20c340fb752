"""Pictures with annotations in one JSON a split: COCO's, VQA's, and Karpathy's splits of captions.

A file is read whole, as its lists refer to each other.
"""

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.tables import SPLIT

NUMBER = re.compile(r"(\d+)\.\w+$")
OBJECTS = re.compile(r'\s*\{.*"(images|questions)"\s*:\s*\[\s*\{', re.DOTALL)
LISTS = ("images", "annotations", "questions", "categories")


def fits(files: Files) -> bool:
    """Whether there is a JSON object with lists of images or of questions, and pictures."""
    names = [name for name in files.names() if name.endswith(".json")]
    pictures = any(kind_of(name) == "image" for name in files.names())
    return pictures and any(OBJECTS.match(files.text(name)) for name in names)


def records(files: Files) -> Iterator[Record]:
    """A record an image or, where there are questions, one a question; split by split."""
    pictures = _Pictures(files)
    groups: dict[str, dict[str, list[Any]]] = {}
    for name in tables.names(files):
        if name.endswith(".json"):
            for key, items in _lists(files, name).items():
                lists = groups.setdefault(_word(name), {key: [] for key in LISTS})
                lists[key] += (item for item in items if isinstance(item, dict))
    for split, lists in groups.items():
        read = _questions if lists["questions"] else _images
        yield from read(split, lists, pictures)


def _lists(files: Files, name: str) -> dict[str, list[Any]]:
    try:
        found = json.loads(files.text(name))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name}: damaged JSON ({error})") from None
    said = found if isinstance(found, dict) else {}
    return {key: said[key] for key in LISTS if isinstance(said.get(key), list)}


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


def _images(split: str, lists: dict[str, list[Any]], pictures: _Pictures) -> Iterator[Record]:
    kinds = {each.get("id"): each.get("name") for each in lists["categories"]}
    captions: dict[Any, list[str]] = {}
    objects: dict[Any, list[dict[str, Any]]] = {}
    for said in lists["annotations"]:
        if "caption" in said:
            captions.setdefault(said.get("image_id"), []).append(str(said["caption"]))
        elif "bbox" in said:
            one = {"category": kinds.get(said.get("category_id")), "bbox": said["bbox"]}
            one |= {key: said[key] for key in ("area", "iscrowd") if key in said}
            objects.setdefault(said.get("image_id"), []).append(one)
    seen = set()
    for image in lists["images"]:
        id = image.get("id", image.get("imgid"))
        if id in seen:  # the same in the file of captions and that of objects
            continue
        seen.add(id)
        file = str(image.get("file_name") or image.get("filename"))
        values = {k: v for k, v in image.items() if k not in ("sentences", "sentids", "id")}
        said = [str(each.get("raw")) for each in image.get("sentences") or ()]
        values |= {"captions": captions.get(id, said) or None, "objects": objects.get(id)}
        picture = pictures.find(split, file)
        yield _record(f"{split}/{id}", values, split, picture, file if pictures else None)


def _questions(split: str, lists: dict[str, list[Any]], pictures: _Pictures) -> Iterator[Record]:
    answers = {each.get("question_id"): each for each in lists["annotations"]}
    for question in lists["questions"]:
        said = answers.get(question.get("question_id"), {})
        values = dict(question) | {"answer": said.get("multiple_choice_answer")}
        values["answers"] = [str(each.get("answer")) for each in said.get("answers") or ()] or None
        values |= {key: said.get(key) for key in ("question_type", "answer_type")}
        number = question.get("image_id")
        picture = pictures.find(split, number) if isinstance(number, int | str) else None
        where = f"{split}/{question.get('question_id')}"
        yield _record(where, values, split, picture, str(number) if pictures else None)


def _record(
    where: str, values: dict[str, Any], split: str, picture: str | None, name: str | None
) -> Record:
    """Its `name` is that of a picture that must be there; where none are, URLs are fetched."""
    lost = (Outcome.MISSING_MEDIA, f"no picture {name}") if name and not picture else None
    return Record(where.lstrip("/"), values | {"image": picture}, split, dropped=lost)


def _word(name: str) -> str:
    """The word for a split anywhere in a path, as in `train2017/`."""
    found = SPLIT.search(name.lower())
    return found[1] if found else ""
