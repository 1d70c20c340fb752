"""Edge Glass: multimodal training data as self-contained Parquet, every source row accounted for.

>>> import edge_glass
>>> ds = edge_glass.load("clotho", repo="org/edge-glass", version="1.0.0", split="train")
>>> ds[0]["audio"]["array"], ds[0]["audio"]["sampling_rate"]
"""

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_glass.core.errors import EdgeGlassError
    from edge_glass.corpora.corpus import Corpus
    from edge_glass.corpora.params import CorpusConfig
    from edge_glass.media.features import Audio, Image
    from edge_glass.pipeline.build import build
    from edge_glass.release.load import load

__version__ = version("edge-glass")
__all__ = ["Audio", "Corpus", "CorpusConfig", "EdgeGlassError", "Image", "build", "load"]

_HOMES = {
    "Audio": "media.features",
    "Corpus": "corpora.corpus",
    "CorpusConfig": "corpora.params",
    "EdgeGlassError": "core.errors",
    "Image": "media.features",
    "build": "pipeline.build",
    "load": "release.load",
}


class _Package(ModuleType):
    """Keeps `edge_glass.load` and `edge_glass.build` functions once their modules are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import edge_glass` alone stays fast."""
    if name == "train":
        return import_module("edge_glass.train")
    if name not in _HOMES:
        raise AttributeError(f"module 'edge_glass' has no attribute {name!r}")
    return getattr(import_module(f"edge_glass.{_HOMES[name]}"), name)
