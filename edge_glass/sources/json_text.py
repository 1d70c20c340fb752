"""JSON of any size: the items of a list, or of lines, one in memory at a time."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, NoReturn

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
    with _opened(path) as text:
        yield from _items(text)


def _items(text: "_Text") -> Iterator[Any]:
    if text.next() == "[":
        yield from text.list()
    elif text.next() == "{":
        yield from _under_a_key(text)
    else:
        text.refuse()


def sized(path: Path) -> Iterator[tuple[int, Any]]:
    """The items of a file of lines, or of a list, each with how many characters it is written in.

    Raises EdgeGlassError or OSError as `items` and `lines` do.
    """
    if is_lines(path):
        texts = filter(str.strip, chunk_text.lines(path))
        yield from ((len(text), value(text)) for text in texts)
    else:
        with _opened(path) as text:
            yield from ((text.length, item) for item in _items(text))


def lists(path: Path) -> Iterator[tuple[str, Any]]:
    """Key and item, of each list that a JSON object has under a key; nothing of what is no object.

    Raises EdgeGlassError for damaged JSON.
    """
    with _opened(path) as text:
        for key in text.entries() if text.next() == "{" else ():
            if text.next() == "[":
                yield from ((key, item) for item in text.list())
            else:
                text.item(",}")


@contextmanager
def _opened(path: Path) -> Iterator["_Text"]:
    unpack = PACKED.get(path.suffix.lower(), lambda file: file)
    with path.open("rb") as file:
        bytes_ = unpack(file)
        yield _Text(path, io.TextIOWrapper(bytes_, "utf-8-sig", errors="surrogateescape"))


def _under_a_key(text: "_Text") -> Iterator[Any]:
    listed = ""
    for key in text.entries():
        if not (text.next() == "[" and text.objects()):
            text.item(",}")
        elif listed:
            both = f"{listed} and {key}"
            raise SourceError(f"{text.path}: lists of objects under {both}: leave one in it")
        else:
            listed = key
            yield from text.list()
    if not listed:
        text.refuse()


class _Text:
    """What is read of a file, and where in it the next value begins."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self.path, self._file, self._text, self._at = path, file, "", 0
        self.length = 0  # characters of the value that was taken last

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

    def list(self) -> Iterator[Any]:
        """The items of the list that comes next."""
        self.take("[")
        while self.next() != "]":
            yield self.item(",]")
            if self.next() == ",":
                self.take(",")
        self.take("]")

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
            self.length, self._at = end - self._at, end
            return item

    def refuse(self) -> NoReturn:
        """Raise the error of a file that is no list."""
        raise SourceError(f"{self.path}: expected a JSON list, found {self._text[:40]!a}")

    def _more(self, size: int) -> bool:
        block = self._file.read(size)
        self._text, self._at = self._text[self._at :] + block, 0
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


def value(line: str) -> Any:
    """What a line says in JSON; None if it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
