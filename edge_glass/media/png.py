"""A PNG by its chunks, of which Pillow reads those before the pixels alone."""

from collections.abc import Iterator

SIGNATURE = 8  # bytes
MAX_CHUNKS = 100_000
KEYWORD = b"XML:com.adobe.xmp\0\0"  # of XMP that is not compressed


def by_name(data: bytes) -> dict[bytes, bytes]:
    """The first EXIF block (`eXIf`) and XMP text (`iTXt`), wherever they stand."""
    found: dict[bytes, bytes] = {}
    for name, at, end in _chunks(data):
        if name == b"eXIf" or (name == b"iTXt" and data.startswith(KEYWORD, at + 8)):
            found.setdefault(name, data[at + 8 : end - 4])
    return found


def without_texts(data: bytes) -> bytes:
    """The same image without the texts that a PNG can have, but with its XMP."""
    parts, last = [data[:SIGNATURE]], SIGNATURE
    for name, at, end in _chunks(data):
        is_xmp = data.startswith(KEYWORD, at + 8)
        if name not in (b"tEXt", b"zTXt", b"iTXt") or is_xmp:
            parts.append(data[at:end])
        last = end
    return b"".join([*parts, data[last:]])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and end of each chunk."""
    at = SIGNATURE
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            return
        end = at + 12 + int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], at, end
        at = end
