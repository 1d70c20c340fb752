"""An index for a browser: of a few files on any web server it reads ranges, and nothing else.

Vectors lie in lists, each beside the middle that it is nearest to, and lists in an order in which
neighbours are near: middles are halved along the direction in which they differ most, and the
halves again. The lists that a query wants so come in few ranges. In a list a vector is a product
code (Jégou et al., 2011) of what is left of it beside the middle, in the directions in which
vectors differ most. Another file has each vector in numbers of 8 bits, in the same order, so that
the best by their codes come in few ranges too. Rows that are asked with need none of that: a
third file has the places of each row's nearest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_glass.core.atomic_files import AtomicFile
from edge_glass.vectors import recall
from edge_glass.vectors.exact_search import top
from edge_glass.vectors.stored_vectors import Stored
from edge_glass.vectors.text_encoders import normal
from edge_glass.vectors.vector_index import library

# requests of a query: ranges of codes and of vectors, rows that are shown; 4 more are for words
PROBES, RANGES, ROWS = 14, 12, 10
CANDIDATES = 150  # rows that vectors are read for, at most
BYTES, EXACT = 850_000, 600_000  # of codes and of vectors that a query reads
MISSES = 200  # lists or rows one after another that do not fit, after which no more are tried
CODE = 32  # bytes of a vector's code at most
PLACE = 8  # bytes of where a row's record begins, 5 of them, and 3 of its size
LIST, LISTS = 125, 8192  # rows of a list, on the average, and lists at most
PER_LIST = 30  # vectors that a list is found from
CODED = 256  # values of a byte, and the vectors that codes are found from, at least
TRAINED = 20_000  # vectors that codes and the rotation are found from, at most
MOST = 127  # of a number of 8 bits
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Facts:
    """What the browser must know of an index."""

    column: str
    dim: int
    code: int  # bytes of a code
    width: int  # numbers of a vector that a byte stands for
    sizes: list[int]  # of the lists
    scales: tuple[float, float]  # of middles, and of what codes stand for
    limits: tuple[int, ...]  # of a query: RANGES, ROWS, CANDIDATES, BYTES, EXACT, MISSES
    recall: float  # of the 10 nearest rows, measured
    like_recall: float  # the same, of a row's own nearest


@dataclass(frozen=True)
class Index:
    """An index in memory: what is written, and searched to measure it."""

    middles: Array  # float32 (lists, dim)
    words: Array  # float32 (code, 256, width): what a byte at a place stands for
    scales: tuple[float, float]  # of their numbers, which are written as 8 bits
    codes: Array  # uint8 (n, code): of the rows beside the middles of their lists
    rows: Array  # int64 (n,): list by list
    starts: Array  # int64 (lists + 1,)

    def search(self, query: Array, vectors: Array) -> Array:
        """The rows that a browser finds for a vector of length 1, the nearest first."""
        near = self.middles @ query
        order = np.argsort(-near / np.linalg.norm(self.middles, axis=1), kind="stable")
        room = BYTES // self.codes.shape[1]
        at = _joined(fitting(order, self.starts[:-1], self.starts[1:], PROBES, room))
        lists = np.searchsorted(self.starts, at, side="right") - 1
        code, _, width = self.words.shape
        products = np.einsum("cvw,cw->cv", self.words, query[: code * width].reshape(code, width))
        scores = near[lists] + products[np.arange(code), self.codes[at]].sum(1)
        best = at[np.argsort(-scores, kind="stable")[:CANDIDATES]]
        places = np.arange(len(self.rows) + 1)
        room = EXACT // (len(query) + PLACE)
        nearest = self.rows[_joined(fitting(best, places[:-1], places[1:], RANGES, room))]
        return nearest[np.argsort(-(normal(vectors[nearest]) @ query), kind="stable")]


def fitting(order: Array, starts: Array, ends: Array, ranges: int, room: int) -> list[range]:
    """Ranges of what stands in a file, the best of `order` first, as many as have room.

    `starts` and `ends` are where each begins and ends. One that does not fit beside better ones is
    left out, what lies between two of a range is read with them.
    """
    kept: list[int] = []
    misses = 0
    for number in order.tolist():
        wider = sorted([*kept, number])
        gaps = np.sort(starts[wider[1:]] - ends[wider[:-1]])
        read = ends[wider[-1]] - starts[wider[0]] - gaps[-(ranges - 1) :].sum()
        if read <= room or not kept:
            kept, misses = wider, 0
        elif (misses := misses + 1) == MISSES:
            break
    gaps = starts[kept[1:]] - ends[kept[:-1]]
    cuts = np.sort(np.argsort(-gaps, kind="stable")[: ranges - 1])
    firsts, lasts = [0, *(cuts + 1)], [*cuts, len(kept) - 1]
    return [range(starts[kept[a]], ends[kept[b]]) for a, b in zip(firsts, lasts, strict=True)]


def _joined(ranges: list[range]) -> Array:
    return np.concatenate([np.arange(one.start, one.stop) for one in ranges])


def small(vectors: Array) -> Array:
    """Vectors as numbers of 8 bits, int8, each by its own largest; zeros where there is none."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.asarray(np.rint(vectors * MOST / np.maximum(largest, 1e-12)).astype(np.int8))


def rotation(vectors: Array) -> Array:
    """What turns vectors so that each part of a code has an equal share of how they differ.

    Products of vectors stay what they are if all are turned. Directions of the largest variance
    first, each goes to the part whose variances have the least product yet (Ge et al., 2013); those
    of the least stand behind, for they are in no code.
    """
    dim = vectors.shape[1]
    code, width = _code(dim)
    sample = normal(vectors[vectors.any(axis=1)][:TRAINED]).astype(np.float64)
    spread = np.cov(sample.T) if len(sample) > 1 else 0.0
    variances, directions = np.linalg.eigh(spread + 1e-9 * np.eye(dim))
    parts: list[list[int]] = [[] for _ in range(code)]
    sums = [0.0] * code
    for number in range(dim)[::-1][: code * width]:
        open_ = [part for part in range(code) if len(parts[part]) < width]
        part = min(open_, key=lambda part: sums[part])
        parts[part].append(number)
        sums[part] += float(np.log(variances[number] / variances[dim - code * width]))
    rest = np.arange(dim - code * width)
    return np.asarray(directions[:, [*np.concatenate(parts).astype(int), *rest]].astype(np.float32))


def write(
    stored: Stored, vectors: Array, turn: Array, near: Array, places: Array, path: Path
) -> Facts:
    """Write `path`.lists, .codes, .vectors and .near; gives what the page says of them.

    `vectors` are those of all rows as `small` makes them of what `turn` turned, `near` the nearest
    rows of each, int64 (rows, ROWS), -1 where there is none, and `places` where the rows' records
    start and end, uint64 (rows, 2).
    """
    index = _built(vectors)
    starts = places[:, 0] << np.uint64(24) | places[:, 1] - places[:, 0]
    with AtomicFile(path.with_suffix(".lists")) as file:
        for array, scale in zip((index.middles, index.words), index.scales, strict=True):
            file.write(np.rint(array / scale).astype(np.int8).tobytes())
    with AtomicFile(path.with_suffix(".codes")) as file:
        file.write(index.codes.tobytes())
    with AtomicFile(path.with_suffix(".vectors")) as file:
        for rows in _parts(index.rows):
            own = starts[rows].astype("<u8")[:, None].view(np.int8)
            file.write(np.hstack([own, vectors[rows]]).tobytes())
    with AtomicFile(path.with_suffix(".near")) as file:
        for rows in _parts(near):
            file.write(np.where(rows < 0, 0, starts[rows]).astype("<u8").tobytes())
    code, _, width = index.words.shape
    return Facts(
        stored.column, stored.dim, code, width, np.diff(index.starts).tolist(), index.scales,
        (RANGES, ROWS, CANDIDATES, BYTES, EXACT, MISSES),
        *_recalls(index, vectors, turn, near, stored),
    )  # fmt: skip


def _code(dim: int) -> tuple[int, int]:
    """Bytes of a code, and the numbers that each stands for: half of a long vector's."""
    code = min(CODE, dim)
    return code, max(1, dim // 2 // code)


def _built(vectors: Array) -> Index:
    rows = np.flatnonzero(vectors.any(axis=1))
    count = min(LISTS, max(1, len(rows) // LIST))
    draw = np.random.default_rng(0).permutation(len(rows))
    sample = rows[np.sort(draw[: max(count * PER_LIST, TRAINED)])]
    middles, scale = _scaled(_middles(normal(vectors[sample]), count))
    flat = library().IndexFlatL2(middles.shape[1])
    flat.add(middles)
    near = [flat.search(normal(vectors[part]), 1)[1][:, 0] for part in _parts(rows)]
    lists = np.concatenate(near)
    order = np.argsort(lists, kind="stable")
    rows, lists = rows[order], lists[order]

    def left_of(places: Array) -> Array:
        return np.asarray(normal(vectors[rows[places]]) - middles[lists[places]])

    some = np.sort(draw[:TRAINED])
    words, of_words, codes = _coded(left_of(some), map(left_of, _parts(np.arange(len(rows)))))
    starts = np.searchsorted(lists, np.arange(count + 1))
    return Index(middles, words, (scale, of_words), codes, rows, starts)


def _middles(vectors: Array, count: int) -> Array:
    """The middles of so many lists of some vectors, float32 (count, dim), in order."""
    kmeans = library().Kmeans(
        vectors.shape[1], count, niter=8, seed=1, min_points_per_centroid=1,
        max_points_per_centroid=len(vectors),
    )  # fmt: skip
    kmeans.train(vectors)
    middles: Array = kmeans.centroids
    return middles[_order(middles, np.arange(count))]


def _order(middles: Array, some: Array) -> Array:
    """Some middles in an order in which near ones stand near: half by half."""
    if len(some) < 3:
        return some
    beside = middles[some] - middles[some].mean(0)
    direction = np.linalg.svd(beside, full_matrices=False)[2][0]
    order, half = np.argsort(beside @ direction, kind="stable"), len(some) // 2
    return np.concatenate([_order(middles, some[part]) for part in (order[:half], order[half:])])


def _coded(vectors: Array, blocks: Iterable[Array]) -> tuple[Array, float, Array]:
    """What codes stand for, found from some vectors, one of its numbers, and codes of blocks."""
    code, width = _code(vectors.shape[1])
    coder = library().ProductQuantizer(code * width, code, 8)
    coder.cp.min_points_per_centroid = 1
    # few are taken several times
    sample = np.resize(vectors, (max(CODED, len(vectors)), vectors.shape[1]))
    coder.train(np.ascontiguousarray(sample[:, : code * width]))
    words, scale = _scaled(library().vector_to_array(coder.centroids))
    library().copy_array_to_vector(words, coder.centroids)
    coded = [coder.compute_codes(np.ascontiguousarray(one[:, : code * width])) for one in blocks]
    return words.reshape(code, CODED, width), scale, np.concatenate(coded)


def _parts(rows: Array) -> list[Array]:
    return [rows[at : at + 65_536] for at in range(0, len(rows), 65_536)]


def _scaled(values: Array) -> tuple[Array, float]:
    """Numbers as 8 bits tell them, and what one of these is."""
    scale = float(np.float32(max(np.abs(values).max(), 1e-12) / MOST))
    return (np.rint(values / scale) * scale).astype(np.float32), scale


def _recalls(
    index: Index, vectors: Array, turn: Array, near: Array, stored: Stored
) -> tuple[float, float]:
    """Of the 10 nearest other rows of some, how many the index finds, and `near` has."""
    [(numbers, queries)] = recall.queries(stored, []).values()
    true, _ = top(queries, ((n, normal(block)) for n, block in stored.blocks()), recall.K + 1)
    hits: list[list[float]] = [[], []]
    for number, query, rows in zip(numbers, queries @ turn, true, strict=True):
        wanted = set([row for row in rows.tolist() if row not in (number, -1)][: recall.K])
        others = [row for row in index.search(query, vectors).tolist() if row != number]
        for kind, some in zip(hits, (others[: recall.K], near[number].tolist()), strict=True):
            kind.append(len(wanted & {*some}) / max(1, len(wanted)))
    return round(float(np.mean(hits[0])), 3), round(float(np.mean(hits[1])), 3)
