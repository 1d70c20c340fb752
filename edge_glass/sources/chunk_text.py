"""The text of a chunk, compressed or not, as far as it can be had."""

import bz2
import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from edge_glass.core.errors import SourceError
from edge_glass.core.libraries import pa
from edge_glass.sources.quoting import Quoting

REMEDY = "Get the file again from upstream, or take it out of the folder."
HEADER = 2**16  # bytes in which a header must end
HEAD = 2**16  # bytes read at least, to see how lines end


def _zstd(file: Any) -> Any:
    return pa.CompressedInputStream(file, "zstd")


PACKED: dict[str, Callable[[Any], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".zst": _zstd,
    ".zstd": _zstd,
}
TAB = "\t"
LINES = (".jsonl", ".ndjson", ".json")  # an object a line
BLOCK = 2**20  # bytes whose lines are given at a time
LONGEST = 2**24  # bytes that are searched for the end of a line


class Text(io.RawIOBase):
    """Whole lines. What cannot be decompressed ends the text after a whole line, with a `fault`."""

    def __init__(self, path: Path, quoting: Quoting | None = None) -> None:
        super().__init__()
        self._path, self._quoting = path, quoting
        self._under = path.open("rb")
        unpack = PACKED.get(path.suffix.lower())
        self._file: Any = unpack(self._under) if unpack else self._under
        self._lines = bytearray()
        self._start = b""  # what is read of the line after these
        self._started = self._ended = False
        self.ends_in_cr = False  # the lines, as on an old Mac
        self.fault = ""

    def readable(self) -> bool:
        """It is, for who asks."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes, or all; none at the end."""
        while not self._ended and (size < 0 or len(self._lines) < size):
            self._more(max(size, HEAD) if size > 0 else LONGEST)
        end = size if size >= 0 else len(self._lines)
        head = bytes(self._lines[:end])
        del self._lines[:end]
        return head

    def _more(self, size: int) -> None:
        try:
            data = self._file.read1(size)  # not `read`: it forgets what it had at a fault
        except (EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            self.fault, data = " ".join(str(error).split()), b""
            self._start = self._start[: self._start.rfind(b"\n") + 1]
        self._ended = not data
        if not self._started:
            self._started = True
            if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise SourceError(f"{self._path}: is in UTF-16: save it as UTF-8")
            self.ends_in_cr = b"\r" in data and b"\n" not in data
        block = self._start + (data.replace(b"\r", b"\n") if self.ends_in_cr else data)
        if self._ended and block and not block.endswith(b"\n"):
            block += b"\n"  # a last line without its end is a line all the same
        cut = len(block) if len(block) > LONGEST else block.rfind(b"\n") + 1
        lines, waiting = block[:cut], b""
        if self._quoting:
            lines, waiting = self._quoting.mend(lines, self._ended or cut > LONGEST)
            lines = self._quoting.readable(lines)
        self._lines += lines
        self._start = waiting + block[cut:]

    def close(self) -> None:
        """Close the file, and what it is packed in."""
        self._file.close()
        self._under.close()  # which a GzipFile leaves open
        super().close()


def lines(path: Path) -> Iterator[str]:
    """The lines of a text, one at a time; see `line_blocks`."""
    return chain.from_iterable(line_blocks(path))


def line_blocks(path: Path) -> Iterator[list[str]]:
    """The lines of a text, packed or not, about a megabyte of them at a time; see `whole_lines`."""
    return (text.removesuffix("\n").split("\n") for text in whole_lines(path))


def whole_lines(path: Path, size: int | None = None) -> Iterator[str]:
    """The text of lines, about so many bytes (or a megabyte) at a time; the last may lack its end.

    Other bytes than UTF-8 are surrogates. Raises OSError where it cannot be unpacked on.
    """
    decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
    rest = ""
    with Text(path) as stream:
        while block := stream.read(size or BLOCK):
            text = rest + decode(block)
            cut = text.rfind("\n") + 1
            cut = len(text) if len(text) - cut > LONGEST else cut
            text, rest = text[:cut], text[cut:]
            yield from filter(None, [text])
        yield from filter(None, [rest])
        if stream.fault:
            raise OSError(stream.fault)


def opened(path: Path, delimiter: str) -> tuple[list[str], Quoting]:
    """The header of a text table, and how its quotes are meant.

    Raises SourceError if it has none.
    """
    with Text(path) as stream:
        head = stream.read(HEADER)
    text = head.decode("utf-8-sig", errors="replace")
    try:
        header = next(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), [])
    except csv.Error:  # a quote is never closed, or not where a field ends
        line = Quoting(delimiter.encode(), 0).as_letters(
            text.partition("\n")[0].rstrip("\r").encode()
        )
        try:
            header = next(csv.reader([line.decode()], delimiter=delimiter))
        except csv.Error as error:
            raise SourceError(f"{path}: its first line is no header: {error}") from None
    return header, Quoting(delimiter.encode(), len(header)).weighed(head)


def ending(path: Path) -> str:
    """The suffix of a chunk, without that of its packing."""
    name = path.name.lower()
    return Path(name.removesuffix(next(filter(name.endswith, PACKED), ""))).suffix


def labelled(header: list[str]) -> list[str]:
    """A header whose columns all have a name; pandas writes its index without one."""
    return [name or f"column_{number}" for number, name in enumerate(header, 1)]
