"""TIFF of colours in 16, 32 or 64 bits, integers or floats, which Pillow does not know.

Its decompressors are used all the same: they are told that the file has one grey channel of as many
bits, and rows that are longer.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION, CHANNELS = 256, 257, 258, 262, 274, 277
PLANES, PREDICTOR, TILE, EXTRA, FORMAT, DARKEST, BRIGHTEST = 284, 317, 322, 338, 339, 340, 341
UNKNOWN = 335  # a tag of nobody, in the place of EXTRA
LETTERS = {3: "H", 4: "I"}  # SHORT, LONG
DTYPES = {1: "u", 2: "i", 3: "f"}  # FORMAT
GREY, RGB = 1, 2
HORIZONTAL, FLOATING = 2, 3  # PREDICTOR


@dataclass(frozen=True)
class Layout:
    """How the numbers of a pixel lie in the file."""

    width: int
    height: int
    channels: int
    bits: int
    dtype: str
    predictor: int
    turn: int


def layout(data: bytes) -> Layout | None:
    """The layout of a file that `numbers` reads; None for all others."""
    tags = {tag: values for tag, _, values in _entries(data) if values}
    first = {tag: values[0] for tag, values in tags.items()}
    bits, kinds, channels = {*tags.get(BITS, ())}, {*tags.get(FORMAT, (1,))}, first.get(CHANNELS, 1)
    if len(bits) != 1 or len(kinds) != 1 or TILE in tags or first.get(PLANES, 1) != 1:
        return None
    size, kind = bits.pop(), DTYPES.get(kinds.pop())
    by_pillow = (size == 16 and kind != "f") or (channels == 1 and size == 32)
    shape = (first.get(PHOTOMETRIC), channels) in ((GREY, 1), (RGB, 3), (RGB, 4))
    if by_pillow or not shape or size not in (16, 32, 64) or not kind:
        return None
    predictor, turn = first.get(PREDICTOR, 1), first.get(ORIENTATION, 1)
    width, height = first.get(WIDTH, 0), first.get(HEIGHT, 0)
    return Layout(width, height, channels, size, f"{kind}{size // 8}", predictor, turn)


def numbers(data: bytes, form: Layout) -> tuple[np.ndarray, bytes]:
    """The values in an array of height, width and channels, and the profile. Raises as Pillow."""
    words = form.channels * max(1, form.bits // 32)
    grey = _as_grey(data, form.width * words, min(form.bits, 32))
    with Image.open(io.BytesIO(grey), formats=["TIFF"]) as image:
        rows, profile = np.asarray(image), image.info.get("icc_profile") or b""
    if form.bits == 16:
        rows = rows.astype(np.uint16)  # it may be of the other order
    swapped = data[:2] == b"MM"  # Pillow has put the bytes of each word into our order
    if form.predictor == FLOATING:
        rows = rows.byteswap() if swapped else np.ascontiguousarray(rows)
        return _from_planes(rows, form), profile
    if swapped and form.bits == 64:
        rows = rows.reshape(form.height, -1, 2)[:, :, ::-1]
    values = np.ascontiguousarray(rows).view(np.uint8).view(f"u{form.bits // 8}")
    values = values.reshape(form.height, form.width, form.channels)
    if form.predictor == HORIZONTAL:
        values = np.cumsum(values, axis=1, dtype=values.dtype)
    return values.view(form.dtype), profile


def _from_planes(rows: np.ndarray, form: Layout) -> np.ndarray:
    """Floats whose bytes stand apart, the highest ones of a row first, as differences."""
    size = form.bits // 8
    planes = rows.view(np.uint8).reshape(form.height, form.width * size, form.channels)
    planes = np.cumsum(planes, axis=1, dtype=np.uint8).reshape(form.height, size, -1)
    values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">{form.dtype}")
    return values.reshape(form.height, form.width, form.channels).astype(form.dtype)


def _as_grey(data: bytes, width: int, bits: int) -> bytes:
    """The file with tags that Pillow knows."""
    patched, mark = bytearray(data), "<" if data[:2] == b"II" else ">"
    wanted = {
        WIDTH: width, BITS: bits, PHOTOMETRIC: GREY, ORIENTATION: 1, CHANNELS: 1, PREDICTOR: 1,
        FORMAT: 1, DARKEST: 0, BRIGHTEST: 0,
    }  # fmt: skip
    for tag, at, _ in _entries(data):
        if tag in wanted:
            struct.pack_into(f"{mark}HII", patched, at + 2, 4, 1, wanted[tag])
        elif tag == EXTRA:
            struct.pack_into(f"{mark}H", patched, at, UNKNOWN)
    return bytes(patched)


def _entries(data: bytes) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Tag, place and numbers of what stands in the first directory of a classic TIFF."""
    mark = "<" if data[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(f"{mark}4xI", data)
        (count,) = struct.unpack_from(f"{mark}H", data, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, size = struct.unpack_from(f"{mark}HHI", data, at)
            letter = LETTERS.get(kind)
            values: tuple[int, ...] = ()
            if letter and size <= 8:
                form = f"{mark}{size}{letter}"
                inside = struct.calcsize(form) <= 4
                place = at + 8 if inside else struct.unpack_from(f"{mark}I", data, at + 8)[0]
                values = struct.unpack_from(form, data, place)
            yield tag, at, values
    except struct.error:
        return
