"""RIFF containers: is everything there that the header promises?"""

import struct

_UNKNOWN = (0, 0xFFFFFFFF)  # what a recorder writes that streams to a pipe


def missing_bytes(data: bytes) -> int:
    """How many bytes a WAV file lacks against its `data` chunk; 0 for whole or other files.

    libsndfile reads a cut file without complaint, as far as it goes.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 0
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        if name == b"data":
            return 0 if size in _UNKNOWN else max(0, at + 8 + size - len(data))
        at += 8 + size + size % 2
    return max(0, at - len(data))


def without_clock(data: bytes) -> bytes:
    """The same WAV with the time of writing set to 0 in the PEAK chunk of float files."""
    at = data.find(b"PEAK", 12, 4096) if data[:4] == b"RIFF" else -1
    return data if at < 0 else data[: at + 12] + bytes(4) + data[at + 16 :]
