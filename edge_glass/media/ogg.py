"""Ogg page by page: streams that were joined, FLAC in Ogg, and what a cut left behind.

libsndfile reads the first of several streams that follow each other, and no FLAC in Ogg.
"""

from collections.abc import Iterator
from itertools import pairwise

_HEAD = 27  # bytes of a page's header before its table of segments
_BEGINS = 2  # the flag of a page that begins a stream
_FLAC = b"\x7fFLAC"
_MAPPING = 9  # bytes before `fLaC` in the first packet


def missing_bytes(data: bytes) -> int:
    """What the last page lacks; a cut between two pages leaves no trace."""
    page = data.rfind(b"OggS")
    if page + _HEAD > len(data):
        return page + _HEAD - len(data)
    content = page + _HEAD + data[page + _HEAD - 1]
    lengths = data[page + _HEAD : content]
    return max(0, content + sum(lengths) - len(data))


def links(data: bytes) -> list[bytes]:
    """The streams that were joined, each a file of its own, FLAC in Ogg as FLAC."""
    starts, beginning = [], False
    for at, kind, _, _ in _pages(data):
        if kind & _BEGINS and not beginning:
            starts.append(at)
        beginning = bool(kind & _BEGINS)
    bounds = [0, *starts[1:], len(data)]
    parts = [data[at:end] for at, end in pairwise(bounds)]
    return [_flac(part) or part for part in parts]


def _flac(data: bytes) -> bytes | None:
    """The packets of FLAC's first stream, which are the file that it would be without Ogg."""
    packets = bytearray()
    stream = None
    for _, _, serial, content in _pages(data):
        if stream is None:
            if not content.startswith(_FLAC):
                return None
            stream = serial
        if serial == stream:
            packets += content
    return bytes(packets[_MAPPING:]) or None


def _pages(data: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Place, kind, stream and content of every page."""
    at = data.find(b"OggS")
    while 0 <= at <= len(data) - _HEAD:
        kind, serial, count = data[at + 5], data[at + 14 : at + 18], data[at + 26]
        content = at + _HEAD + count
        end = content + sum(data[at + _HEAD : content])
        yield at, kind, serial, data[content:end]
        at = data.find(b"OggS", end)
