"""What goes into a build, as its manifest says it: config, parameters, sources, code, libraries."""

import json
from dataclasses import asdict
from importlib.metadata import version

import pyarrow as pa
import soundfile
import soxr

from edge_glass.core import duck, schema
from edge_glass.core.extras import installed
from edge_glass.core.manifest import REMEDY, Inputs, Source
from edge_glass.core.spec import MAIN
from edge_glass.core.version import VERSION
from edge_glass.corpora.corpus import Corpus
from edge_glass.media.features import portable
from edge_glass.sources.raw import Raw


def describe(corpus: Corpus, raw: Raw, limit: int | None) -> Inputs:
    """The part that is known before a build."""
    described = Inputs(
        manifest_version=1,
        config=corpus.config.name,
        corpus=corpus.corpus,
        version=corpus.spec().version,
        parameters=corpus.parameters(),
        limit=limit,
        builder=corpus.code_hash(),
        made_with=_libraries(corpus),
        sources=tuple(_source(corpus, raw, name) for name in sorted(raw.facts)),
        features=portable(corpus.columns()),
        own=corpus.own_spec(),
    )
    return schema.parse(Inputs, json.dumps(described.plain()).encode(), described.config, REMEDY)


def _libraries(corpus: Corpus) -> dict[str, str | None]:
    made_with: dict[str, str | None] = {
        "edge_glass": VERSION,
        "datasets": version("datasets"),
        "numpy": version("numpy"),
        "pyarrow": pa.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "soxr": soxr.__version__,
    }
    fetched = any(source.fetch for source in corpus.spec().sources.values())
    if fetched or hasattr(corpus.config, "audio_format"):
        made_with["pyav"] = installed("av")  # clips come in containers that it decodes
    if corpus.config.licences:
        made_with["packaging"] = version("packaging")  # knows the identifiers of licences
    if corpus.TABLE:
        made_with |= duck.libraries()
    made_with |= corpus.config.made_with()
    return made_with


def _source(corpus: Corpus, raw: Raw, name: str) -> Source:
    source, facts = corpus.spec().sources[name], raw.facts[name]
    published = None  # nobody can tell of an unpacked folder, or without a checksum
    if source.checksum and facts.sha256:
        published = facts.digest(source.checksum[0]) == source.checksum[1]
    elif source.hub and source.hub.revision != MAIN and facts.revision:
        published = facts.revision == source.hub.revision
    return Source(name, source.template or None, published, **asdict(facts))
