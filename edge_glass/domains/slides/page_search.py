"""Pages found by what they look like: a column that is embedded, asked with the queries' texts."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_glass.core.errors import ConfigError
from edge_glass.domains.slides.retrieval_set import RetrievalSet, rows
from edge_glass.vectors import exact_search, late_search
from edge_glass.vectors.numbered_rows import SPLIT, Filter, Table
from edge_glass.vectors.query import Column, Query, encoder_of, takes
from edge_glass.vectors.stored_vectors import Stored, Tokens, chosen, stored
from edge_glass.vectors.text_encoders import normal

AT_ONCE = 32  # queries
Array = np.ndarray[Any, Any]
Run = dict[str, dict[str, float]]  # the documents of each query, with their scores


def ranked(qa_set: RetrievalSet, split: str, name: str, indexed: bool, depth: int) -> Run:
    """The `depth` best pages of each query by an embedded column, `column:encoder`.

    All pages of the split are compared, or with `indexed` those that the column's index gives.
    Raises EdgeGlassError if the column is not embedded, or by a model that takes no texts.
    """
    column = chosen(stored(qa_set.corpus), name, late=True)
    if not takes(column, "text"):
        raise ConfigError(f"{column.name}: its model takes no texts: embed with one that does")
    column.check()
    among = Table(qa_set.corpus).passing([Filter(SPLIT, "=", split)], unsafe=True)
    assert among is not None
    pages = np.flatnonzero(among).tolist()
    ids = dict(zip(pages, (row["page"] for row in rows(qa_set.corpus, split, "page")), strict=True))
    asked = qa_set.questions(split)
    hits = (_by_index if indexed else _exactly)(column, [*asked.values()], among, depth)
    return {
        query: {ids[n]: s for n, s in zip(rows_.tolist(), scores.tolist(), strict=True) if n >= 0}
        for query, (rows_, scores) in zip(asked, hits, strict=True)
    }


def _exactly(
    column: Stored, texts: list[str], among: Array, depth: int
) -> Iterator[tuple[Array, Array]]:
    """Rows and scores of the best pages of each text, all of them compared in one go."""
    encoder = encoder_of(column, "text")
    starts = range(0, len(texts), AT_ONCE)
    batches = (encoder.encode([*map(encoder.prepare, texts[at : at + AT_ONCE])]) for at in starts)
    queries = [query for batch in batches for query in batch]
    if isinstance(column, Tokens):
        places, scores = late_search.top(
            [*map(normal, queries)], column, depth, np.flatnonzero(among)
        )
    else:
        blocks = ((n[among[n]], normal(vectors[among[n]])) for n, vectors in column.blocks())
        places, scores = exact_search.top(normal(queries), blocks, depth)
    yield from zip(places, scores, strict=True)


def _by_index(
    column: Stored, texts: list[str], among: Array, depth: int
) -> Iterator[tuple[Array, Array]]:
    """Rows and scores of the best pages of each text, by the column's index."""
    indexed = Column(column)
    for text in texts:
        hits = indexed.index.find(indexed.vector(Query("text", text)), depth, among)
        yield hits.rows, hits.scores
