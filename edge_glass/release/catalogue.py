"""The catalogue as a page: every corpus with what it is, how much, its licence and a row of it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_glass.audit import row_preview
from edge_glass.core import outputs, pages, units
from edge_glass.core.extras import LibraryError
from edge_glass.core.progress import Progress
from edge_glass.core.spec import Source
from edge_glass.corpora import catalog
from edge_glass.corpora.corpus import Corpus
from edge_glass.media.features import described
from edge_glass.pipeline.estimate import stated_rows
from edge_glass.release.write_card import build

FILE = "index.html"


def write(out: Path, progress: Progress | None = None) -> Path:
    """Write `out/index.html` out of the catalogue and every corpus's bundled sample.

    The page is self-contained, loads nothing and runs no script.
    """
    outputs.claim(out, [FILE], {FILE: b"<title>Edge Glass: the catalogue<"})
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temp:
        corpora = [_corpus(each, Path(temp), progress) for each in catalog.loaded().values()]
    pages.write(out / FILE, "release", "catalogue.html", corpora=corpora)
    return out / FILE


def _corpus(kind: type[Corpus], temp: Path, progress: Progress | None) -> dict[str, Any]:
    """What the page says of a corpus: of its main config, and a row of its sample."""
    sample = f"{kind.corpus}_sample"
    try:
        sample_build = build(catalog.variant(sample), temp, progress=progress)
        features = sample_build.features
        row = next(iter(row_preview.sample_rows(temp / sample, sample_build, 1)), None)
    except LibraryError as error:
        (progress or Progress()).say(f"{sample} is left out: {error}")
        features, row = {}, None
    corpus = catalog.variant(kind.corpus).builder()
    sources = corpus.request().sources
    rows = {split: stated_rows(corpus, split) for split in corpus.chosen_splits()}
    known = [count for count in rows.values() if count is not None]
    total = sum(known) if len(known) == len(rows) else None
    return {
        "name": kind.corpus,
        "spec": kind.spec(),
        "rows": rows,
        "total": total,
        "published": kind.spec().expected.published.get(kind.corpus),
        "files": [*_files(list(sources.values())), *_fetched(sources, total)],
        "columns": {name: described(feature) for name, feature in features.items()},
        "row": row,
    }


def _files(sources: list[Source]) -> Iterator[str]:
    """What a build begins with: how large, how long, whether a person must download it."""
    files = [source for source in sources if not source.fetch]
    if known := sum(one.bytes or 0 for one in files):
        yield f"{'more than ' if None in [one.bytes for one in files] else ''}{units.size(known)}"
    elif files:
        yield "size not stated"
    if hours := sum(one.hours or 0 for one in sources):
        yield f"{hours:.0f} hours"
    if by_hand := sum(one.by_hand for one in files):
        yield f"{'partly ' if by_hand < len(files) else ''}downloaded by hand"


def _fetched(sources: dict[str, Source], rows: int | None) -> Iterator[str]:
    """What is fetched row by row, and about how much that is."""
    for name, source in sources.items():
        if source.fetch and source.row_bytes:
            much = f", about {units.size(rows * source.row_bytes)}" if rows else ""
            yield f"{name}, fetched row by row{much}"
