"""RIFF and Ogg containers: is everything there that the headers promise?"""

import struct
from collections.abc import Iterator

_UNKNOWN = (0, 0xFFFFFFFF)  # what a recorder writes that streams to a pipe
_OGG_PAGE = 27  # bytes of a page's header before its table of segments


def missing_bytes(data: bytes) -> int:
    """How many bytes a WAV or Ogg file lacks; 0 for whole or other files.

    libsndfile reads a cut file without complaint, as far as it goes.
    """
    if data[:4] == b"OggS":
        return _ogg_missing(data)
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 0
    size = struct.unpack_from("<I", data, 4)[0]
    at = 8  # if there is no data chunk, the size of the whole file counts
    for name, place, length in _chunks(data):
        if name == b"data":
            at, size = place, length
            break
    return 0 if size in _UNKNOWN else max(0, at + size - len(data))


def without_clock(data: bytes) -> bytes:
    """The same WAV with the time of writing set to 0 in the PEAK chunk of float files."""
    for name, at, _ in _chunks(data):
        if name == b"PEAK":
            return data[: at + 4] + bytes(4) + data[at + 8 :]
    return data


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content and its size, of every chunk of a WAV file."""
    at = 12
    while data[:4] == b"RIFF" and at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        yield data[at : at + 4], at + 8, size
        at += 8 + size + size % 2


def _ogg_missing(data: bytes) -> int:
    """What the last page lacks; a cut between two pages leaves no trace."""
    page = data.rfind(b"OggS")
    if page + _OGG_PAGE > len(data):
        return page + _OGG_PAGE - len(data)
    content = page + _OGG_PAGE + data[page + _OGG_PAGE - 1]
    lengths = data[page + _OGG_PAGE : content]
    return max(0, content + sum(lengths) - len(data))
