"""How stored pixels are turned and mirrored: by EXIF, or by XMP where EXIF does not say."""

import re
import warnings

from PIL import Image

from edge_glass.media import jpeg, png

ORIENTATION, TURNED = 0x0112, {5, 6, 7, 8}  # EXIF: width and height change places
WIDTH, HEIGHT, TIFF_XMP = 256, 257, 700  # tags of TIFF
XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])""")
XMP_NAMES, RAW = ("xmp", "XML:com.adobe.xmp"), "Raw profile type "  # where Pillow puts it
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def of(exif: bytes, xmp: bytes) -> int:
    """EXIF's number, 1 if neither of the blocks says how the image is turned."""
    by_exif = _by_exif(exif) if exif else None
    if by_exif is None and (tag := XMP.search(xmp)):
        return int(tag[1])
    return by_exif or 1


def of_image(image: Image.Image, kind: str, data: bytes) -> int:
    """The number for an image that Pillow has opened, which loses what Pillow would turn it by.

    Pillow turns a TIFF by its tag itself. AVIF is turned by its boxes, which Pillow tells as EXIF.
    """
    exif = image.info.pop("exif", b"") or png.raw_profile(image.info.pop(RAW + "exif", ""))
    texts = [image.info.pop(name, b"") for name in XMP_NAMES]
    xmp = b"".join(text.encode() if isinstance(text, str) else text for text in texts)
    xmp += png.raw_profile(image.info.pop(RAW + "xmp", ""))
    tags = getattr(image, "tag_v2", {})
    if kind == "image/png":
        chunks = png.by_name(data)
        exif, xmp = exif or chunks.get(b"eXIf", b""), xmp + chunks.get(b"iTXt", b"")
    elif kind == "image/jpeg" and (header := jpeg.header(data)):  # Pillow 10 has no XMP of it
        exif, xmp = header.exif, header.xmp
    elif kind == "image/tiff":
        block = tags.get(TIFF_XMP)
        xmp = xmp or (block if isinstance(block, bytes) else b"")
        xmp = b"" if ORIENTATION in tags else xmp
    elif kind == "image/avif":
        xmp = b""
    return of(exif, xmp)


def size(image: Image.Image) -> tuple[int, int]:
    """Width and height as Pillow decodes: before release 11 it turns a TIFF later than it says."""
    tags = getattr(image, "tag_v2", {})
    stored = (tags.get(WIDTH), tags.get(HEIGHT))
    turned = tags.get(ORIENTATION) in TURNED and image.size == stored
    return (image.height, image.width) if turned else image.size


def upright(image: Image.Image, turn: int) -> Image.Image:
    """The pixels as they are shown."""
    return image.transpose(UPRIGHT[turn]) if turn in UPRIGHT else image


def _by_exif(block: bytes) -> int | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage: it says nothing of the pixels
            exif = Image.Exif()
            exif.load(block)
            turn = exif.get(ORIENTATION)
    except Exception:  # Pillow may raise anything over hostile bytes
        return None
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else None
