"""The parameters that a corpus without a builder has, by what its columns are."""

from dataclasses import dataclass
from functools import cache

from edge_glass.corpora.image_params import FetchParams, ImageParams
from edge_glass.corpora.params import AudioParams, CaptionParams, CorpusConfig, VideoParams

PARAMS: dict[str, type[CorpusConfig]] = {
    "image": ImageParams,
    "audio": AudioParams,
    "video": VideoParams,
    "caption": CaptionParams,
}


@cache
def params_of(roles: frozenset[str], fetched: bool) -> type[CorpusConfig]:
    """The parameters that configs with columns of these roles may set."""
    bases = [kind for role, kind in PARAMS.items() if role in roles]
    if VideoParams in bases and AudioParams in bases:
        bases.remove(AudioParams)  # which the other has
    bases += [FetchParams] if fetched else []
    kind = type("OwnConfig", tuple(bases) or (CorpusConfig,), {"__module__": __name__})
    return dataclass(kind)
