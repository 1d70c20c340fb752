"""Views drawn number for number as the paper's MM-IMDb pipeline draws them, without torchvision.

That code seeds Python's `random` for a text's masks, and torch for what torchvision's transforms
draw: RandomResizedCrop to 224 (bicubic), RandomHorizontalFlip, ColorJitter, RandomGrayscale,
GaussianBlur of 23x23 weights. torch's generator on a CPU is the Mersenne Twister, and so is NumPy's
RandomState: the draws are the same numbers.
"""

import io
import math
import random
from typing import Any

import numpy as np
from PIL import Image

from edge_glass.domains.mm_imdb import views
from edge_glass.domains.mm_imdb.views import AREA, JITTER, MASK, MASKED, RATIO, SIGMA, SIZE

KERNEL = 23  # weights of the blur, a side


class TorchDraws:
    """What torch draws after `manual_seed`, one number at a time."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed)

    def bits(self) -> int:
        """32 random bits."""
        return int(self._state.randint(0, 2**32, dtype=np.uint32))

    def uniform(self, low: float = 0, high: float = 1) -> float:
        """`torch.empty(1).uniform_(low, high)`; `torch.rand(1)`."""
        share, width = (self.bits() & 0xFFFFFF) / 2**24, np.float32(high) - np.float32(low)
        return float(np.float32(share * float(width) + float(np.float32(low))))  # rounded once

    def below(self, limit: int) -> int:
        """`torch.randint(0, limit, (1,))`."""
        return self.bits() % limit

    def order(self, count: int) -> list[int]:
        """`torch.randperm(count)`."""
        shuffled = list(range(count))
        for place in range(count - 1):
            other = place + self.bits() % (count - place)
            shuffled[place], shuffled[other] = shuffled[other], shuffled[place]
        return shuffled


def opened(data: bytes) -> Image.Image:
    """An image as that code opens it: neither turned nor converted to sRGB."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def image_view(image: Image.Image, row: int, view: int, seed: int = 123) -> Image.Image:
    """View `view` of an RGB image: the image itself for 0, else 224x224 pixels."""
    if view == 0:
        return image
    draw = TorchDraws(views.seed_of(row, view, "image", seed))
    box = _crop(*image.size, draw)
    image = image.crop(box).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    if draw.uniform() < views.P_FLIP:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if draw.uniform() <= views.P_JITTER:
        image = _jittered(image, draw)
    if draw.uniform() < views.P_GRAY:
        image = image.convert("L").convert("RGB")
    if draw.uniform() <= views.P_BLUR:
        image = blurred(image, draw.uniform(*SIGMA))
    return image


def text_view(text: str, row: int, view: int, seed: int = 123) -> str:
    """View `view` of a text: the text itself for 0, else words masked and single spaces."""
    words = text.split()
    if view == 0 or not words:
        return text
    places = list(range(len(words)))
    random.Random(views.seed_of(row, view, "text", seed)).shuffle(places)
    for place in places[: max(1, round(MASKED * len(words)))]:
        words[place] = MASK
    return " ".join(words)


def _crop(width: int, height: int, draw: TorchDraws) -> tuple[int, int, int, int]:
    """RandomResizedCrop's box; after ten that do not fit, the middle."""
    low, high = (float(np.log(np.float32(ratio))) for ratio in RATIO)
    for _ in range(10):
        area = width * height * draw.uniform(*AREA)
        ratio = float(np.exp(np.float32(draw.uniform(low, high))))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            top, left = draw.below(height - h + 1), draw.below(width - w + 1)
            return left, top, left + w, top + h
    return views.middle(width, height)


def _jittered(image: Image.Image, draw: TorchDraws) -> Image.Image:
    """ColorJitter: the order is drawn first, then what each of four is changed by."""
    order = draw.order(len(JITTER))
    changes = [
        draw.uniform(-by, by) if name == "hue" else draw.uniform(1 - by, 1 + by) - 1
        for name, by in JITTER.items()
    ]
    for number in order:
        image = views.CHANGES[list(JITTER)[number]](image, changes[number])
    return image


def blurred(image: Image.Image, sigma: float) -> Image.Image:
    """GaussianBlur: a convolution with 23x23 weights, mirrored at the edges, rounded."""
    places = np.linspace(-(KERNEL - 1) / 2, (KERNEL - 1) / 2, KERNEL)
    weights = np.exp(-((places / sigma) ** 2) / 2)
    weights /= weights.sum()
    side = KERNEL // 2
    pixels: Any = np.pad(np.asarray(image, float), ((side, side), (side, side), (0, 0)), "reflect")
    for axis, length in enumerate((image.height, image.width)):
        parts = (np.take(pixels, range(n, n + length), axis) for n in range(KERNEL))
        pixels = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))
