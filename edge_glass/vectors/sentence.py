"""Models in the layout of sentence-transformers, run by that library, and sentence encoders.

Qwen3-VL-Embedding and the like take images and sounds, too; a model of texts that is not in that
layout is pooled by its mean. ColPali, ColQwen2 and others of late interaction give a vector for
each token of a page or a query.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from edge_glass.core.errors import ConfigError
from edge_glass.core.extras import needs
from edge_glass.media import audio, images
from edge_glass.vectors import auto, torch_encoder
from edge_glass.vectors.models import Modality, Model

OURS = "sentence_transformers."  # modules of other packages would be code of the model's own


def modalities(model: Model) -> tuple[Modality, ...]:
    """What the model says it takes, of images, texts and sounds.

    Raises ConfigError for late interaction without images.
    """
    taken = _loaded(model).modalities
    if model.kind == "late" and "image" not in taken:
        raise ConfigError(f"{model.name}: late interaction of texts alone: take one of pages")
    return tuple(each for each in auto.PARTS if each in taken)  # type: ignore[misc]


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
    if model.kind == "late":
        encode = net.encode_document if modality == "image" else net.encode_query

        def run(rows: Sequence[Any]) -> Any:
            vectors = np.empty(len(rows), dtype=object)
            for number, row in enumerate(encode(list(rows), batch_size=len(rows))):
                vectors[number] = row.float().cpu().numpy()
            return vectors

        return run
    return lambda rows: net.encode(list(rows), batch_size=len(rows), show_progress_bar=False)


def _sound(model: Model, data: bytes) -> dict[str, Any]:
    samples, rate = audio.waveform(
        data, auto.processor(model, "AutoFeatureExtractor").sampling_rate
    )
    return {"array": samples, "sampling_rate": rate}


@cache
def _loaded(model: Model) -> Any:
    needs(model.name, "encoders", "sentence_transformers")
    modules: Any = model.read("modules.json") or []
    if foreign := [each["type"] for each in modules if not each["type"].startswith(OURS)]:
        raise ConfigError(f"{model.name}: its own code is not run: {', '.join(foreign)}")
    import sentence_transformers
    import transformers

    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    kind, bare = "SentenceTransformer", "AutoModel"
    if model.kind == "late":
        kind, bare = "MultiVectorEncoder", model.config["architectures"][0]
    try:
        if model.kind != "multimodal":  # raises where weights would be left at random
            torch_encoder.weights(getattr(transformers, bare), model, "cpu")
        with torch_encoder.quietly():
            return getattr(sentence_transformers, kind)(
                str(model.folder), device="cpu", trust_remote_code=False, local_files_only=True,
                model_kwargs={"use_safetensors": True},
            ).eval()  # fmt: skip
    except (ValueError, KeyError, AttributeError, OSError) as error:
        raise ConfigError(f"{model.name}: {' '.join(str(error).split())[:200]}") from None
