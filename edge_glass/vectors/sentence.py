"""Sentence encoders in the layout of sentence-transformers: pooling, then layers, then length 1.

`modules.json` says which of these there are; a model without one is pooled by its mean.
"""

from collections.abc import Callable, Sequence
from typing import Any

from edge_glass.core.errors import ConfigError
from edge_glass.vectors import torch_encoder
from edge_glass.vectors.models import Modality, Model

LONGEST = 512  # tokens, where the model does not say


def modalities(model: Model) -> tuple[Modality, ...]:
    """What it takes."""
    return ("text",)


def dim(model: Model, modality: Modality) -> int:
    """Numbers of an embedding."""
    layers = _modules(model, "Dense")
    if layers:
        return int(model.read(f"{layers[-1]}/config.json")["out_features"])
    config = model.config
    return int(config.get("hidden_size") or config.get("d_model") or config["dim"])


def prepare(model: Model, modality: Modality) -> Callable[[Any], Any]:
    """What makes a row ready for a batch, without weights."""
    return str


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """What turns a batch into embeddings; reads the weights."""
    from torch.nn.functional import normalize
    from transformers import AutoModel

    net, tokens = torch_encoder.weights(AutoModel, model, device), torch_encoder.tokenizer(model)
    longest = model.read("sentence_bert_config.json").get("max_seq_length")
    longest = longest or min(tokens.model_max_length, LONGEST)
    pooling = [model.read(f"{folder}/config.json") for folder in _modules(model, "Pooling")]
    by_first = any(one.get("pooling_mode_cls_token") for one in pooling)
    layers = [_dense(model, folder, net) for folder in _modules(model, "Dense")]
    unit = bool(_modules(model, "Normalize"))

    def compute(rows: Sequence[str]) -> Any:
        inputs = tokens(
            list(rows), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        ).to(device)
        states = net(**inputs).last_hidden_state
        pooled = (
            states[:, 0]
            if by_first
            else torch_encoder.masked_mean(states, inputs["attention_mask"])
        )
        pooled = pooled.to(net.dtype)
        for layer in layers:
            pooled = layer(pooled)
        return normalize(pooled.float(), dim=1) if unit else pooled

    return torch_encoder.forward(compute)


def _modules(model: Model, kind: str) -> list[str]:
    """The folders of the modules of a kind, in order."""
    modules: Any = model.read("modules.json") or []
    return [str(module["path"]) for module in modules if module["type"].endswith(f".{kind}")]


def _dense(model: Model, folder: str, net: Any) -> Callable[[Any], Any]:
    from safetensors.torch import load_file
    from torch import tanh
    from torch.nn.functional import linear

    path = model.folder / folder / "model.safetensors"
    if not path.is_file():
        raise ConfigError(f"{model.name}: no {folder}/model.safetensors, nothing else is loaded")
    tensors = {name: tensor.to(net.device, net.dtype) for name, tensor in load_file(path).items()}
    weight, bias = tensors["linear.weight"], tensors.get("linear.bias")
    activation = model.read(f"{folder}/config.json").get("activation_function", "")
    if activation.endswith("Identity"):
        return lambda pooled: linear(pooled, weight, bias)
    if activation.endswith("Tanh"):
        return lambda pooled: tanh(linear(pooled, weight, bias))
    raise ConfigError(f"{model.name}: {folder} has the activation {activation!r}, unknown here")
