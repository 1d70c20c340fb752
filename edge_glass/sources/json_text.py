"""JSON of any size: the items of a list, or of lines, one in memory at a time."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NoReturn

from pydantic_core import from_json

from edge_glass.core.errors import SourceError
from edge_glass.sources import chunk_text
from edge_glass.sources.chunk_text import PACKED

BLOCK = 2**20  # characters read at a time
LONGEST = 2**24  # characters of one item
DECODER = json.JSONDecoder()
GAPS = re.compile(r"[ \t\r\n]*")
LIST = re.compile(r"\[[ \t\r\n]*([^ \t\r\n])")


def items(path: Path) -> Iterator[Any]:
    """The items of a JSON list, or of the one list of objects that an object has under a key.

    Raises EdgeGlassError if there is none, or more than one.
    """
    return chain.from_iterable(_items(path))


def _items(path: Path) -> Iterator[list[Any]]:
    with _opened(path) as text:
        if text.next() == "[":
            yield from text.items()
        elif text.next() == "{":
            yield from _under_a_key(text)
        else:
            text.refuse()


def blocks(path: Path) -> Iterator[list[Any]]:
    """The items of a file of lines, or of a list, about a megabyte of them at a time.

    Raises EdgeGlassError or OSError as `items` and `lines` do.
    """
    if not is_lines(path):
        return _items(path)
    return map(values, chunk_text.line_blocks(path))


def lists(path: Path) -> Iterator[tuple[str, Any]]:
    """Key and item, of each list that a JSON object has under a key; nothing of what is no object.

    Raises EdgeGlassError for damaged JSON.
    """
    with _opened(path) as text:
        for key in text.entries() if text.next() == "{" else ():
            if text.next() == "[":
                yield from ((key, item) for items in text.items() for item in items)
            else:
                text.item(",}")


@contextmanager
def _opened(path: Path) -> Iterator["_Text"]:
    unpack = PACKED.get(path.suffix.lower(), lambda file: file)
    with path.open("rb") as file:
        bytes_ = unpack(file)
        yield _Text(path, io.TextIOWrapper(bytes_, "utf-8-sig", errors="surrogateescape"))


def _under_a_key(text: "_Text") -> Iterator[list[Any]]:
    listed = ""
    for key in text.entries():
        if not (text.next() == "[" and text.objects()):
            text.item(",}")
        elif listed:
            both = f"{listed} and {key}"
            raise SourceError(f"{text.path}: lists of objects under {both}: leave one in it")
        else:
            listed = key
            yield from text.items()
    if not listed:
        text.refuse()


class _Text:
    """What is read of a file, and where in it the next value begins."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self.path, self._file, self._text, self._at = path, file, "", 0
        self._apart = False  # whether items that are here are taken one by one

    def next(self) -> str:
        """The character that comes next, gaps passed over; none at the end."""
        self._at = _after_gaps(self._text, self._at)
        while self._at == len(self._text) and self._more(BLOCK):
            self._at = _after_gaps(self._text, self._at)
        return self._text[self._at : self._at + 1]

    def take(self, character: str) -> None:
        """Go on behind this character."""
        if self.next() != character:
            self._damaged(f"no {character}")
        self._at += 1

    def entries(self) -> Iterator[str]:
        """The keys of the object that comes next; who asks for the next has taken its value."""
        self.take("{")
        while self.next() == '"':
            key = str(self.item(":"))
            self.take(":")
            yield key
            if self.next() != ",":
                break
            self.take(",")
        self.take("}")

    def items(self) -> Iterator[list[Any]]:
        """The items of the list that comes next, many at a time."""
        self.take("[")
        while self.next() != "]":
            yield self._objects() or [self.item(",]")]
            if self.next() == ",":
                self.take(",")
        self.take("]")

    def _objects(self) -> list[Any]:
        """The next items, where that much is here of a list of objects; else none.

        What is a list with a bracket at its end began with whole items.
        """
        end = 0 if self._apart else self._text.rfind("},", self._at) + 1
        if end > self._at:
            with suppress(ValueError, RecursionError):
                items: list[Any] = DECODER.decode(f"[{self._text[self._at : end]}]")
                self._at = end
                return items
        self._apart = True
        return []

    def objects(self) -> bool:
        """Whether the list that comes next is one of objects."""
        while not (opening := LIST.match(self._text, self._at)):
            if not self._more(BLOCK):
                return False
        return opening[1] == "{"

    def item(self, before: str) -> Any:
        """The value that comes next; one of the characters `before` must follow it."""
        more = BLOCK
        while True:
            try:
                item, end = DECODER.raw_decode(self._text, self._at)
                end = _after_gaps(self._text, end)
                if self._text[end : end + 1] not in [*before]:
                    raise ValueError("no comma after an item")
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at >= LONGEST or not self._more(more):
                    self._damaged(error)
                more *= 2
                continue
            self._at = end
            return item

    def refuse(self) -> NoReturn:
        """Raise the error of a file that is no list."""
        raise SourceError(f"{self.path}: expected a JSON list, found {self._text[:40]!a}")

    def _more(self, size: int) -> bool:
        block = self._file.read(size)
        self._text, self._at, self._apart = self._text[self._at :] + block, 0, False
        return bool(block)

    def _damaged(self, why: object) -> NoReturn:
        text = self._text[self._at : self._at + 40]
        raise SourceError(f"{self.path}: damaged JSON ({why}): {text!a}")


def _after_gaps(text: str, at: int) -> int:
    gap = GAPS.match(text, at)
    return gap.end() if gap else at


def is_lines(path: Path) -> bool:
    """Whether a file holds an object a line, and not one list or one object over all lines."""
    first, second = [*map(str.strip, islice(chunk_text.lines(path), 2)), "", ""][:2]
    if first.startswith("[") or ".json" not in path.suffixes:  # .jsonl, .ndjson
        return not first.startswith("[")
    whole = value(first)
    if not isinstance(whole, dict):
        return second == "" or isinstance(value(second), dict)
    return second != "" or not any(
        isinstance(each, list) and each and isinstance(each[0], dict) for each in whole.values()
    )


def lines(path: Path) -> Iterator[Any]:
    """The items of a file of JSON lines, packed or not; None for a line that is no JSON.

    Empty lines are none. Raises OSError where it cannot be unpacked on.
    """
    return map(value, filter(str.strip, chunk_text.lines(path)))


def values(lines: list[str]) -> list[Any]:
    """What each line that is not empty says in JSON; None if it is none."""
    return [*map(value, filter(str.strip, lines))]


def value(line: str) -> Any:
    """What a line says in JSON; None if it is none."""
    with suppress(ValueError, TypeError):  # it takes no half of a character, and is twice as fast
        return from_json(line)
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
