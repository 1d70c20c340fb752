"""Images: measure by the header, decode, resize, encode. What bytes are is told by the bytes."""

import io
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import PIL
from PIL import Image, PngImagePlugin, features

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import Resize, colour, jpeg, magic, orientation, png, tiff
from edge_glass.media.orientation import TURNED

FORMATS = {  # decoders that strangers' bytes are given to; Pillow knows forty more
    "image/jpeg": ["JPEG", "MPO"],
    "image/png": ["PNG"],
    "image/webp": ["WEBP"],
    "image/gif": ["GIF"],
    "image/avif": ["AVIF"],
    "image/bmp": ["BMP"],
    "image/tiff": ["TIFF"],
    "image/jp2": ["JPEG2000"],
    "image/j2c": ["JPEG2000"],
}
SUFFIXES = {"image/jpeg": ".jpg", "image/j2c": ".j2k"}
CODECS = ("jpg", "webp", "zlib", "avif", "jpg_2000", "libtiff", "littlecms2")  # Pillow's
MAX_PIXELS = 2**26  # 67 million, 200 MB as RGB
MAX_FILE = 2**28
NO_END = "no end mark: all rows are there"
MOST_TEXT = PngImagePlugin.MAX_TEXT_CHUNK  # bytes, as Pillow has it
PngImagePlugin.MAX_TEXT_CHUNK = 2**24  # profiles and XMP of a PNG have more than 1 MB now and then
BROKEN = (  # what Pillow raises for bytes that are not what they should be
    OSError, ValueError, SyntaxError, TypeError, LookupError, AttributeError, EOFError,
    ArithmeticError, RuntimeError, struct.error, Image.DecompressionBombError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """What the header says: media type, and pixels as the image is shown (EXIF orientation).

    `turn` is EXIF's number for how the stored pixels are turned and mirrored, 1 if they are not.
    `coloured` where a profile shows RGB pixels in other colours than sRGB.
    """

    kind: str
    width: int
    height: int
    turn: int = field(default=1, compare=False)
    coloured: bool = field(default=False, compare=False)

    @property
    def suffix(self) -> str:
        """With its dot."""
        return SUFFIXES.get(self.kind, f".{self.kind.removeprefix('image/')}")


def probe(data: bytes) -> Probe:
    """Read the header; no pixel is decoded.

    Raises Dropped if bytes are empty, no image, or larger than a decoder may be trusted with.
    """
    is_jpeg = data.startswith(b"\xff\xd8\xff") and len(data) <= MAX_FILE
    header = jpeg.header(data) if is_jpeg else None
    if header and header.width * header.height <= MAX_PIXELS:
        turn = orientation.of(header.exif, header.xmp)
        return _upright("image/jpeg", header.width, header.height, turn, header.icc)
    with _open(data) as (_, probe):
        return probe


def _upright(kind: str, width: int, height: int, turn: int, profile: bytes = b"") -> Probe:
    size = (height, width) if turn in TURNED else (width, height)
    return Probe(kind, *size, turn, bool(profile) and colour.changes(profile))


def check(data: bytes) -> Probe:
    """Decode an image from end to end, keeping nothing; raises Dropped as `probe` does."""
    info = probe(data)
    with _open(data) as (image, _):
        image.draft("RGB", (image.width // 8, image.height // 8))  # JPEG: all bytes, fewer pixels
        image.load()
    return info


def readable(data: bytes, notes: list[str]) -> bytes:
    """An image that decodes, as every decoder reads it; what that took is noted."""
    kind = magic.kind(data[: magic.HEAD])
    if kind == "image/jpeg" and jpeg.lacks_end(data):
        notes.append(f"{NO_END}, the mark is put on")
        return _ended(data)
    if kind != "image/png":
        return data
    with _open(data) as (image, _):
        texts, profile = getattr(image, "text", {}).values(), image.info.get("icc_profile") or b""
        if any(len(text) > MOST_TEXT for text in texts):
            notes.append(f"texts of more than {MOST_TEXT} bytes, which Pillow refuses, taken out")
            return png.without_texts(data)
    if len(profile) > MOST_TEXT:
        notes.append(
            f"a profile of more than {MOST_TEXT} bytes: raise Pillow's MAX_TEXT_CHUNK to open it"
        )
    return data


def convert(
    data: bytes,
    format: str,
    quality: int,
    resize: Resize | None = None,
    side: int = 0,
    notes: list[str] | None = None,
) -> tuple[bytes, Probe]:
    """The image upright, no larger than asked for, as jpeg, webp or png.

    `longest` and `border` see to it that the longest side has at most `side` pixels, `smallest`
    and `center_crop` that the smallest has; `border` then fills up to a white square, `center_crop`
    cuts one out. What is not larger keeps its pixels, and its bytes if it is in `format` already.
    What was mended is noted.
    """
    info = check(data)
    notes = [] if notes is None else notes
    size = _smaller(info, resize, side) if resize else None
    if not size and info.kind == f"image/{format}":
        return readable(data, notes), info
    if info.kind == "image/jpeg" and jpeg.lacks_end(data):
        notes.append(NO_END)
    with _open(data) as (image, info):
        if size:
            turned = (size[1], size[0]) if info.turn in TURNED else size
            image.draft("RGB", (turned[0] * 2, turned[1] * 2))
        pixels = _plain(image, info.turn, format)
        if size:
            pixels = pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        if size and resize in ("center_crop", "border"):
            pixels = _square(pixels, side)
        out = io.BytesIO()
        pixels.save(out, format.upper(), quality=quality)
        return out.getvalue(), Probe(f"image/{format}", *pixels.size)


def rgb(data: bytes, at_least: tuple[int, int] | None = None) -> Image.Image:
    """The decoded image upright, RGB, on white where it is transparent; raises Dropped.

    A JPEG may come smaller, but not below `at_least` (width, height) pixels: that is faster.
    """
    with _open(data) as (image, info):
        if at_least:
            image.draft("RGB", at_least)
        return _plain(image, info.turn, "jpeg")


def black(side: int) -> bytes:
    """A PNG of `side` by `side` black pixels."""
    out = io.BytesIO()
    Image.new("RGB", (side, side)).save(out, "PNG")
    return out.getvalue()


def library() -> dict[str, str]:
    """Library -> version of what decodes and encodes."""
    codecs = {name: features.version(name) for name in CODECS}
    return {"pillow": PIL.__version__} | {k: str(v) for k, v in codecs.items() if v}


@contextmanager
def _open(data: bytes) -> Iterator[tuple[Image.Image, Probe]]:
    """The image with its header read, and what that says. Turns what Pillow raises into Dropped."""
    if not data:
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
    if len(data) > MAX_FILE:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"{len(data)} bytes, the limit is {MAX_FILE}")
    kind = magic.kind(data[: magic.HEAD])
    if kind not in FORMATS:
        raise Dropped(Outcome.WRONG_KIND, magic.looks_like(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: they are checked here
            image = _of_many_bits(data, kind) or Image.open(
                io.BytesIO(_for_pillow(data, kind)), formats=FORMATS[kind]
            )
        _check_pixels(image.width, image.height)
        with image:
            turn = orientation.of_image(image, kind, data)
            yield image, _upright(kind, *orientation.size(image), turn)
    except Image.DecompressionBombError:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {MAX_PIXELS} pixels") from None
    except BROKEN as error:
        outcome = Outcome.UNDECODABLE_MEDIA
        if "truncated" in str(error) or isinstance(error, EOFError):
            outcome = Outcome.TRUNCATED_MEDIA
        raise Dropped(outcome, f"{kind}: {type(error).__name__}") from None


def _of_many_bits(data: bytes, kind: str) -> Image.Image | None:
    """A TIFF that Pillow does not know, decoded; None for all others."""
    form = tiff.layout(data) if kind == "image/tiff" else None
    if form is None:
        return None
    _check_pixels(form.width, form.height)
    values, profile = tiff.numbers(data, form)
    pixels = colour.scaled(values)
    image = Image.fromarray(pixels[:, :, 0] if form.channels == 1 else pixels)
    image.info["icc_profile"] = profile
    return orientation.upright(image, form.turn)


def _for_pillow(data: bytes, kind: str) -> bytes:
    """The bytes with what Pillow wants and other decoders do without."""
    if kind == "image/avif" and data[8:12] not in (b"avif", b"avis"):
        return data[:8] + b"avif" + data[12:]
    if kind == "image/jpeg" and jpeg.lacks_end(data):
        return _ended(data)
    return data


def _ended(data: bytes) -> bytes:
    return jpeg.ended(data, _decoded) or data


def _decoded(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=FORMATS["image/jpeg"]) as image:
        _check_pixels(image.width, image.height)
        return image.tobytes()


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        detail = f"{width}x{height} pixels, the limit is {MAX_PIXELS}"
        raise Dropped(Outcome.OVERSIZED_MEDIA, detail)


def _smaller(info: Probe, resize: Resize, side: int) -> tuple[int, int] | None:
    """Width and height that are asked for; None of an image that has no more."""
    measured = max if resize in ("longest", "border") else min
    scale = side / measured(info.width, info.height)
    if scale >= 1:
        return None
    return max(1, math.floor(info.width * scale + 0.5)), max(
        1, math.floor(info.height * scale + 0.5)
    )


def _square(image: Image.Image, side: int) -> Image.Image:
    """`side` by `side` pixels out of the middle, white where there is no image."""
    left, top = (image.width - side) // 2, (image.height - side) // 2
    white = Image.new(image.mode, (side, side), (255,) * len(image.getbands()))
    white.paste(image, (-left, -top))
    return white


def _plain(image: Image.Image, turn: int, format: str) -> Image.Image:
    """SRGB upright, or with transparency where the format has it; JPEG gets a white ground."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = colour.in_8_bits(image)
    image = colour.srgb(orientation.upright(image, turn))
    if image.mode == "RGB" or format != "jpeg":
        return image
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")
