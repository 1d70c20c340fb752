"""A JPEG by its markers alone: pixels, orientation, profile; and whether it lacks but its end."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF: these three are tables and reserved
BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
APP1, APP2, SCAN = 0xE1, 0xE2, 0xDA
EXIF, XMP, ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
END = b"\xff\xd9"
TAILS = (b"", b"\x55" * 64, b"\xaa" * 64)  # which more pixels would be read out of, were there any


class Header(NamedTuple):
    """What stands before the pixels; blocks are empty where there is none."""

    width: int
    height: int
    exif: bytes
    xmp: bytes
    icc: bytes


def header(data: bytes) -> Header | None:
    """The header of the image whose pixels come first.

    None if that much is not there, or not as every decoder has it: then a decoder has to say why.
    """
    at, size, blocks = 2, None, dict[bytes, bytes]()
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in BARE:
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if marker == SCAN or length < 2:
            if not size or not all(size) or marker != SCAN:
                return None
            profile = b"".join(blocks[name] for name in sorted(blocks) if name.startswith(ICC))
            return Header(*size, blocks.get(EXIF, b""), blocks.get(XMP, b""), profile)
        if marker in SIZES:
            frame = data[at + 4 : at + 10]
            if size or len(frame) < 6 or frame[0] != 8 or frame[5] not in (1, 3, 4):
                return None
            size = (frame[3] << 8 | frame[4], frame[1] << 8 | frame[2])
        elif marker in (APP1, APP2):
            _keep(data[at + 4 : at + 2 + length], blocks)
        at += 2 + length
    return None


def _keep(segment: bytes, blocks: dict[bytes, bytes]) -> None:
    """Put down a segment under its name; parts of a profile are numbered."""
    if segment.startswith(EXIF):
        blocks.setdefault(EXIF, segment)
    elif segment.startswith(XMP):
        blocks.setdefault(XMP, segment)
    elif segment.startswith(ICC):
        blocks.setdefault(segment[: len(ICC) + 1], segment[len(ICC) + 2 :])


def lacks_end(data: bytes) -> bool:
    """Whether no end of the image follows its pixels."""
    if END in data[-64:]:
        return False
    return data.rfind(END) < data.rfind(bytes([0xFF, SCAN]))


def ended(data: bytes, decode: Callable[[bytes], bytes]) -> bytes | None:
    """A JPEG that lacks its end with one put on, if all of its pixels are there; else None.

    They are where it makes no difference what follows: a decoder that wants more bits for a
    pixel takes them from there.
    """
    bare = data.rstrip(b"\xff")
    pixels = {hashlib.sha256(decode(bare + tail + END)).digest() for tail in TAILS}
    return bare + END if len(pixels) == 1 else None
