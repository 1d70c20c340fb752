"""What bytes are, told by the bytes alone."""

from edge_glass.media import boxes

HEAD = 512  # bytes that tell
FIXED = [
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),  # BigTIFF
    (b"MM\0+", "image/tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/j2c"),  # JPEG 2000 without a container
    (b"\xff\x0a", "image/jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
]
INSIDE_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/avi"}
BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"M4A ": "audio/mp4",
}
IMAGES = (b"mif1", b"msf1", b"miaf", b"MA1A", b"MA1B")  # of any codec: the other brands say which


def tags(data: bytes) -> int:
    """How many bytes of tags (ID3, APE) stand before the file itself."""
    at = 0
    while True:
        head = data[at : at + 32]
        if head[:3] == b"ID3" and len(head) > 9:
            size = 0
            for byte in head[6:10]:
                size = size << 7 | byte & 0x7F
            at += 10 + size + (10 if head[5] & 0x10 else 0)
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            at += 32 + int.from_bytes(head[12:16], "little")
        else:
            return at


def kind(data: bytes) -> str | None:
    """The media type that the first bytes speak of; None for text and whatever is not known.

    Text is never an image: a drawing (SVG) can hold scripts and name other files.
    """
    if at := tags(data):
        return kind(data[at:]) or "audio/mpeg"
    for start, its_kind in FIXED:
        if data.startswith(start):
            return its_kind
    if data[:4] in (b"RIFF", b"RF64", b"BW64"):
        return INSIDE_RIFF.get(data[8:12])
    if boxes.is_mp4(data):
        return _by_brands(data)
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "audio/mpeg" if data[1] & 0x06 else "audio/aac"  # frames without a tag before them
    return None


def _by_brands(data: bytes) -> str:
    major, end = data[8:12], min(int.from_bytes(data[:4]), HEAD)
    if major not in IMAGES:
        return BRANDS.get(major, "video/mp4")
    brands = {data[at : at + 4] for at in range(16, end, 4)}
    return "image/avif" if brands & {b"avif", b"avis", b"MA1A", b"MA1B"} else "image/heic"


def looks_like(data: bytes) -> str:
    """What to call bytes that are not the kind they should be, in a ledger."""
    head = data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return "a web page"
    if b"<svg" in head:
        return "an SVG drawing"
    return kind(data) or ("text or markup" if head.startswith((b"<", b"{")) else "unknown bytes")
