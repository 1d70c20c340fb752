"""Images -> the pixels that a model was trained on, as its preprocessor_config.json says.

Resize, crop and nothing else: what is left (scale, mean, standard deviation) is done where the
weights are, so that a quarter of the bytes goes from process to process. Needs no torch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from edge_glass.core.errors import ConfigError
from edge_glass.media import images
from edge_glass.vectors.models import Model

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pixels:
    """How an image becomes an array; a picklable function of file bytes or a Pillow image."""

    shortest: int | None  # pixels that the shortest side is resized to
    size: (
        tuple[int, int] | None
    )  # width and height that the image is resized to, whatever its shape
    crop: tuple[int, int] | None  # width and height that are cut out of the middle
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float

    @staticmethod
    def of(model: Model) -> "Pixels":
        """Read a model's preprocessor config, which newer releases keep within another.

        Raises ConfigError if there is none.
        """
        settings = model.read("preprocessor_config.json")
        settings = settings or model.read("processor_config.json").get("image_processor") or {}
        if not settings:
            raise ConfigError(f"{model.name}: no preprocessor_config.json: how are images read?")
        size, crop = settings.get("size", 224), settings.get("crop_size", 224)
        size = {"shortest_edge": size} if isinstance(size, int) else size
        crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
        exact = (size["width"], size["height"]) if "width" in size else None
        return Pixels(
            shortest=size.get("shortest_edge"),
            size=exact,
            crop=(crop["width"], crop["height"]) if settings.get("do_center_crop") else None,
            resample=settings.get("resample", Image.Resampling.BICUBIC),
            mean=tuple(settings.get("image_mean", (0.5,) * 3)),
            std=tuple(settings.get("image_std", (0.5,) * 3)),
            scale=settings.get("rescale_factor", 1 / 255),
        )

    def __call__(self, value: bytes | Image.Image) -> Array:
        """uint8 array (height, width, 3)."""
        image = images.rgb(value) if isinstance(value, bytes) else value.convert("RGB")
        if self.size or self.shortest:
            image = image.resize(
                self.size or self._to(*image.size), Image.Resampling(self.resample)
            )
        if self.crop:
            width, height = self.crop
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
        return np.asarray(image)

    def _to(self, width: int, height: int) -> tuple[int, int]:
        assert self.shortest
        short, long = sorted((width, height))
        longer = int(self.shortest * long / short)
        return (self.shortest, longer) if width <= height else (longer, self.shortest)
