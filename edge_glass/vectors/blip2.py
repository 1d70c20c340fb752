"""BLIP-2 (Li et al., 2023) with T5, read as the paper's MM-IMDb pipeline does.

An image is the mean of the Q-Former's query tokens, a text the mean over the tokens of the language
model's encoder (512 at most).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_glass.vectors import auto, torch_encoder
from edge_glass.vectors.models import Modality, Model

LONGEST = 512  # tokens


def modalities(model: Model) -> tuple[Modality, ...]:
    """What it takes."""
    return ("image", "text") if "d_model" in model.config.get("text_config", {}) else ("image",)


def dim(model: Model, modality: Modality) -> int:
    """Numbers of an embedding."""
    if modality == "image":
        return int(model.config["qformer_config"].get("hidden_size", 768))
    return int(model.config["text_config"]["d_model"])


prepare = auto.prepare


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """What turns a batch into embeddings; reads the weights."""
    from transformers import Blip2ForConditionalGeneration

    net = torch_encoder.weights(Blip2ForConditionalGeneration, model, device)
    return _images(net) if modality == "image" else _texts(net, model, device)


def _images(net: Any) -> Callable[[Sequence[Any]], Any]:
    net.language_model = None  # nine tenths of the memory

    def compute(rows: Sequence[Any]) -> Any:
        import torch

        pixels = torch.from_numpy(np.concatenate([row["pixel_values"] for row in rows]))
        seen = net.vision_model(pixels.to(net.device, net.dtype)).last_hidden_state
        mask = torch.ones(seen.shape[:-1], dtype=torch.long, device=seen.device)
        asked = net.query_tokens.expand(len(rows), -1, -1)
        encoded = net.qformer(
            query_embeds=asked, encoder_hidden_states=seen, encoder_attention_mask=mask
        )
        return encoded.last_hidden_state.float().mean(1)

    return torch_encoder.forward(compute)


def _texts(net: Any, model: Model, device: str) -> Callable[[Sequence[Any]], Any]:
    encoder, tokens = net.language_model.get_encoder(), torch_encoder.tokenizer(model)

    def compute(rows: Sequence[str]) -> Any:
        tokenized = tokens(
            list(rows), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).to(device)
        states = encoder(tokenized["input_ids"], attention_mask=tokenized["attention_mask"])
        return torch_encoder.masked_mean(states.last_hidden_state, tokenized["attention_mask"])

    return torch_encoder.forward(compute)
