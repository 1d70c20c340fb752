"""Media that a Parquet file holds as they are: found there, and read when their row is wanted.

Bytes that are neither compressed nor in a dictionary stand in their pages one after another, each
behind its length (Parquet's PLAIN encoding). So a row costs one copy, from the file to the caller;
pyarrow makes two, and keeps a row group in memory. Behind a URL the offset index says which page
holds a row, and that page alone is fetched.
"""

import os
import re
import struct
import weakref
from typing import Protocol

import pyarrow.parquet as pq

from edge_glass.core import parquet_pages
from edge_glass.core.parquet_pages import DATA_HEADER, DATA_PAGE, SIZE, STORED_SIZE, TYPE

LENGTH = struct.Struct("<I")
HEAD = 1024  # bytes: a header and levels of one run take less
PLAIN, RLE = 0, 3  # as parquet.thrift numbers them
VALUES, ENCODING, LEVELS = 1, 2, 3  # fields of a DataPageHeader
NUMBER = rb"([\x80-\xff]{0,4}[\0-\x7f])"
# the header of such a page without statistics and checksum, which nearly all are
USUAL = re.compile(
    rb"\x15\0\x15" + NUMBER + rb"\x15\1\x2c\x15" + NUMBER + rb"\x15\0\x15\x06\x15\x06\0\0",
    re.DOTALL,
)
# what pages of another kind, or damaged ones, end in; pyarrow then says what they are
UNLIKE = (*parquet_pages.UNLIKE, struct.error)


class Source(Protocol):
    """A file that is read from any place."""

    def pread(self, size: int, at: int) -> bytes:
        """So many bytes from a place on, fewer where the file ends."""


class File:
    """A file that is open for as long as somebody has this."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # not __del__: weak references still give what is in there to another thread
        weakref.finalize(self, os.close, self.number).atexit = False

    def pread(self, size: int, at: int) -> bytes:
        """See `Source`."""
        return os.pread(self.number, size, at)

    def expect(self, size: int, at: int) -> None:
        """Tell the system that these bytes will be read."""
        if hasattr(os, "posix_fadvise"):  # macOS has none
            os.posix_fadvise(self.number, at, size, os.POSIX_FADV_WILLNEED)


class Stored:
    """The values of a column in a row group, or in one of its pages, as places in the file."""

    def __init__(self, file: Source, starts: list[int], sizes: list[int]) -> None:
        self._file, self._starts, self._sizes = file, starts, sizes

    def size(self, row: int) -> int:
        """How many bytes a row has."""
        return self._sizes[row]

    def start(self, row: int) -> int:
        """Where in the file the bytes of a row begin."""
        return self._starts[row]

    def read(self, row: int, start: int = 0, size: int | None = None) -> bytes:
        """Bytes of a row, all or `size` of them at most from `start` on.

        Raises EOFError if the file has become shorter.
        """
        there = max(0, self._sizes[row] - start)
        size = there if size is None else min(size, there)
        data = self._file.pread(size, self._starts[row] + start)
        if len(data) != size:
            raise EOFError("the file ends within a row")
        return data


def stored(file: Source, chunk: pq.ColumnChunkMetaData, level: int) -> Stored | None:
    """Where the values of a column chunk are; None if only pyarrow can tell.

    `level` is the definition level of a value that is not null.
    """
    if not is_plain(chunk):
        return None
    start = chunk.data_page_offset
    return _located(file, start, start + chunk.total_compressed_size, chunk.num_values, level)


def in_page(
    file: Source,
    chunk: pq.ColumnChunkMetaData,
    level: int,
    page: parquet_pages.Location,
    end: int,
) -> Stored | None:
    """The same for one page of a chunk, of which nothing is read from `end` on."""
    start = chunk.data_page_offset
    is_inside = start <= page.at <= page.end <= start + chunk.total_compressed_size
    if not (is_plain(chunk) and is_inside and 0 <= page.first < page.last <= chunk.num_values):
        return None
    return _located(file, page.at, end, page.last - page.first, level)


def is_plain(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether values are bytes that stand in their pages one after another."""
    return chunk.physical_type == "BYTE_ARRAY" and is_unpacked(chunk)


def is_unpacked(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether values stand in their pages as they are."""
    return chunk.compression == "UNCOMPRESSED" and not chunk.has_dictionary_page


def _located(file: Source, at: int, end: int, rows: int, level: int) -> Stored | None:
    try:
        return Stored(file, *_walk(file, at, end, rows, level))
    except UNLIKE:
        return None


def _walk(file: Source, at: int, last: int, rows: int, level: int) -> tuple[list[int], list[int]]:
    """Where values start, and their sizes, from the headers and lengths alone, before `last`."""
    starts: list[int] = []
    sizes: list[int] = []
    while len(starts) < rows:
        head = file.pread(min(HEAD, last - at), at)
        size, values, begin = _header(head)
        end = at + begin + size
        first = _no_nulls(head, begin, values, level) if level else begin
        for number in range(values):
            here = first + LENGTH.size
            if at + here > last:
                raise ValueError("a value beyond the end")
            is_read = not number and here <= len(head)
            length = head[first:here] if is_read else file.pread(LENGTH.size, at + first)
            [size], first = LENGTH.unpack(length), here
            starts.append(at + first)
            sizes.append(size)
            first += size
        if at + first != end:
            raise ValueError("values do not fill their page")
        at = end
    if len(starts) != rows:
        raise ValueError("more values than rows")
    return starts, sizes


def _header(head: bytes) -> tuple[int, int, int]:
    """The bytes of a page, its values, and the bytes of its header."""
    if usual := USUAL.match(head):
        [size, values] = (parquet_pages.signed(part, 0)[0] for part in usual.groups())
        return size, values, usual.end()
    header, begin = parquet_pages.struct(head, 0)
    page = header[DATA_HEADER]
    plain = (page[ENCODING], page[LEVELS]) == (PLAIN, RLE)
    if header[TYPE] != DATA_PAGE or header[SIZE] != header[STORED_SIZE] or not plain:
        raise ValueError("not of the kind that is read here")
    return header[SIZE], page[VALUES], begin


def _no_nulls(data: bytes, at: int, values: int, level: int) -> int:
    """Where the values begin, behind levels that are one run: the same for all."""
    [size] = LENGTH.unpack_from(data, at)
    run, value = parquet_pages.varint(data, at + LENGTH.size)
    at += LENGTH.size + size
    if run != values << 1 or data[value] != level or value + 1 != at:
        raise ValueError("some are null")
    return at
