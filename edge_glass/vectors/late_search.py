"""Search by late interaction: each token of a query counts the token of a page nearest to it.

Exact search compares all tokens, a row group of pages at a time. With an index over tokens, the
pages that the nearest ones stand on are compared so, and no others.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_glass.vectors.exact_search import merged
from edge_glass.vectors.stored_vectors import Tokens
from edge_glass.vectors.vector_index import Index, Neighbours

NEAR = 64  # tokens that are looked up for each one of a query
PRODUCTS = 2**24  # cosines at a time: 64 MB
Array = np.ndarray[Any, Any]


def maxsim(queries: Sequence[Array], sizes: Array, vectors: Array) -> Array:
    """The similarity of each query (tokens, dim) with each page, float32 (queries, pages).

    `sizes` are the numbers of the pages' tokens, `vectors` all tokens in order; a page without any
    has -inf.
    """
    scores = np.full((len(queries), len(sizes)), -np.inf, dtype=np.float32)
    pages, starts = np.flatnonzero(sizes), (np.cumsum(sizes) - sizes)[sizes > 0]
    step = max(1, PRODUCTS // max(1, len(vectors)))
    for number, query in enumerate(queries if len(pages) else ()):
        best = np.zeros(len(pages), dtype=np.float32)
        for at in range(0, len(query), step):
            cosines = vectors @ query[at : at + step].T
            best += np.maximum.reduceat(cosines, starts, axis=0).sum(axis=1)
        scores[number, pages] = best
    return scores


def top(
    queries: Sequence[Array], tokens: Tokens, k: int, among: Array | None = None
) -> tuple[Array, Array]:
    """Rows and scores of the k best pages of each query, as `exact_search.top` gives them.

    With `among`, numbers of rows, of those only.
    """
    places = np.full((len(queries), k), -1, dtype=np.int64)
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for first, sizes, vectors in tokens.groups(among):
        rows = np.arange(first, first + len(sizes))
        kept = np.full(len(rows), True) if among is None else np.isin(rows, among)
        scores = maxsim(queries, sizes[kept], vectors[np.repeat(kept, sizes)])
        pages = np.where(np.isneginf(scores), -1, rows[kept])
        places, best = merged((places, best), (pages, scores), k)
    return places, best


class Late:
    """Pages by an index over their tokens, then exactly."""

    def __init__(self, tokens: Tokens, index: Index) -> None:
        self.facts, self._tokens, self._index = index.facts, tokens, index

    def find(self, query: Array, k: int, among: Array | None = None) -> Neighbours:
        """The k best pages of one query (tokens, dim), of those `among` if that is given."""
        near, _ = self._index.search(query, NEAR)
        rows = np.searchsorted(self._tokens.starts, np.unique(near[near >= 0]), side="right") - 1
        rows = np.unique(rows)
        if among is not None:
            rows = rows[among[rows]]
        [places], [scores] = top([query], self._tokens, k, rows)
        known = places >= 0
        return Neighbours(places[known], scores[known], np.empty((int(known.sum()), 0)))
