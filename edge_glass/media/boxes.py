"""MP4 containers as boxes: is everything there, and can its tables be trusted with memory?"""

import struct
from collections.abc import Iterator

_FIRST = (b"ftyp", b"moov", b"mdat", b"pnot")
_FILLERS = (b"free", b"skip", b"wide")  # words, too: these boxes are small
_FOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_COUNTED = (b"stsz", b"stz2", b"trun")
_DEEP = 6


def is_mp4(data: bytes) -> bool:
    """Whether the bytes begin as MP4 and QuickTime files do."""
    return data[4:8] in _FIRST or (data[4:8] in _FILLERS and data[:1] == b"\0")


def missing_bytes(data: bytes) -> int:
    """How many bytes an MP4 file lacks against the sizes of its outermost boxes.

    FFmpeg plays a file that was cut in its media as far as it goes.
    """
    end = max((at + size for _, at, size in _boxes(data, 0, len(data))), default=0)
    return max(0, end - len(data))


def samples(data: bytes) -> int:
    """How many samples (frames, packets) the tables of all tracks promise.

    A table of 20 bytes can promise four billion, and a demuxer makes room for them at once.
    """
    tables = _tables(data, 0, len(data), 0)
    return sum(_promised(data, name, at) for name, at in tables if name in _COUNTED)


def pictures(data: bytes) -> list[tuple[int, int]]:
    """Width and height in pixels as the video tracks state them, before anything is decoded."""
    sizes, kind = [], b""
    for name, at in _tables(data, 0, len(data), 0):
        if name == b"hdlr":
            kind = data[at + 16 : at + 20]
        elif name == b"stsd" and kind == b"vide":  # version, flags, count, then the description
            sizes.append(struct.unpack(">HH", data[at + 48 : at + 52].ljust(4, b"\0")))
    return sizes


def _tables(data: bytes, start: int, end: int, depth: int) -> Iterator[tuple[bytes, int]]:
    for name, at, size in _boxes(data, start, end):
        if name in _FOLDERS and depth < _DEEP:
            yield from _tables(data, at + 8, min(at + size, end), depth + 1)
        elif name in (b"hdlr", b"stsd", *_COUNTED):
            yield name, at


def _promised(data: bytes, name: bytes, at: int) -> int:
    """The count that stands in a table: after version, flags and (not in `trun`) a sample size."""
    field = data[at + 12 : at + 16] if name == b"trun" else data[at + 16 : at + 20]
    return int.from_bytes(field) if len(field) == 4 else 0


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of the boxes between two places; the last may end beyond."""
    at = start
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        if size == 1 and at + 16 <= end:
            size = struct.unpack_from(">Q", data, at + 8)[0]
        elif size == 0:  # to the end of the file
            size = end - at
        if size < 8:
            return
        yield name, at, size
        at += size
