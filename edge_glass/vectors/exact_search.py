"""Exact search by blocks: every query against every vector, the best k kept."""

from collections.abc import Iterator
from typing import Any

import numpy as np

QUERIES = 1000  # multiplied at a time
Array = np.ndarray[Any, Any]


def top(queries: Array, blocks: Iterator[tuple[Array, Array]], k: int) -> tuple[Array, Array]:
    """Positions and similarities of the k nearest of each query, the nearest first.

    Blocks are positions and vectors of length 1. Of equal similarities the first position counts;
    where there are fewer than k, positions are -1.
    """
    places = np.full((len(queries), k), -1, dtype=np.int64)
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for positions, vectors in blocks:
        for start in range(0, len(queries), QUERIES):
            part = slice(start, start + QUERIES)
            cosines = (queries[part] @ vectors.T).astype(np.float32)
            where = np.broadcast_to(positions, cosines.shape)
            places[part], scores[part] = merged((places[part], scores[part]), (where, cosines), k)
    return places, scores


def merged(one: tuple[Array, Array], other: tuple[Array, Array], k: int) -> tuple[Array, Array]:
    """The k best of both, row by row."""
    places = np.concatenate([one[0], other[0]], axis=1)
    scores = np.concatenate([one[1], other[1]], axis=1)
    if places.shape[1] > 4 * k:  # sorting a few is enough; ties at the edge are cut by position
        edge = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        width = int((scores >= edge).sum(axis=1).max())
        some = np.argsort(scores < edge, axis=1, kind="stable")[:, :width]
        places = np.take_along_axis(places, some, 1)
        scores = np.take_along_axis(scores, some, 1)
    order = np.lexsort((places, -scores), axis=1)[:, :k]
    return np.take_along_axis(places, order, 1), np.take_along_axis(scores, order, 1)
