"""Text encoders by name: texts -> an array of floats, one row a text.

`clip` is CLIP ViT-B/32's text tower. `module:function` is a function of yours, list of texts ->
array. Everything else is a sentence encoder, by its name on the Hub or its folder. All but your own
need `edge-glass[encode]`; a model is loaded once a process, and goes to a GPU where there is one.
"""

import importlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from edge_glass.errors import EdgeGlassError

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Encode = Callable[[list[str]], Vectors]
CLIP, CLIP_NAME = "clip", "openai/clip-vit-base-patch32"


@cache
def load(name: str) -> Encode:
    """The encoder of this name. Raises EdgeGlassError if it cannot be had."""
    if ":" in name:
        return _function(name)
    try:
        import sentence_transformers  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise EdgeGlassError(
            f"encoder {name}: {error.name} is missing: pip install 'edge-glass[encode]', or give a "
            "table that has its similarities already"
        ) from None
    try:
        return _clip(CLIP_NAME) if name == CLIP else _sentences(name)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise EdgeGlassError(
            f"encoder {name}: {said}. Is it the name of a model on the Hub, or a folder? Without "
            "the network it has to be in the Hub's cache."
        ) from None


@cache
def encoded(encode: Encode, name: str, texts: tuple[str, ...]) -> Vectors:
    """The unit vectors of a few texts that are wanted again and again."""
    parts = [encode(list(texts[start : start + 100])) for start in range(0, len(texts), 100)]
    return normal(np.concatenate(parts))


def normal(vectors: Any) -> Vectors:
    """Rows of length 1, as float32."""
    found = np.asarray(vectors, dtype=np.float32)
    unit: Vectors = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return unit


def libraries(name: str) -> dict[str, str]:
    """What the numbers depend on, as far as it is installed."""
    found = {}
    for library in () if ":" in name else ("torch", "transformers", "sentence-transformers"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _function(name: str) -> Encode:
    module, _, function = name.partition(":")
    try:
        found: Encode = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise EdgeGlassError(f"encoder {name}: {error}: write it as module:function") from None
    return found


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _clip(name: str) -> Encode:
    import torch
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    tokenizer = AutoTokenizer.from_pretrained(name)
    model: Any = CLIPTextModelWithProjection.from_pretrained(name)
    model = model.to(_device()).eval()

    def encode(texts: list[str]) -> Vectors:
        """Texts longer than CLIP's 77 tokens are cut."""
        inputs = tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
        with torch.inference_mode():
            found = model(**inputs.to(model.device)).text_embeds
        return np.asarray(found.float().cpu().numpy())

    return encode


def _sentences(name: str) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name, device=_device())

    def encode(texts: list[str]) -> Vectors:
        return np.asarray(model.encode(texts, batch_size=len(texts), show_progress_bar=False))

    return encode
