"""Perceptual hashes of images, and of what is left of them when their edges are cut off.

The hash is that of PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
Algorithm", 2019): the signs of 16 x 16 low frequencies of a small grey copy against their median,
256 bits. It survives other encodings, sizes and colours, but no crop. So each image is also hashed
as it is with up to a tenth of its sides cut off (two sizes, nine places), and an image that was
cropped meets one of these.
"""

from itertools import product
from typing import Any

import numpy as np
from PIL import Image

SIDE = 64  # of the grey copy that is hashed
COPY = 192  # of the one that windows are cut from
FREQUENCIES, LOW = 16, 8
SCALES, PLACES = (0.95, 0.9), 3
BAND_BITS, BANDS = 20, 32  # bits that two images share in one band at least
Array = np.ndarray[Any, Any]


def _windows() -> list[tuple[int, int]]:
    """Of what is hashed the sides across and down, as numbers of `SPANS`; the whole image first."""
    sides = [range(1, 1 + PLACES), range(1 + PLACES, 1 + 2 * PLACES)]
    return [(0, 0), *(pair for each in sides for pair in product(each, each))]


def _spans() -> list[tuple[float, float]]:
    """Where sides begin and end, as shares of the image's."""
    starts = [(scale, (1 - scale) * n / (PLACES - 1)) for scale in SCALES for n in range(PLACES)]
    return [(0.0, 1.0), *((start, start + scale) for scale, start in starts)]


def _cosines() -> Array:
    steps, waves = np.arange(SIDE) + 0.5, np.arange(1, FREQUENCIES + 1)
    return np.asarray(np.cos(np.pi / SIDE * steps * waves[:, None]).astype(np.float32))


def _waves(start: float, end: float) -> Array:
    """What a line of the copy is multiplied with: a span of it made `SIDE` long, and its waves.

    Made shorter as Pillow does it: each value the mean of those around, the near ones most.
    """
    width = COPY * (end - start) / SIDE
    middles = COPY * start + (np.arange(SIDE) + 0.5) * width
    weights = np.maximum(0, 1 - np.abs(np.arange(COPY) + 0.5 - middles[:, None]) / width)
    matrix: Array = _cosines() @ (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def _masks() -> list[int]:
    """Bits that a band compares, drawn once and for all; as signed numbers of 64 bits."""
    draw = np.random.Generator(np.random.PCG64(8))
    chosen = [draw.permutation(LOW * LOW)[:BAND_BITS] for _ in range(BANDS)]
    return [int(np.int64(np.uint64(sum(1 << int(bit) for bit in bits)))) for bits in chosen]


WINDOWS = _windows()
WAVES = np.stack([_waves(*span) for span in _spans()])
MASKS = _masks()


def prints(image: Image.Image) -> Array:
    """Hashes of the image and its windows: int64 of shape (19, 5).

    The first column has 64 bits of the lowest frequencies, by which candidates are found, the other
    four the 256 bits that are compared.
    """
    grey = image.convert("L")
    small = max(grey.size) > COPY
    copy = grey.resize((COPY, COPY), Image.Resampling.BOX if small else Image.Resampling.BILINEAR)
    strips = np.split(np.asarray(copy, np.float32), COPY // SIDE, axis=1)
    # so small that BLAS leaves them to one thread
    lines = np.concatenate([WAVES @ strip for strip in strips], axis=2)
    waves = np.stack([lines[down] @ WAVES[across].T for across, down in WINDOWS])
    parts = (waves[:, :LOW, :LOW].reshape(len(waves), -1), waves.reshape(len(waves), -1))
    bits = [part > np.median(part, axis=1, keepdims=True) for part in parts]
    hashes: Array = np.packbits(np.concatenate(bits, axis=1), axis=1).view(">i8").astype(np.int64)
    return hashes


def contrast(image: Image.Image) -> float:
    """Standard deviation of a small grey copy, in levels of 255."""
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return float(np.asarray(grey, dtype=np.float32).std())
