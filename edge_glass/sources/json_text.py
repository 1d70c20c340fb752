"""JSON of any size: the items of a list, or of lines, one in memory at a time."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from edge_glass.core.errors import SourceError
from edge_glass.sources.chunk_text import Text

BLOCK = 2**20  # characters read at a time
LONGEST = 2**24  # characters of one item
DECODER = json.JSONDecoder()
GAPS = re.compile(r"[ \t\r\n]*")


def items(path: Path) -> Iterator[Any]:
    """The items of a JSON list. Raises EdgeGlassError if it is none."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        text = file.read(BLOCK)
        at = _after_gaps(text, 0)
        if text[at : at + 1] != "[":
            raise SourceError(f"{path}: expected a JSON list, found {text[:40]!a}")
        at, more = _after_gaps(text, at + 1), BLOCK
        while text[at : at + 1] != "]":
            try:
                item, end = _item(text, at)
            except (ValueError, RecursionError) as error:
                block = file.read(more) if len(text) - at < LONGEST else ""
                if not block:
                    found = text[at : at + 40]
                    raise SourceError(f"{path}: damaged JSON ({error}): {found!a}") from None
                text, more = text[at:] + block, 2 * more
                at = _after_gaps(text, 0)
                continue
            yield item
            at, more = _after_gaps(text, end + (text[end] == ",")), BLOCK


def _item(text: str, at: int) -> tuple[Any, int]:
    """The item that begins there, and where the comma or bracket after it stands."""
    item, end = DECODER.raw_decode(text, _after_gaps(text, at))
    end = _after_gaps(text, end)
    if text[end : end + 1] not in (",", "]"):
        raise ValueError("no comma after an item")
    return item, end


def _after_gaps(text: str, at: int) -> int:
    found = GAPS.match(text, at)
    return found.end() if found else at


def lines(path: Path) -> Iterator[Any]:
    """The items of a file of JSON lines, packed or not; None for a line that is no JSON.

    Empty lines are none. Raises OSError where it cannot be unpacked on.
    """
    with Text(path) as stream:
        bytes_ = cast("IO[bytes]", stream)
        file = io.TextIOWrapper(bytes_, "utf-8-sig", errors="surrogateescape", newline="\n")
        while line := file.readline(LONGEST):
            if line.strip():
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    yield None
        if stream.fault:
            raise OSError(stream.fault)
