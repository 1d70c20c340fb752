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
SCALES = (0.95, 0.9)
BAND_BITS, BANDS = 20, 32  # bits that two images share in one band at least
Array = np.ndarray[Any, Any]


def _windows() -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of what is hashed, the whole image first."""
    found = [(0.0, 0.0, 1.0, 1.0)]
    for scale in SCALES:
        places = (0.0, (1 - scale) / 2, 1 - scale)
        found += [(x, y, x + scale, y + scale) for x, y in product(places, places)]
    return found


def _cosines() -> Array:
    steps, waves = np.arange(SIDE) + 0.5, np.arange(1, FREQUENCIES + 1)
    found: Array = np.cos(np.pi / SIDE * steps * waves[:, None]).astype(np.float32)
    return found


def _masks() -> list[int]:
    """Bits that a band compares, drawn once and for all; as signed numbers of 64 bits."""
    draw = np.random.Generator(np.random.PCG64(8))
    chosen = [draw.permutation(LOW * LOW)[:BAND_BITS] for _ in range(BANDS)]
    return [int(np.int64(np.uint64(sum(1 << int(bit) for bit in bits)))) for bits in chosen]


WINDOWS = _windows()
COSINES = _cosines()
MASKS = _masks()


def prints(image: Image.Image) -> Array:
    """Hashes of the image and its windows: int64 of shape (19, 5).

    The first column has 64 bits of the lowest frequencies, by which candidates are found, the other
    four the 256 bits that are compared.
    """
    grey = image.convert("L")
    small = max(grey.size) > COPY
    copy = grey.resize((COPY, COPY), Image.Resampling.BOX if small else Image.Resampling.BILINEAR)
    return np.stack([_hash(copy, window) for window in WINDOWS])


def contrast(image: Image.Image) -> float:
    """Standard deviation of a small grey copy, in levels of 255."""
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return float(np.asarray(grey, dtype=np.float32).std())


def _hash(copy: Image.Image, window: tuple[float, float, float, float]) -> Array:
    box = tuple(COPY * side for side in window)
    small = copy.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)  # type: ignore[arg-type]
    waves = COSINES @ np.asarray(small, dtype=np.float32) @ COSINES.T
    low = waves[:LOW, :LOW]
    bits = np.concatenate([(low > np.median(low)).ravel(), (waves > np.median(waves)).ravel()])
    found: Array = np.packbits(bits).view(">i8").astype(np.int64)
    return found
