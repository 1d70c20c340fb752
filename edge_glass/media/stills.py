"""Frames as JPEG, and what can be seen of a clip in a few of them."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from edge_glass.core.ledger import Dropped, Outcome

QUALITY = 90
SUBSAMPLING = "4:2:0"  # as nearly all video has it
MAX_PIXELS = 2**24
HD = 576  # lines: what has more and does not name its colours has those of HDTV (BT.709)
UNSPECIFIED = 2  # of ITU-T H.273
TURNS = {  # signs of a display matrix
    (1, 0, 0, 1): None,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
SMALL = (32, 32)  # what two frames are compared at: coding noise is averaged away
# Deviation in grey levels of 255. Measured on black and white screens, clean and noisy: up to 0.5;
# on a scene at 3 % of its brightness, where nothing can be made out: 1.3; at 6 %: 3.
BLANK = 1.5
# The largest mean difference of neighbours, in grey levels. Measured on a still picture, clean and
# grainy, as H.264 at CRF 18 to 40: up to 0.5; with only a mouth moving in it: 0.7; film: 16 to 60.
FROZEN = 0.6


@dataclass(frozen=True, slots=True)
class Still:
    """A frame: JPEG bytes, and a small grey copy (float32 of shape 32, 32) to compare by."""

    jpeg: bytes
    small: np.ndarray


def of(frame: Any, side: int | None, aspect: Fraction) -> Still:
    """A decoded PyAV frame as it is shown, its longer side at most `side` pixels.

    `aspect` is the width of a pixel by its height.
    """
    from av.video.reformatter import Colorspace, Interpolation

    # without these flags the processor decides how a colour is rounded
    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    untold = frame.colorspace == UNSPECIFIED and frame.height > HD
    matrix = {"src_colorspace": Colorspace.ITU709} if untold else {}
    image = _turned(frame.to_image(interpolation=exact, threads=1, **matrix), frame)
    size = display_size(frame, aspect)
    if side is not None and max(size) > side:
        size = _within(size, side)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    return Still(_jpeg(image), _small(image))


def checked(jpeg: bytes) -> tuple[Still, tuple[int, int]]:
    """JPEG bytes from elsewhere as they are, with width and height; raises Dropped."""
    try:
        image = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
        if image.width * image.height > MAX_PIXELS:
            raise Dropped(Outcome.OVERSIZED_MEDIA, f"a frame of {image.width}x{image.height}")
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"a frame that is no JPEG: {error}") from None
    return Still(jpeg, _small(image)), image.size


def display_size(frame: Any, aspect: Fraction) -> tuple[int, int]:
    """Width and height of a PyAV frame as it is shown, its pixels of that aspect."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if frame.rotation % 180 != 0 else (width, height)


def _turned(image: Image.Image, frame: Any) -> Image.Image:
    """As the display matrix has it: where a pixel right of another goes to, and one below it."""
    matrix = next((bytes(d) for d in frame.side_data if d.type.name == "DISPLAYMATRIX"), b"")
    if len(matrix) < 36:
        return image
    right, right_down, _, down_right, down = struct.unpack("<5i", matrix[:20])
    steps = tuple((n > 0) - (n < 0) for n in (right, right_down, down_right, down))
    if steps in TURNS:
        turn = TURNS[steps]
        return image if turn is None else image.transpose(turn)
    return image.rotate(frame.rotation, expand=True)


def warnings(stills: Sequence[Still]) -> list[str]:
    """What the ledger should say of frames that show nothing, or always the same."""
    blank = sum(float(still.small.std()) < BLANK for still in stills)
    notes = [f"blank: {blank} of {len(stills)} frames"] if blank else []
    largest = moves(stills)
    if largest is not None and largest < FROZEN:
        notes.append(f"frozen: no two of {len(stills)} frames differ")
    return notes


def moves(stills: Sequence[Still]) -> float | None:
    """The largest mean difference of neighbours, in grey levels; None of a single frame."""
    differences = [float(np.abs(one.small - other.small).mean()) for one, other in pairwise(stills)]
    return max(differences, default=None)


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    longer = max(size)
    return max(1, round(size[0] * side / longer)), max(1, round(size[1] * side / longer))


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, subsampling=SUBSAMPLING)
    return out.getvalue()


def _small(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L").resize(SMALL, Image.Resampling.BOX), dtype=np.float32)
