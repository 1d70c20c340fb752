"""Edge Glass: multimodal training data as self-contained Parquet, every source row accounted for.

>>> import edge_glass as eg
>>> made = eg.build("clotho_16k", out="data", raw="/data/CLOTHO", jobs=4)
>>> eg.verify("data")
[]
>>> ds = eg.load("clotho", repo="org/edge-glass", version="1.0.0", split="train")
>>> ds[0]["audio"]["array"], ds[0]["audio"]["sampling_rate"]

`edge_glass.train` has what training calls, `edge_glass.builder` what a new corpus imports.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edge_glass.core import lazy_names

if TYPE_CHECKING:
    from edge_glass import builder, train
    from edge_glass.api import Build, audit, build, export, load, plan, push, verify
    from edge_glass.api_models import align, score
    from edge_glass.api_versions import (
        amend,
        append,
        caption,
        compact,
        diff,
        history,
        page,
        why,
        withdraw,
    )
    from edge_glass.core.errors import (
        ChoiceError,
        ConfigError,
        DataError,
        EdgeGlassError,
        HubError,
        NetworkError,
        SourceError,
        SpaceError,
    )
    from edge_glass.core.version import VERSION as __version__  # noqa: F401
    from edge_glass.corpora.understand import Choices
    from edge_glass.sources.row_fetch import Limits, Network

__all__ = [
    "Build",
    "ChoiceError",
    "Choices",
    "ConfigError",
    "DataError",
    "EdgeGlassError",
    "HubError",
    "Limits",
    "Network",
    "NetworkError",
    "SourceError",
    "SpaceError",
    "align",
    "amend",
    "append",
    "audit",
    "build",
    "builder",
    "caption",
    "compact",
    "diff",
    "export",
    "history",
    "load",
    "page",
    "plan",
    "push",
    "score",
    "train",
    "verify",
    "why",
    "withdraw",
]


class _Room(ModuleType):
    # the room `audit`, which is called like a function, can be called as one, and helps as one

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        doc: str | None = lazy_names.load("edge_glass", "audit").__doc__
        return doc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return lazy_names.load("edge_glass", "audit")(*args, **kwargs)


class _Package(ModuleType):
    """Sees to it that `audit` can be called, whoever imports it first."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "audit":
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import edge_glass` alone stays fast."""
    return lazy_names.load(__name__, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
