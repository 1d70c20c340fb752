"""WAV and its kin (RF64, W64, AIFF, AU, CAF, NIST): how many bytes of sound their headers promise.

A recorder that writes to a pipe cannot go back to say how many there were, and libsndfile reads a
file that was cut without complaint, as far as it goes.
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile as sf

_ROUND = (2**31, 2**32, 2**63, 2**64, 0x7F000000)  # what stands for unknown, but for a header
_HEADER = 2**13  # bytes
_W64 = {"riff": 40, "chunk": 24}  # bytes before the first chunk, and of its name and size
_DS64 = 28  # where RF64 has the size of its sound


@dataclass(frozen=True, slots=True)
class _Sound:
    """Where sound begins in a file, its size in bytes as stated, and where that is stated."""

    place: int
    size: int
    field: int | None
    format: str = "<I"
    counted: int = 0  # bytes before `place` that the size includes


def is_unknown(size: int) -> bool:
    """Whether a stated size or count stands for: not known when this was written."""
    return size == 0 or any(abs(size - top) <= _HEADER for top in _ROUND)


def missing_bytes(data: bytes) -> int:
    """How many bytes a file lacks against its header; 0 for whole or other files."""
    sound = _sound(data)
    if sound is None and data[:4] == b"RIFF" and len(data) >= 12:
        sound = _Sound(8, struct.unpack_from("<I", data, 4)[0], None)  # of the whole file
    if sound is None or is_unknown(sound.size):
        return 0
    return max(0, sound.place - sound.counted + sound.size - len(data))


def completed(data: bytes) -> bytes:
    """The same file, its size of sound stated where it was not."""
    if data[:4] == b"BW64":  # RF64 by the name that broadcasters have for it
        data = b"RF64" + data[4:]
    sound = _sound(data)
    if sound is None or sound.field is None or not is_unknown(sound.size):
        return data
    if sound.size == 0 and _are_chunks(data, sound.place):
        return data
    patched = bytearray(data)
    size = len(data) - sound.place + sound.counted
    struct.pack_into(sound.format, patched, sound.field, max(0, size))
    return bytes(patched)


def mpeg(data: bytes) -> bytes | None:
    """The MPEG audio inside a WAV file; None if it holds something else."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    chunks = {name: (at, size) for name, at, size in _chunks(data, "<")}
    form, (at, size) = chunks.get(b"fmt ", (0, 0))[0], chunks.get(b"data", (0, 0))
    return data[at : at + size] if data[form : form + 2] in (b"\x50\0", b"\x55\0") else None


def wav(samples: np.ndarray, rate: int) -> bytes:
    """A WAV file of float32 samples."""
    out = io.BytesIO()
    sf.write(out, samples, rate, format="WAV", subtype="FLOAT")
    return out.getvalue()


def without_clock(data: bytes) -> bytes:
    """The same WAV with the time of writing set to 0 in the PEAK chunk of float files."""
    for name, at, _ in _chunks(data, "<") if data[:4] == b"RIFF" else ():
        if name == b"PEAK":
            return data[: at + 4] + bytes(4) + data[at + 8 :]
    return data


def _sound(data: bytes) -> _Sound | None:
    reader = {
        b"RIFF": _wav, b"RIFX": _wav, b"RF64": _wav, b"BW64": _wav, b"FORM": _wav,
        b"riff": _w64, b"caff": _caf, b".snd": _au, b"NIST": _nist,
    }.get(data[:4])  # fmt: skip
    return reader(data) if reader else None


def _wav(data: bytes) -> _Sound | None:
    """Of AIFF, too, whose chunk of sound has another name."""
    kind, order = data[:4], ">" if data[:4] in (b"RIFX", b"FORM") else "<"
    wanted = b"SSND" if kind == b"FORM" else b"data"
    for name, at, size in _chunks(data, order):
        if name == wanted:
            is_long = kind in (b"RF64", b"BW64") and size == 2**32 - 1 and len(data) >= _DS64 + 8
            if is_long:
                return _Sound(at, struct.unpack_from("<Q", data, _DS64)[0], _DS64, "<Q")
            return _Sound(at, size, at - 4, f"{order}I")
    return None


def _au(data: bytes) -> _Sound | None:
    if len(data) < 12:
        return None
    place, size = struct.unpack_from(">II", data, 4)
    return _Sound(place, size, 8, ">I")


def _chunks(data: bytes, order: str, at: int = 12) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content and its size, of every chunk."""
    while at + 8 <= len(data):
        size = struct.unpack_from(f"{order}I", data, at + 4)[0]
        yield data[at : at + 4], at + 8, size
        at += 8 + size + size % 2


def _are_chunks(data: bytes, at: int) -> bool:
    """Whether nothing but chunks of text's names follows: sound of 0 bytes is none, then."""
    end = at
    for name, place, size in _chunks(data, "<", at):
        if not name.isascii() or not name.strip().isalnum():
            return False
        end = place + size
    return end in (len(data), len(data) - 1)


def _w64(data: bytes) -> _Sound | None:
    at = _W64["riff"]
    while at + _W64["chunk"] <= len(data):
        size = struct.unpack_from("<Q", data, at + 16)[0]
        if data[at : at + 4] == b"data":
            return _Sound(at + _W64["chunk"], size, at + 16, "<Q", _W64["chunk"])
        at += max(_W64["chunk"], size + -size % 8)
    return None


def _caf(data: bytes) -> _Sound | None:
    at = 8
    while at + 12 <= len(data):
        size = struct.unpack_from(">Q", data, at + 4)[0]
        if data[at : at + 4] == b"data":
            return _Sound(at + 12, size, at + 4, ">Q")
        at += 12 + size
    return None


def _nist(data: bytes) -> _Sound | None:
    """Speech of LDC's: a header of text. Compressed sound has a size of its own."""
    head = data[:1024]
    fields = dict(re.findall(rb"(?m)^(\w+) -\w+ (\S+)", head))
    start = re.match(rb"NIST_1A\n *(\d+)\n", head)
    try:
        names = (b"sample_count", b"channel_count", b"sample_n_bytes")
        count, channels, width = (int(fields[name]) for name in names)
    except (KeyError, ValueError):
        return None
    if start is None or b"embedded" in fields.get(b"sample_coding", b""):
        return None
    return _Sound(int(start[1]), count * channels * width, None)
