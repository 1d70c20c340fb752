"""Text files cut between lines into pieces, each of which a process of its own can read."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from edge_glass.core.libraries import np
from edge_glass.sources import chunk_text, json_text

PIECE = 2**23  # bytes, about


@dataclass(frozen=True)
class Span:
    """Some bytes of a file, and the number of the first line in them."""

    start: int = 0
    stop: int = 0
    line: int = 1


WHOLE = Span()  # of a file of any size


def spans(path: Path, empty: bool) -> tuple[Span, ...]:
    """The pieces of a text, in order; one that is packed, or has no such lines, is one piece.

    `empty`: whether lines without text have a number, too.
    """
    if path.suffix.lower() in chunk_text.PACKED:
        return (WHOLE,)
    stat = path.stat()
    return _spans(path, stat.st_size, stat.st_mtime_ns, empty)


@lru_cache(16)
def _spans(path: Path, size: int, mtime_ns: int, empty: bool) -> tuple[Span, ...]:
    pieces, start, line = [], 0, 1
    with chunk_text.Text(path) as head:
        head.read(1)
        if head.ends_in_cr:
            return (WHOLE,)
    with path.open("rb") as file:
        while size > PIECE and (block := file.read(PIECE)):
            block += (rest := file.readline(chunk_text.LONGEST - PIECE))
            stop = start + len(block)
            if stop < size and not rest.endswith(b"\n"):  # a line as long as this is cut elsewhere
                return (WHOLE,)
            pieces.append(Span(start, stop, line))
            text = block if start else block.removeprefix(codecs.BOM_UTF8)
            start, line = stop, line + _lines(text, empty)
    return tuple(pieces) or (WHOLE,)


def _lines(block: bytes, empty: bool) -> int:
    data = np.frombuffer(block, np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(data == ord("\n")) + 1])
    starts = starts[starts < len(data)]
    first = data[starts]
    odd = [] if empty else starts[(first <= ord(" ")) | (first > ord("~"))].tolist()
    return len(starts) - sum(_is_empty(block, start) for start in odd)


def _is_empty(block: bytes, start: int) -> bool:
    end = block.find(b"\n", start)
    return not block[start : end if end >= 0 else None].decode(errors="replace").strip()


def items(path: Path, span: Span) -> Iterator[tuple[int, Any]]:
    """Number and value of each line of JSON that is not empty, as `json_text.lines` gives them."""
    return ((number, json_text.value(line)) for number, line in lines(path, span, False))


def lines(path: Path, span: Span, empty: bool) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a piece; a byte that is not UTF-8 is a lone surrogate.

    Raises OSError where it cannot be unpacked on.
    """
    texts = chunk_text.lines(path) if span == WHOLE else _texts(path, span)
    yield from enumerate(texts if empty else filter(str.strip, texts), span.line)


def _texts(path: Path, span: Span) -> list[str]:
    with path.open("rb") as file:
        file.seek(span.start)
        data = file.read(span.stop - span.start)
    text = data.decode("utf-8" if span.start else "utf-8-sig", errors="surrogateescape")
    return text.removesuffix("\n").split("\n")
