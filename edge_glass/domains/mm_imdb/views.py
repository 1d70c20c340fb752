"""Views of an image and of a text: view 0 as it is, the others augmented, the same on every run.

Images as SimCLR does (Chen et al., 2020, appendix A), in the form of the paper's MM-IMDb pipeline:
a random crop to 224x224 (8 to 100% of the area, bicubic), a flip, colour jitter, gray, blur. Texts
as BERT masks (Devlin et al., 2019): 15% of the words become `[MASK]`. Pillow's operations are those
that torchvision uses on Pillow images, but for the blur: three box filters, close to a Gaussian.
"""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

SIZE = 224  # pixels
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # of the crop
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
P_FLIP, P_JITTER, P_GRAY, P_BLUR = 0.5, 0.8, 0.2, 0.5
SIGMA = (0.1, 2.0)  # pixels, of the blur
MASKED, MASK = 0.15, "[MASK]"
NOISE, NOISE_LIMIT = 0.1, 0.2  # of labels: standard deviation, and how far at most

Random = np.random.Generator
SIMCLR: dict[str, Any] = {
    "size": SIZE, "scale": list(AREA), "jitter": list(JITTER.values()), "p_flip": P_FLIP,
    "p_jitter": P_JITTER, "p_gray": P_GRAY, "p_blur": P_BLUR, "sigma": list(SIGMA),
}  # fmt: skip


def random(row: int, view: int, salt: str, seed: int = 123) -> Random:
    """The generator of one view of one row: its seed is that of the paper's pipeline.

    `int(sha256(f"{seed}:{row}:{view}:{salt}")[:8], 16)`; what is drawn from it is NumPy's.
    """
    return np.random.Generator(np.random.PCG64(seed_of(row, view, salt, seed)))


def seed_of(row: int, view: int, salt: str, seed: int = 123) -> int:
    """The seed of one view of one row, as the paper's pipeline has it."""
    digest = hashlib.sha256(f"{seed}:{row}:{view}:{salt}".encode()).hexdigest()
    return int(digest[:8], 16)


def image_view(image: Image.Image, row: int, view: int, seed: int = 123) -> Image.Image:
    """View `view` of an RGB image: the image itself for 0, else 224x224 pixels."""
    if view == 0:
        return image
    draw = random(row, view, "image", seed)
    image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=_crop(*image.size, draw))
    if draw.random() < P_FLIP:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if draw.random() < P_JITTER:
        image = _jittered(image, draw)
    if draw.random() < P_GRAY:
        image = image.convert("L").convert("RGB")
    if draw.random() < P_BLUR:
        image = image.filter(ImageFilter.GaussianBlur(draw.uniform(*SIGMA)))
    return image


def text_view(text: str, row: int, view: int, seed: int = 123) -> str:
    """View `view` of a text: the text itself for 0, else words masked and single spaces."""
    words = text.split()
    if view == 0 or not words:
        return text
    count = max(1, round(MASKED * len(words)))
    for place in random(row, view, "text", seed).choice(len(words), count, replace=False):
        words[place] = MASK
    return " ".join(words)


def labels_view(labels: Any, row: int, view: int, seed: int = 123) -> Any:
    """View `view` of multi-hot labels (float32): with noise for all but 0, within [0, 1]."""
    if view == 0:
        return labels
    noise = random(row, view, "labels", seed).normal(0, NOISE, len(labels)).astype(np.float32)
    noise = np.clip(noise, -NOISE_LIMIT, NOISE_LIMIT)
    return np.clip(labels + noise, 0, 1).astype(np.float32)


def _crop(width: int, height: int, draw: Random) -> tuple[int, int, int, int]:
    """A box of a random area and shape; after ten that do not fit, the middle."""
    for _ in range(10):
        area = width * height * draw.uniform(*AREA)
        ratio = math.exp(draw.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(draw.integers(width - w + 1)), int(draw.integers(height - h + 1))
            return left, top, left + w, top + h
    return middle(width, height)


def middle(width: int, height: int) -> tuple[int, int, int, int]:
    """The largest box in the middle whose shape is one of a crop's."""
    w = min(width, round(height * RATIO[1]))
    h = min(height, round(width / RATIO[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def _jittered(image: Image.Image, draw: Random) -> Image.Image:
    """Brightness, contrast, saturation and hue changed, in a random order."""
    for number in draw.permutation(4):
        name = list(JITTER)[number]
        image = CHANGES[name](image, draw.uniform(-JITTER[name], JITTER[name]))
    return image


def _shifted(image: Image.Image, turn: float) -> Image.Image:
    """The hue turned by `turn` of a whole turn."""
    hue, saturation, value = image.convert("HSV").split()
    step = int(turn * 255)
    hue = hue.point([(level + step) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


CHANGES: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "brightness": lambda image, by: ImageEnhance.Brightness(image).enhance(1 + by),
    "contrast": lambda image, by: ImageEnhance.Contrast(image).enhance(1 + by),
    "saturation": lambda image, by: ImageEnhance.Color(image).enhance(1 + by),
    "hue": _shifted,
}
