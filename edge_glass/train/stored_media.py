"""Media that a Parquet file holds as they are: found there, and read when their row is wanted.

Bytes that are neither compressed nor in a dictionary stand in their pages one after another, each
behind its length (Parquet's PLAIN encoding). So a row costs one copy, from the file to the caller;
pyarrow makes two, and keeps a row group in memory.
"""

import os
import struct
import weakref

import pyarrow.parquet as pq

from edge_glass.core import parquet_pages
from edge_glass.core.parquet_pages import DATA_HEADER, DATA_PAGE, SIZE, STORED_SIZE, TYPE

LENGTH = struct.Struct("<I")
HEAD = 1024  # bytes: a header and levels of one run take less
PLAIN, RLE = 0, 3  # as parquet.thrift numbers them
VALUES, ENCODING, LEVELS = 1, 2, 3  # fields of a DataPageHeader
# what pages of another kind, or damaged ones, end in; pyarrow then says what they are
UNLIKE = (*parquet_pages.UNLIKE, struct.error)


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

    def size(self, row: int) -> int:
        """How many bytes a row has."""
        return self._sizes[row]

    def read(self, row: int, start: int = 0, size: int | None = None) -> bytes:
        """Bytes of a row, all or `size` of them at most from `start` on.

        Raises EOFError if the file has become shorter.
        """
        there = max(0, self._sizes[row] - start)
        size = there if size is None else min(size, there)
        data = os.pread(self._file.number, size, self._starts[row] + start)
        if len(data) != size:
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
        header, begin = parquet_pages.struct(head, 0)
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
    run, value = parquet_pages.varint(data, at + LENGTH.size)
    at += LENGTH.size + size
    if run != values << 1 or data[value] != level or value + 1 != at:
        raise ValueError("some are null")
    return at
