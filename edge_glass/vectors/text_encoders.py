"""Text encoders by name: texts -> an array of floats, one row a text.

`module:function` is a function of yours, list of texts -> array. Everything else is a name, a
folder or an ONNX file as `edge_glass.vectors` knows them.
"""

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from edge_glass.core.errors import ConfigError
from edge_glass.core.extras import installed
from edge_glass.vectors.encoder import CODE, open_encoder

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Encode = Callable[[list[str]], Vectors]
AT_ONCE = 256  # texts in a batch


@cache
def load(name: str) -> Encode:
    """The encoder of this name, loaded once a process. Raises EdgeGlassError if there is none."""
    if ":" in name:
        return _function(name)
    encoder = open_encoder(name, "text")
    return lambda texts: encoder.encode([encoder.prepare(text) for text in texts])


def encoded(name: str, texts: Sequence[str]) -> Vectors:
    """The unit vectors of texts."""
    encode, starts = load(name), range(0, len(texts), AT_ONCE)
    return normal(np.concatenate([encode(list(texts[at : at + AT_ONCE])) for at in starts]))


def normal(vectors: Any) -> Vectors:
    """Rows of length 1, as float32."""
    array = np.asarray(vectors, dtype=np.float32)
    return np.asarray(array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12))


def libraries(name: str) -> dict[str, str]:
    """What the numbers depend on: our code around encoders, and libraries that are installed."""
    if ":" in name:
        return {}
    versions = {"encoders": CODE}
    for library in ("torch", "transformers", "sentence-transformers", "onnxruntime"):
        if version := installed(library):
            versions[library] = version
    return versions


def _function(name: str) -> Encode:
    module, _, function = name.partition(":")
    try:
        encode: Encode = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"encoder {name}: {error}: write it as module:function") from None
    return encode
