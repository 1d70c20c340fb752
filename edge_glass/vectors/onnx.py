"""Any ONNX model by path: what it takes is told by its input, how by the files beside it.

One float input of four axes is images (`preprocessor_config.json` beside it), `input_ids` is text
(`tokenizer.json` beside it). Its first output is the embedding, or states that are pooled by their
mean.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from edge_glass.core.errors import ConfigError
from edge_glass.vectors import auto
from edge_glass.vectors.models import Modality, Model

Array = np.ndarray[Any, Any]
LONGEST = 512  # tokens


def modalities(model: Model) -> tuple[Modality, ...]:
    """What it takes. Raises ConfigError if that is nothing we have."""
    session = _session(model)
    inputs = {put.name: len(put.shape) for put in session.get_inputs()}
    if "input_ids" in inputs:
        return ("text",)
    if list(inputs.values()) == [4]:
        return ("image",)
    raise ConfigError(f"{model.name}: takes {', '.join(inputs)}: neither images nor input_ids")


def dim(model: Model, modality: Modality) -> int:
    """Numbers of an embedding. Raises ConfigError if they are not fixed."""
    size = _session(model).get_outputs()[0].shape[-1]
    if not isinstance(size, int):
        raise ConfigError(f"{model.name}: its first output has no fixed last axis: {size!r}")
    return size


def prepare(model: Model, modality: Modality) -> Callable[[Any], Any]:
    """What makes a row ready for a batch, without weights."""
    beside = Model(model.name, model.revision, model.folder.parent, model.kind)
    return auto.prepare(beside, modality)


def load(model: Model, modality: Modality, device: str) -> Callable[[Sequence[Any]], Any]:
    """What turns a batch into embeddings; reads the weights."""
    session = _session(model)
    feed = (_images if modality == "image" else _texts)(model, session)

    def run(rows: Sequence[Any]) -> Array:
        given = feed(rows)
        output: Array = session.run(None, given)[0]
        if output.ndim == 2:
            return output
        mask = given.get("attention_mask", np.ones(output.shape[:2], dtype=np.int64))[..., None]
        pooled: Array = (output * mask).sum(1) / np.maximum(mask.sum(1), 1)
        return pooled

    return run


def _images(model: Model, session: Any) -> Callable[[Sequence[Any]], dict[str, Array]]:
    [put] = session.get_inputs()
    return lambda rows: {put.name: np.concatenate([row["pixel_values"] for row in rows])}


def _texts(model: Model, session: Any) -> Callable[[Sequence[Any]], dict[str, Array]]:
    from tokenizers import Tokenizer

    path = model.folder.parent / "tokenizer.json"
    if not path.is_file():
        raise ConfigError(f"{model.name}: no tokenizer.json beside it: how are texts read?")
    tokens = Tokenizer.from_file(str(path))
    tokens.enable_padding()
    tokens.enable_truncation(LONGEST)
    wanted = {put.name for put in session.get_inputs()}

    def feed(rows: Sequence[str]) -> dict[str, Array]:
        encodings = tokens.encode_batch(list(rows))
        all_ = {
            "input_ids": np.array([one.ids for one in encodings], dtype=np.int64),
            "attention_mask": np.array([one.attention_mask for one in encodings], dtype=np.int64),
            "token_type_ids": np.array([one.type_ids for one in encodings], dtype=np.int64),
        }
        return {name: array for name, array in all_.items() if name in wanted}

    return feed


@cache
def _session(model: Model) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(model.folder), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class of their own in common
        raise ConfigError(f"{model.name}: no ONNX model: {str(error)[:200]}") from None
