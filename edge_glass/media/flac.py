"""FLAC whose header does not say how long it is: its last frame does."""

from edge_glass.core.ledger import Dropped, Outcome

_STREAMINFO = 4 + 4  # where it begins: after the mark and its own header
_COUNT = _STREAMINFO + 13  # the low 4 bits of this byte, and the four bytes that follow
_HEADER = 16  # bytes of a frame's header at most
_BLOCK = {1: 192} | {n: 576 << n - 2 for n in range(2, 6)} | {n: 256 << n - 8 for n in range(8, 16)}


def completed(data: bytes) -> bytes:
    """The same file, the number of its samples stated where it was not."""
    if data[:4] != b"fLaC" or len(data) < _COUNT + 5:
        return data
    if data[_COUNT] & 0xF or any(data[_COUNT + 1 : _COUNT + 5]):
        return data
    total = _end_of_last_frame(data)
    field = bytes([data[_COUNT] & 0xF0 | total >> 32]) + (total & 2**32 - 1).to_bytes(4)
    return data[:_COUNT] + field + data[_COUNT + 5 :]


def _end_of_last_frame(data: bytes) -> int:
    """The number of samples up to the end of the last frame. Raises Dropped if there is none."""
    fixed = int.from_bytes(data[_STREAMINFO : _STREAMINFO + 2])
    first = _first_frame(data)
    sync, depth, at = data[first : first + 2], data[first + 2 : first + 4], len(data)
    while sync and (at := data.rfind(sync, first, at)) >= 0:
        head = data[at : at + _HEADER]
        alike = all((one ^ other) & 0xF == 0 for one, other in zip(head[2:4], depth, strict=False))
        end = _end_of_frame(head, fixed) if alike else None
        if end is not None and end < 2**36:
            return end
    raise Dropped(Outcome.UNDECODABLE_MEDIA, "a FLAC header, and no frame after it")


def _first_frame(data: bytes) -> int:
    at, last = 4, False
    while not last and at + 4 <= len(data):
        last = data[at] >= 0x80
        at += 4 + int.from_bytes(data[at + 1 : at + 4])
    return at


def _end_of_frame(head: bytes, fixed: int) -> int | None:
    """The number of samples up to the end of the frame; None if this is no frame's header."""
    if len(head) < 6 or head[3] & 1 or not (size := head[2] >> 4):
        return None
    length = 1 if head[4] < 0x80 else 8 - (head[4] ^ 0xFF).bit_length()
    if length == 1 and head[4] >= 0x80:
        return None
    number = head[4] & (0x7F if length == 1 else (1 << max(0, 7 - length)) - 1)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    at = 4 + length
    samples = _BLOCK.get(size, 0)
    if size in (6, 7):
        samples = int.from_bytes(head[at : at + size - 5]) + 1
        at += size - 5
    at += {12: 1, 13: 2, 14: 2}.get(head[2] & 0xF, 0)
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * fixed) + samples


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 & 0xFF ^ (7 if crc & 0x80 else 0)
    return crc
