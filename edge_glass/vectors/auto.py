"""Any model that `transformers` opens by its config and that takes images or sounds.

CLIP, SigLIP, SigLIP 2, CLAP, DINOv2, DINOv3 and those to come: the class that the config names has
`get_image_features`, `get_text_features` or `get_audio_features`, or takes one modality and gives a
pooled output, or states whose mean is taken. The model's own processor reads the media.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from edge_glass.core.errors import ConfigError
from edge_glass.media import audio, images
from edge_glass.vectors import torch_encoder
from edge_glass.vectors.models import Modality, Model

Array = np.ndarray[Any, Any]
Inputs = dict[str, Array]
INPUTS: dict[str, Modality] = {
    "pixel_values": "image",
    "input_ids": "text",
    "input_values": "audio",
    "input_features": "audio",
}
PARTS = {"image": "vision_config", "text": "text_config", "audio": "audio_config"}
SIZES = ("projection_dim", "projection_size", "hidden_size", "d_model")


def modalities(model: Model) -> tuple[Modality, ...]:
    """What the class of the model takes; raises ConfigError if `transformers` has no such class."""
    net = _class(model)
    joint: list[Modality] = [each for each in PARTS if hasattr(net, f"get_{each}_features")]  # type: ignore[misc]
    if joint:
        return tuple(joint)
    if (only := INPUTS.get(net.main_input_name)) is None:
        raise ConfigError(f"{model.name}: takes {net.main_input_name}: no images, sounds or texts")
    return (only,)


def dim(model: Model, modality: Modality) -> int:
    """How long a vector is, by the config. Raises ConfigError if that is silent."""
    whole = config(model)
    for part in (whole, getattr(whole, PARTS[modality], None)):
        for name in SIZES:
            if size := getattr(part, name, None):
                return int(size)
    raise ConfigError(f"{model.name}: its config says none of {', '.join(SIZES)}")


def prepare(model: Model, modality: Modality) -> Callable[[Any], Any]:
    """What gives the arrays of a row of media; a text stays one."""
    return str if modality == "text" else Reader(model, modality)


@dataclass(frozen=True)
class Reader:
    """Bytes of an image or a sound -> arrays, as the model's processor makes them; picklable."""

    model: Model
    modality: Modality

    def __call__(self, data: Any) -> Inputs:
        """One row (an image may be Pillow's, too), with an axis for the batch."""
        if self.modality == "image":
            image = images.rgb(data) if isinstance(data, bytes) else data.convert("RGB")
            features = processor(self.model, "AutoImageProcessor")(image, return_tensors="np")
            return {name: np.asarray(value) for name, value in features.items()}
        reads = processor(self.model, "AutoFeatureExtractor")
        samples, rate = audio.waveform(data, reads.sampling_rate)
        # CLAP would draw at random which part of a longer sound it hears: always its beginning
        samples = samples[: getattr(reads, "nb_max_samples", None)]
        features = reads(samples, sampling_rate=rate, return_tensors="np")
        return {name: np.asarray(value) for name, value in features.items()}


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """The forward pass to a vector a row."""
    return forward(model, modality, device, "AutoModel", _pooled)


def _pooled(output: Any) -> Any:
    if not hasattr(output, "last_hidden_state"):
        return output
    pooled = getattr(output, "pooler_output", None)
    return output.last_hidden_state.mean(1) if pooled is None else pooled


def forward(
    model: Model, modality: Modality, device: str, kind: str, result: Callable[[Any], Any]
) -> Callable[[Sequence[Any]], Any]:
    """The forward pass of a class of `transformers`, and `result` of what it gives.

    Rows whose arrays have other shapes go through by themselves.
    """
    import torch
    import transformers

    net = torch_encoder.weights(getattr(transformers, kind), model, device, optional="")
    encode = getattr(net, f"get_{modality}_features", net)
    texts = _texts(model) if modality == "text" else None

    def compute(inputs: Inputs) -> Any:
        tensors = {name: torch.from_numpy(value).to(device) for name, value in inputs.items()}
        cast = {n: t.to(net.dtype) if t.is_floating_point() else t for n, t in tensors.items()}
        return result(encode(**cast))

    def run(rows: Sequence[Any]) -> Any:
        if texts:
            return compute(texts(rows))
        alike: dict[Any, list[int]] = {}
        for number, row in enumerate(rows):
            shapes = tuple((name, value.shape) for name, value in row.items())
            alike.setdefault(shapes, []).append(number)
        parts = [
            compute({name: np.concatenate([rows[at][name] for at in some]) for name, _ in shapes})
            for shapes, some in alike.items()
        ]
        order = np.argsort([at for some in alike.values() for at in some])
        return torch.cat(parts)[torch.from_numpy(order).to(device)]

    return torch_encoder.forward(run)


def _texts(model: Model) -> Callable[[Sequence[str]], Inputs]:
    """The model's tokenizer; texts are as long as the model's are where it masks nothing."""
    tokens = torch_encoder.tokenizer(model)
    part = getattr(config(model), "text_config", None)
    longest = min(tokens.model_max_length, getattr(part, "max_position_embeddings", 512))
    masked = "attention_mask" in tokens.model_input_names

    def tokenize(rows: Sequence[str]) -> Inputs:
        tokenized = tokens(
            list(rows), padding=True if masked else "max_length", truncation=True,
            max_length=longest, return_tensors="np",
        )  # fmt: skip
        return {name: tokenized[name] for name in tokens.model_input_names if name in tokenized}

    return tokenize


@cache
def processor(model: Model, kind: str) -> Any:
    """What reads images or sounds for a model: `kind` is a class of `transformers`.

    Raises ConfigError if it cannot be loaded.
    """
    import transformers

    try:
        loaded = getattr(transformers, kind).from_pretrained(
            model.folder, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"{model.name}: no processor that reads its media: {error}") from None
    return getattr(loaded, "feature_extractor", loaded)


@cache
def config(model: Model) -> Any:
    """The config as `transformers` reads it; raises ConfigError if it cannot."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(
            model.folder, trust_remote_code=False, local_files_only=True
        )
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{model.name}: transformers cannot read its config: {error}") from None


def _class(model: Model) -> Any:
    from transformers import MODEL_MAPPING

    known = config(model)
    try:
        return MODEL_MAPPING[type(known)]
    except KeyError:
        raise ConfigError(
            f"{model.name}: transformers has no model without a head for {known.model_type}"
        ) from None
