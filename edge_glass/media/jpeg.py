"""Pixels and orientation of a JPEG by its markers alone: what a filter by size wants to know."""

SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF: these three are tables and reserved
BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
APP1, SCAN = 0xE1, 0xDA


def header(data: bytes) -> tuple[int, int, bytes] | None:
    """Width, height and the EXIF block (or nothing) of the image whose pixels come first.

    None if that much is not there, or not as every decoder has it: then a decoder has to say why.
    """
    at, size, exif = 2, None, b""
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in BARE:
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if marker == SCAN or length < 2:
            return (*size, exif) if size and all(size) and marker == SCAN else None
        if marker in SIZES:
            found = data[at + 4 : at + 10]
            if size or len(found) < 6 or found[0] != 8 or found[5] not in (1, 3, 4):
                return None
            size = (found[3] << 8 | found[4], found[1] << 8 | found[2])
        elif marker == APP1 and not exif and data.startswith(b"Exif\0\0", at + 4):
            exif = data[at + 4 : at + 2 + length]
        at += 2 + length
    return None
