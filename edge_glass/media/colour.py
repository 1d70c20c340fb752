"""Pixels in sRGB with 8 bits, whatever profile, range or number of bits the file has them in."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE = 2**22  # bytes; profiles of printers have up to 3 MB
SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
GREY = ("1", "L", "LA", "La")
SAME = 2  # of 255: what rounding does to a profile that is sRGB by another name
FULL = (1.0, 255.0, 65535.0)  # what stands for white, beside the largest number of a type
OVER = 1.1  # times white: interpolation overshoots
BITS, SAMPLE_FORMAT, SIGNED = 258, 339, 2  # TIFF


def changes(profile: bytes) -> bool:
    """Whether a profile shows the pixels that it is for in other colours than sRGB."""
    return _transform(profile, SPACES.get(profile[16:20], "")) is not None


def srgb(image: Image.Image) -> Image.Image:
    """The image as RGB or RGBA in sRGB, by its profile, if it has one that fits its pixels."""
    profile = image.info.get("icc_profile") or b""
    clear = image.has_transparency_data
    base = "L" if image.mode in GREY else "CMYK" if image.mode == "CMYK" else "RGB"
    transform = _transform(profile, base) if isinstance(profile, bytes) else None
    converted = image.convert("RGBA" if clear else "RGB")
    if transform:
        stored = {"RGB": converted.convert("RGB"), "CMYK": image}.get(base)
        alpha = converted.getchannel("A") if clear else None
        converted = transform.apply(stored or (image if image.mode == "L" else image.convert("L")))
        if alpha:
            converted.putalpha(alpha)
    converted.info = {
        k: v for k, v in image.info.items() if k not in ("icc_profile", "transparency")
    }
    return converted


def in_8_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or floats, as 8 bits: the range is told by the file and its values."""
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    white = None
    if image.mode.startswith("I;16") or not tags:
        white = 2.0 ** min(16, tags.get(BITS, (16,))[0]) - 1
    elif image.mode == "I" and SIGNED not in tags.get(SAMPLE_FORMAT, ()):
        values = values.view(np.uint32)
    grey = Image.fromarray(scaled(values, white))
    grey.info = image.info.copy()
    return grey


def scaled(values: np.ndarray, white: float | None = None) -> np.ndarray:
    """Numbers of any kind as 0 to 255; what is white is told by the largest, if it is not known."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, posinf=0, neginf=0)
        top = float(values.max())
        white = white or next((white for white in FULL[:2] if top <= white * OVER), top)
    elif white is None:
        top = float(values.max())
        white = next((white for white in FULL if top <= white), float(np.iinfo(values.dtype).max))
    levels = values.astype(np.float32) * np.float32(255 / white)
    return np.asarray(np.clip(levels + np.float32(0.5), 0, 255), np.uint8)


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where it is not of such pixels, broken, or changes nothing."""
    if SPACES.get(profile[16:20]) != mode or len(profile) > MAX_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, mode, "RGB")
        return transform if _moves(transform, mode) else None
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _moves(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether colours are others afterwards."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(len(levels), -1, 3)
    stored = Image.fromarray(cube).convert(mode)
    seen, plain = np.asarray(transform.apply(stored)), np.asarray(stored.convert("RGB"))
    return bool(np.abs(seen.astype(int) - plain).max() > SAME)
