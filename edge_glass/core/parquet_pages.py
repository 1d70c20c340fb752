"""The headers of Parquet's pages, which say what a column takes before any of it is unpacked.

And the offset index, which says where the page of a row is.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

HEADS = 1024, 2**20  # bytes that are read of a header; one with statistics can be long
DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = 0, 2, 3  # as parquet.thrift numbers them
TYPE, SIZE, STORED_SIZE, DATA_HEADER = 1, 2, 3, 5  # fields of a PageHeader
PAGE_HEADERS = {DATA_PAGE: DATA_HEADER, DICTIONARY_PAGE: 7, DATA_PAGE_V2: 8}
VALUES = 1  # a field of each of them
SKIPPED = {3: 1, 7: 8}  # bytes of a byte and of a double
ENCODING = {DATA_PAGE: 2, DICTIONARY_PAGE: 2, DATA_PAGE_V2: 4}
IN_DICTIONARY = (2, 8)
ROW_GROUPS, CHUNKS, INDEX_START, INDEX_BYTES = 4, 1, 4, 5  # fields of a footer and what it holds
LOCATIONS, LOCATION_START, LOCATION_BYTES, FIRST_ROW = 1, 1, 2, 3  # and of an offset index
# what bytes that are no header end in
UNLIKE = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True)
class Page:
    """What the header of a page says: its kind, bytes when unpacked, values."""

    kind: int
    size: int
    values: int
    is_coded: bool  # its values are numbers of those in the dictionary


@dataclass(frozen=True)
class Location:
    """Where a page is, header and all, and which rows of its row group it holds."""

    at: int
    end: int
    first: int
    last: int  # the first row that it does not hold


def index_places(footer: bytes) -> list[list[tuple[int, int]]]:
    """Start and bytes of the offset index of each column chunk, by row groups; 0 bytes for none."""
    metadata, _ = struct(footer, 0)
    return [
        [(chunk.get(INDEX_START, 0), chunk.get(INDEX_BYTES, 0)) for chunk in group[CHUNKS]]
        for group in metadata.get(ROW_GROUPS, [])
    ]


def location(index: bytes, row: int, rows: int) -> Location:
    """The page of a row, by the offset index of its column chunk, which has so many rows.

    Raises ValueError, or one of `UNLIKE`, if these bytes are no such index.
    """
    listed = struct(index, 0)[0][LOCATIONS]
    firsts = [page[FIRST_ROW] for page in listed]
    number = bisect_right(firsts, row) - 1
    if number < 0 or firsts != sorted(firsts):
        raise ValueError("no page holds the row")
    at, size = listed[number][LOCATION_START], listed[number][LOCATION_BYTES]
    return Location(at, at + size, firsts[number], [*firsts, rows][number + 1])


def pages(take: Callable[[int, int], bytes], start: int, end: int) -> Iterator[Page]:
    """The pages between two places of a file; `read` gives bytes from a place on, so many.

    Raises ValueError where there is no header of a page.
    """
    while start < end:
        header, begin = _header(take, start, end)
        kind, stored = header[TYPE], header[STORED_SIZE]
        if header[SIZE] < 0 or stored < 0 or start + begin + stored > end:
            raise ValueError(f"the page at byte {start} does not fit its column")
        start += begin + stored
        if kind in PAGE_HEADERS:
            page = header[PAGE_HEADERS[kind]]
            if page[VALUES] < 0:
                raise ValueError("a page of less than no values")
            yield Page(kind, header[SIZE], page[VALUES], page[ENCODING[kind]] in IN_DICTIONARY)


def _header(take: Callable[[int, int], bytes], start: int, end: int) -> tuple[dict[int, Any], int]:
    for size in HEADS:
        try:
            header, begin = struct(take(start, min(size, end - start)), 0)
            if (kind := header[TYPE]) in PAGE_HEADERS:
                page = header[PAGE_HEADERS[kind]]
                page[VALUES] < 0, page[ENCODING[kind]] in IN_DICTIONARY
            header[SIZE] < 0, header[STORED_SIZE] < 0
            return header, begin
        except UNLIKE:
            continue
    raise ValueError(f"no header of a page at byte {start}")


def struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol by field number, and where it ends."""
    values: dict[int, Any] = {}
    field = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = signed(data, at)
        values[field], at = _value(data, at, head & 15)
    return values, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, at
    if kind in (4, 5, 6):
        return signed(data, at)
    if kind in SKIPPED:
        return None, at + SKIPPED[kind]
    if kind == 8:  # a string, which nobody here asks for
        size, at = varint(data, at)
        return None, at + size
    if kind == 9:
        return _list(data, at)
    if kind == 12:
        return struct(data, at)
    raise ValueError("not of the structs that are read here")


def _list(data: bytes, at: int) -> tuple[list[Any], int]:
    count, kind, at = data[at] >> 4, data[at] & 15, at + 1
    if count == 15:
        count, at = varint(data, at)
    values = []
    for _ in range(count):
        value, at = (None, at + 1) if kind in (1, 2) else _value(data, at, kind)
        values.append(value)
    return values, at


def signed(data: bytes, at: int) -> tuple[int, int]:
    """A signed number of it, and where it ends."""
    value, at = varint(data, at)
    return value >> 1 ^ -(value & 1), at


def varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of Thrift's compact protocol, and where it ends.

    Raises ValueError if it does not end.
    """
    value = shift = 0
    while (byte := data[at]) >= 128:
        if shift > 56:
            raise ValueError("a number of more than 64 bits")
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
    return value | byte << shift, at + 1
