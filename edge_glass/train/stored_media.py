"""Media that a Parquet file holds as they are: found there, and read when their row is wanted.

Bytes that are neither compressed nor in a dictionary stand in their pages one after another, each
behind its length (Parquet's PLAIN encoding). So a row costs one copy, from the file to the caller;
pyarrow makes two, and keeps a row group in memory.
"""

import os
import struct
import weakref
from typing import Any

import pyarrow.parquet as pq

LENGTH = struct.Struct("<I")
HEAD = 1024  # bytes: a header and levels of one run take less
DATA_PAGE, PLAIN, RLE = 0, 0, 3  # as parquet.thrift numbers them
TYPE, SIZE, STORED_SIZE, DATA_HEADER = 1, 2, 3, 5  # fields of a PageHeader
VALUES, ENCODING, LEVELS = 1, 2, 3  # fields of a DataPageHeader
# what pages of another kind, or damaged ones, end in; pyarrow then says what they are
UNLIKE = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError, struct.error)


class File:
    """A file that is open for as long as somebody has this."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # not __del__: weak references still give what is in there to another thread
        weakref.finalize(self, os.close, self.number).atexit = False


class Stored:
    """The values of a column in a row group, as places in the file."""

    def __init__(self, file: File, starts: list[int], sizes: list[int]) -> None:
        self._file, self._starts, self._sizes = file, starts, sizes

    def read(self, row: int) -> bytes:
        """The bytes of a row. Raises EOFError if the file has become shorter."""
        data = os.pread(self._file.number, self._sizes[row], self._starts[row])
        if len(data) != self._sizes[row]:
            raise EOFError("the file ends within a row")
        return data


def stored(file: File, chunk: pq.ColumnChunkMetaData, level: int) -> Stored | None:
    """Where the values of a column chunk are; None if only pyarrow can tell.

    `level` is the definition level of a value that is not null.
    """
    plain = chunk.physical_type == "BYTE_ARRAY" and chunk.compression == "UNCOMPRESSED"
    if not plain or chunk.has_dictionary_page:
        return None
    start, size = chunk.data_page_offset, chunk.total_compressed_size
    if hasattr(os, "posix_fadvise"):  # macOS has none
        os.posix_fadvise(file.number, start, size, os.POSIX_FADV_WILLNEED)
    try:
        return Stored(file, *_walk(file.number, start, chunk.num_values, level))
    except UNLIKE:
        return None


def _walk(file: int, at: int, rows: int, level: int) -> tuple[list[int], list[int]]:
    """Where values start, and their sizes, from the headers and lengths alone."""
    starts: list[int] = []
    sizes: list[int] = []
    while len(starts) < rows:
        head = os.pread(file, HEAD, at)
        header, begin = _struct(head, 0)
        page = header[DATA_HEADER]
        plain = (page[ENCODING], page[LEVELS]) == (PLAIN, RLE)
        if header[TYPE] != DATA_PAGE or header[SIZE] != header[STORED_SIZE] or not plain:
            raise ValueError("not of the kind that is read here")
        end = at + begin + header[SIZE]
        at += _no_nulls(head, begin, page[VALUES], level) if level else begin
        for _ in range(page[VALUES]):
            [size] = LENGTH.unpack(os.pread(file, LENGTH.size, at))
            starts.append(at + LENGTH.size)
            sizes.append(size)
            at += LENGTH.size + size
        if at != end:
            raise ValueError("values do not fill their page")
    if len(starts) != rows:
        raise ValueError("more values than rows")
    return starts, sizes


def _no_nulls(data: bytes, at: int, values: int, level: int) -> int:
    """Where the values begin, behind levels that are one run: the same for all."""
    [size] = LENGTH.unpack_from(data, at)
    run, value = _varint(data, at + LENGTH.size)
    at += LENGTH.size + size
    if run != values << 1 or data[value] != level or value + 1 != at:
        raise ValueError("some are null")
    return at


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol by field number, and where it ends."""
    found: dict[int, Any] = {}
    field = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = _signed(data, at)
        found[field], at = _value(data, at, head & 15)
    return found, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, at
    if kind in (4, 5, 6):
        return _signed(data, at)
    if kind == 8:  # a string, which nobody here asks for
        size, at = _varint(data, at)
        return None, at + size
    if kind == 12:
        return _struct(data, at)
    raise ValueError("a header that is not one of these pages")


def _signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := data[at]) >= 128:
        if shift > 56:
            raise ValueError("a number of more than 64 bits")
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
    return value | byte << shift, at + 1
