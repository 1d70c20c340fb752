"""CLIP (Radford et al., 2021): images and texts in one space, not normalised."""

from collections.abc import Callable, Sequence
from typing import Any

from edge_glass.vectors import torch_encoder
from edge_glass.vectors.models import Modality, Model
from edge_glass.vectors.pixels import Pixels


def modalities(model: Model) -> tuple[Modality, ...]:
    """What it takes."""
    return ("image", "text")


def dim(model: Model, modality: Modality) -> int:
    """Numbers of an embedding."""
    return int(model.config.get("projection_dim", 512))


def prepare(model: Model, modality: Modality) -> Callable[[Any], Any]:
    """What makes a row ready for a batch, without weights."""
    return Pixels.of(model) if modality == "image" else str


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """What turns a batch into embeddings; reads the weights."""
    return (_images if modality == "image" else _texts)(model, device)


def _images(model: Model, device: str) -> Callable[[Sequence[Any]], Any]:
    from transformers import CLIPVisionModelWithProjection

    net, pixels = (
        torch_encoder.weights(CLIPVisionModelWithProjection, model, device),
        Pixels.of(model),
    )
    return torch_encoder.forward(
        lambda rows: net(torch_encoder.pixel_values(rows, pixels, net)).image_embeds
    )


def _texts(model: Model, device: str) -> Callable[[Sequence[Any]], Any]:
    from transformers import CLIPTextModelWithProjection

    net, tokens = (
        torch_encoder.weights(CLIPTextModelWithProjection, model, device),
        torch_encoder.tokenizer(model),
    )
    longest = net.config.max_position_embeddings

    def compute(rows: Sequence[str]) -> Any:
        tokenized = tokens(
            list(rows), padding="max_length", truncation=True, max_length=longest,
            return_tensors="pt",
        ).to(device)  # fmt: skip
        return net(tokenized["input_ids"], tokenized["attention_mask"]).text_embeds

    return torch_encoder.forward(compute)
