"""A PNG by its chunks, of which Pillow reads those before the pixels alone."""

import zlib
from collections.abc import Iterator
from contextlib import suppress

SIGNATURE = 8  # bytes
MAX_CHUNKS = 100_000
MAX_TEXTS = 2**24  # bytes that texts inflate to
KEYWORD = b"XML:com.adobe.xmp\0\0"  # of XMP that is not compressed


def by_name(data: bytes) -> dict[bytes, bytes]:
    """The first EXIF block (`eXIf`) and XMP text (`iTXt`), wherever they stand."""
    blocks: dict[bytes, bytes] = {}
    for name, at, end in _chunks(data):
        if name == b"eXIf" or (name == b"iTXt" and data.startswith(KEYWORD, at + 8)):
            blocks.setdefault(name, data[at + 8 : end - 4])
    return blocks


def without_texts(data: bytes) -> bytes:
    """The same image without the texts that a PNG can have, but with its XMP."""
    parts, last = [data[:SIGNATURE]], SIGNATURE
    for name, at, end in _chunks(data):
        is_xmp = data.startswith(KEYWORD, at + 8)
        if name not in (b"tEXt", b"zTXt", b"iTXt") or is_xmp:
            parts.append(data[at:end])
        last = end
    return b"".join([*parts, data[last:]])


def coded_texts(data: bytes) -> Iterator[bytes]:
    """The texts of a PNG that are compressed, or hexadecimal (of ImageMagick), as they were before.

    Of what inflates to more than `MAX_TEXTS` bytes in all the rest is left out.
    """
    left = MAX_TEXTS
    for name, at, end in _chunks(data) if data.startswith(b"\x89PNG") else ():
        keyword, _, text = data[at + 8 : end - 4].partition(b"\0")
        if name == b"zTXt" or (name == b"iTXt" and text.startswith(b"\1")):
            body = text[1:] if name == b"zTXt" else text[2:].split(b"\0", 2)[-1]
            with suppress(zlib.error):
                text = zlib.decompressobj().decompress(body, left)
                left -= len(text)
        elif name != b"tEXt":
            continue
        is_raw = keyword.startswith(b"Raw profile type ")
        yield (raw_profile(text.decode("latin-1")) if is_raw else b"") or text
        if left <= 0:
            return


def raw_profile(text: str) -> bytes:
    """What ImageMagick wrote as hexadecimal text, a name and a length before it; else nothing."""
    with suppress(ValueError):
        return bytes.fromhex("".join(text.split("\n")[3:]))
    return b""


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and end of each chunk."""
    at = SIGNATURE
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            return
        end = at + 12 + int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], at, end
        at = end
