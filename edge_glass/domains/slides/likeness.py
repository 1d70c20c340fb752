"""How slides look: of one colour, or like another one of their deck."""

import io

import numpy as np
from PIL import Image

SIDE = 96  # pixels of a square thumbnail
EVEN = 2.0  # standard deviation of grey levels (of 255) below which a slide is blank
ALIKE = (
    1.5  # mean difference of grey levels below which two slides are the same, or nearly: in a real
)
# deck of 90, outlines that differ in what is lit are 0.5 to 1.2 apart, all others more than 3


def thumbnail(jpeg: bytes) -> np.ndarray:
    """A slide in grey, uint8 of shape (SIDE * SIDE,)."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG", "MPO"]) as image:
        image.draft("L", (2 * SIDE, 2 * SIDE))
        small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small).ravel()


def blank(slide: np.ndarray) -> bool:
    """Whether a slide is of one colour, or nearly."""
    return float(slide.std()) < EVEN


def nearest(slide: np.ndarray, earlier: list[np.ndarray]) -> tuple[int, float] | None:
    """The place of the earlier slide that differs least, and by how many grey levels on average."""
    if not earlier:
        return None
    wide = slide.astype(np.int16)
    differences = [float(np.abs(wide - other).mean()) for other in earlier]
    place = int(np.argmin(differences))
    return place, differences[place]
