"""Models of several modalities in the layout of sentence-transformers, run by that library.

Qwen3-VL-Embedding and the like: `modules.json`, and a processor for more than texts.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from edge_glass.core.errors import ConfigError
from edge_glass.core.extras import needs
from edge_glass.media import audio, images
from edge_glass.vectors import auto
from edge_glass.vectors.models import Modality, Model

OURS = "sentence_transformers."  # modules of other packages would be code of the model's own


def modalities(model: Model) -> tuple[Modality, ...]:
    """What the model says it takes, of images, texts and sounds."""
    supported = _loaded(model).modalities
    return tuple(each for each in auto.PARTS if each in supported)  # type: ignore[misc]


def dim(model: Model, modality: Modality) -> int:
    """How long a vector is."""
    return int(_loaded(model).get_embedding_dimension())


def prepare(model: Model, modality: Modality) -> Callable[[Any], Any]:
    """What gives the image, sound or text that the library takes."""
    if modality == "image":
        return images.rgb
    return partial(_sound, model) if modality == "audio" else str


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """The library's own `encode`."""
    net = _loaded(model).to(device)
    return lambda rows: net.encode(list(rows), batch_size=len(rows), show_progress_bar=False)


def _sound(model: Model, data: bytes) -> dict[str, Any]:
    samples, rate = audio.waveform(
        data, auto.processor(model, "AutoFeatureExtractor").sampling_rate
    )
    return {"array": samples, "sampling_rate": rate}


@cache
def _loaded(model: Model) -> Any:
    needs(model.name, "multimodal", "sentence_transformers")
    modules: Any = model.read("modules.json")
    if foreign := [each["type"] for each in modules if not each["type"].startswith(OURS)]:
        raise ConfigError(f"{model.name}: its modules {', '.join(foreign)} are code of its own")
    from sentence_transformers import SentenceTransformer

    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    return SentenceTransformer(
        str(model.folder), device="cpu", trust_remote_code=False, local_files_only=True,
        model_kwargs={"use_safetensors": True},
    ).eval()  # fmt: skip
