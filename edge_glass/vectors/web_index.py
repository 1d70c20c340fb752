"""An index for a browser: of a few files on any web server it reads ranges, and nothing else.

The lists of an inverted file, their vectors as product codes (Jégou et al., 2011) of what is left
of them beside the middle of their list. Behind the codes of a list stands where the records of its
rows are; a record ends in the row's vector in numbers of 8 bits, by which the best are ordered.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_glass.core.atomic_files import Whole
from edge_glass.vectors import recall
from edge_glass.vectors.exact_search import top
from edge_glass.vectors.stored_vectors import Stored
from edge_glass.vectors.text_encoders import normal
from edge_glass.vectors.vector_index import library

PROBES, CANDIDATES = 16, 22  # lists that are read, and records to put in order: a request each
BYTES = 1_300_000  # of lists that a query reads, but for the first
CODE = 64  # bytes of a vector's code at most
PLACE = 8  # bytes: where a record begins, 5 of them, and 3 of its size
PER_LIST = 60  # vectors that a list is found from
CODED = 256  # values of a byte, and the vectors that codes are found from, at least
MOST = 127  # of a number of 8 bits
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Facts:
    """What the browser must know of an index."""

    column: str
    dim: int
    code: int  # bytes of a code
    sizes: list[int]  # of the lists
    scales: tuple[float, float]  # of the middles of lists, and of what codes stand for
    probes: int  # lists that a query reads at most
    budget: int  # bytes of lists that it reads at most, but for the first
    recall: float  # of the 10 nearest rows, measured


@dataclass(frozen=True)
class Index:
    """An index in memory: what is written, and searched to measure it."""

    middles: Array  # float32 (lists, dim)
    words: Array  # float32 (code, 256, dim / code): what a byte at a place stands for
    codes: Array  # uint8 (rows, code), list by list
    rows: Array  # int64 (rows,)
    starts: Array  # int64 (lists + 1,)
    scales: tuple[float, float]

    def search(self, query: Array, vectors: Array) -> Array:
        """The rows that a browser finds for a vector of length 1, the nearest first."""
        lists = np.argsort(-(self.middles @ query), kind="stable")[:PROBES]
        weights = np.diff(self.starts)[lists] * (self.codes.shape[1] + PLACE)
        lists = lists[: max(1, int((np.cumsum(weights) <= BYTES).sum()))]
        at = np.concatenate([np.arange(self.starts[n], self.starts[n + 1]) for n in lists])
        tables = np.einsum("cvd,cd->cv", self.words, query.reshape(len(self.words), -1))
        scores = np.repeat(self.middles[lists] @ query, np.diff(self.starts)[lists])
        scores += tables[np.arange(len(tables)), self.codes[at]].sum(1)
        best = self.rows[at[np.argsort(-scores, kind="stable")[:CANDIDATES]]]
        exact: Array = best[np.argsort(-(normal(vectors[best]) @ query), kind="stable")]
        return exact


def small(vectors: Array) -> Array:
    """Vectors as numbers of 8 bits, int8, each by its own largest; zeros where there is none."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    shrunk: Array = np.rint(vectors * MOST / np.maximum(largest, 1e-12)).astype(np.int8)
    return shrunk


def write(stored: Stored, vectors: Array, places: Array, path: Path) -> Facts:
    """Write the files `path`.lists and `path`.codes; gives what the page says of them.

    `vectors` are those of all rows as `small` makes them, `places` where their records start and
    end, uint64 (rows, 2).
    """
    index = _built(vectors, stored.dim)
    with Whole(path.with_suffix(".lists")) as file:
        for array, scale in zip((index.middles, index.words), index.scales, strict=True):
            file.write(np.rint(array / scale).astype(np.int8).tobytes())
    with Whole(path.with_suffix(".codes")) as file:
        for start, end in zip(index.starts, index.starts[1:], strict=False):
            begin, until = places[index.rows[start:end]].T
            file.write(index.codes[start:end].tobytes())
            file.write((begin << np.uint64(24) | until - begin).astype("<u8").tobytes())
    sizes: list[int] = np.diff(index.starts).tolist()
    return Facts(
        stored.column, stored.dim, index.codes.shape[1], sizes, index.scales, PROBES, BYTES,
        _recall(index, vectors, stored),
    )  # fmt: skip


def _built(vectors: Array, dim: int) -> Index:
    faiss = library()
    rows = np.flatnonzero(vectors.any(axis=1))
    places = next(n for n in range(1, dim + 1) if dim % n == 0 and dim // n <= CODE)
    lists = -(-len(rows) * (dim // places + PLACE) * PROBES // BYTES)
    lists = max(1, min(lists, len(rows) // PER_LIST))
    draw = np.random.default_rng(0).permutation(len(rows))
    sample = normal(vectors[np.sort(rows[draw[: max(lists * PER_LIST, 4 * CODED)]])])
    clusters = faiss.Kmeans(dim, lists, spherical=True, seed=1, min_points_per_centroid=1)
    clusters.train(sample)
    middles, first = _scaled(clusters.centroids)
    near = np.concatenate(
        [np.argmax(normal(vectors[part]) @ middles.T, 1) for part in _parts(rows)]
    )
    coder = faiss.ProductQuantizer(dim, dim // places, 8)
    coder.cp.min_points_per_centroid = 1
    left = sample - middles[np.argmax(sample @ middles.T, axis=1)]
    coder.train(np.resize(left, (max(CODED, len(left)), dim)))  # few are taken several times
    words, second = _scaled(faiss.vector_to_array(coder.centroids))
    faiss.copy_array_to_vector(words, coder.centroids)
    order = np.argsort(near, kind="stable")
    rows, near = rows[order], near[order]
    codes = [
        coder.compute_codes(normal(vectors[part]) - middles[lists_])
        for part, lists_ in zip(_parts(rows), _parts(near), strict=True)
    ]
    return Index(
        middles, words.reshape(-1, CODED, places), np.concatenate(codes), rows,
        np.searchsorted(near, np.arange(lists + 1)), (first, second),
    )  # fmt: skip


def _parts(rows: Array) -> list[Array]:
    return [rows[at : at + 65_536] for at in range(0, len(rows), 65_536)]


def _scaled(values: Array) -> tuple[Array, float]:
    """Numbers as 8 bits tell them, and what one of these is."""
    scale = float(np.float32(max(np.abs(values).max(), 1e-12) / MOST))
    return (np.rint(values / scale) * scale).astype(np.float32), scale


def _recall(index: Index, vectors: Array, stored: Stored) -> float:
    """Of the 10 nearest rows of some, how many a browser finds; the row itself is no finding."""
    [(numbers, queries)] = recall.queries(stored, []).values()
    near, _ = top(queries, ((n, normal(block)) for n, block in stored.blocks()), recall.K + 1)
    hits = []
    for number, query, true in zip(numbers, queries, near, strict=True):
        wanted = set(true.tolist()) - {number, -1}
        nearest = [row for row in index.search(query, vectors).tolist() if row != number]
        hits.append(len(wanted & set(nearest[: recall.K])) / max(1, min(recall.K, len(wanted))))
    return round(float(np.mean(hits)), 3)
