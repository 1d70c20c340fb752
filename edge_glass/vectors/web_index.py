"""An index for a browser: of a few files on any web server it reads ranges, and nothing else.

Vectors lie in lists, and lists in groups; a vector stands in two groups, the second one chosen for
what the first one's middle leaves of it (SOAR, Sun et al., 2023). Lists of a group stand side by
side in a file, so that those which a query wants come in one range. In a list a vector is a product
code (Jégou et al., 2011) of what is left of it beside the list's middle, and behind the codes
stand places in a third file. That has each vector once, in numbers of 8 bits and in the order of
the lists, so that candidates, which are near to one another, come in few ranges.
"""

from collections.abc import Iterable, Iterator
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

# requests of a query: groups that are read from, ranges of vectors, rows that are shown
PROBES, RANGES, ROWS = 16, 12, 10
CANDIDATES = 100  # rows that are ordered by their vectors, at most
BYTES, EXACT = 800_000, 600_000  # of lists and of vectors that a query reads
CODE = 48  # bytes of a vector's code at most
RANK = 4  # bytes behind a code: where the vector is
PLACE = 8  # bytes before a vector: where the row's record begins, 5 of them, and 3 of its size
GROUP, LIST = 1000, 125  # rows of a group, and of a list, on the average
PER_GROUP = 40  # vectors that a group is found from
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
    sizes: list[int]  # of the lists
    groups: list[int]  # how many lists each has
    scales: tuple[float, ...]  # of middles, and of what the codes of lists and of vectors stand for
    limits: tuple[int, ...]  # of a query: PROBES, RANGES, ROWS, CANDIDATES, BYTES, EXACT
    recall: float  # of the 10 nearest rows, measured


@dataclass(frozen=True)
class Codes:
    """Product codes of some vectors."""

    words: Array  # float32 (code, 256, dim / code): what a byte at a place stands for
    scale: float  # of a word's numbers, which are written as 8 bits
    codes: Array  # uint8 (n, code)

    def scores(self, query: Array, at: Any) -> Array:
        """Products of a query with what some codes stand for."""
        tables = np.einsum("cvd,cd->cv", self.words, query.reshape(len(self.words), -1))
        sums: Array = tables[np.arange(len(tables)), self.codes[at]].sum(1)
        return sums

    def decoded(self, at: Any) -> Array:
        """What some codes stand for, float32 (n, dim)."""
        parts = self.words[np.arange(len(self.words)), self.codes[at]]
        decoded: Array = parts.reshape(len(parts), -1)
        return decoded


@dataclass(frozen=True)
class Index:
    """An index in memory: what is written, and searched to measure it."""

    middles: Array  # float32 (groups, dim)
    scale: float  # of their numbers
    groups: Array  # int64 (lists,): the group of each
    lists: Codes  # of the lists' middles, beside those of their groups
    vectors: Codes  # of the rows beside the middles of their lists, list by list
    ranks: Array  # int64 (n,): of the rows, where their vectors are
    rows: Array  # int64 (rows with a vector,): in the order of ranks
    starts: Array  # int64 (lists + 1,)

    def search(self, query: Array, vectors: Array) -> Array:
        """The rows that a browser finds for a vector of length 1, the nearest first."""
        scores = (self.middles @ query)[self.groups] + self.lists.scores(query, slice(None))
        runs = [np.arange(self.starts[a], self.starts[b + 1]) for a, b in self._runs(scores)]
        at = np.concatenate(runs)
        lists = np.searchsorted(self.starts, at, side="right") - 1
        near = at[np.argsort(-(scores[lists] + self.vectors.scores(query, at)), kind="stable")]
        ranks = self.ranks[near]
        ranks = ranks[np.sort(np.unique(ranks, return_index=True)[1])]
        best = self.rows[_fitting(ranks, len(query))]
        exact: Array = best[np.argsort(-(normal(vectors[best]) @ query), kind="stable")]
        return exact

    def _runs(self, scores: Array) -> Iterator[tuple[int, int]]:
        """First and last list of what is read of each group: of the best lists what fits."""
        runs: dict[int, tuple[int, int]] = {}
        left, starts = BYTES // (self.vectors.codes.shape[1] + RANK), self.starts
        for number in np.argsort(-scores, kind="stable").tolist():
            group = int(self.groups[number])
            if group not in runs and len(runs) == PROBES:
                continue
            first, last = runs.get(group, (number, number - 1))
            wider = min(first, number), max(last, number)
            more = starts[wider[1] + 1] - starts[wider[0]] - (starts[last + 1] - starts[first])
            if more <= left or not runs:
                runs[group], left = wider, left - more
        yield from runs.values()


def _fitting(ranks: Array, dim: int) -> Array:
    """Of candidates, the best first, as many as come in RANGES ranges of EXACT bytes."""
    count = min(CANDIDATES, len(ranks))
    while count > ROWS:
        gaps = np.diff(np.sort(ranks[:count]))
        width = 1 + gaps.sum() - (np.sort(gaps)[::-1] - 1)[: RANGES - 1].sum()
        if width * (dim + PLACE) <= EXACT:
            break
        count -= 1
    return ranks[:count]


def small(vectors: Array) -> Array:
    """Vectors as numbers of 8 bits, int8, each by its own largest; zeros where there is none."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    shrunk: Array = np.rint(vectors * MOST / np.maximum(largest, 1e-12)).astype(np.int8)
    return shrunk


def rotation(vectors: Array) -> Array:
    """What turns vectors so that each part of a code has an equal share of how they differ.

    Products of vectors stay what they are if all are turned. Directions of the largest variance
    first, each goes to the part whose variances have the least product yet (Ge et al., 2013).
    """
    dim, code = vectors.shape[1], _code(vectors.shape[1])
    sample = normal(vectors[vectors.any(axis=1)][:TRAINED]).astype(np.float64)
    spread = np.cov(sample.T) if len(sample) > 1 else 0.0
    variances, directions = np.linalg.eigh(spread + 1e-9 * np.eye(dim))
    parts: list[list[int]] = [[] for _ in range(code)]
    sums = [0.0] * code
    for number in range(dim)[::-1]:
        open_ = [part for part in range(code) if len(parts[part]) < dim // code]
        part = min(open_, key=lambda part: sums[part])
        parts[part].append(number)
        sums[part] += float(np.log(variances[number] / variances[0]))
    turned: Array = directions[:, np.concatenate(parts).astype(int)].astype(np.float32)
    return turned


def write(stored: Stored, vectors: Array, turn: Array, places: Array, path: Path) -> Facts:
    """Write `path`.lists, `path`.codes and `path`.vectors; gives what the page says of them.

    `vectors` are those of all rows as `small` makes them of what `turn` turned, `places` where
    their records start and end, uint64 (rows, 2).
    """
    index = _built(vectors)
    coded = [(codes.words, codes.scale) for codes in (index.lists, index.vectors)]
    scaled = [(index.middles, index.scale), *coded]
    with AtomicFile(path.with_suffix(".lists")) as file:
        for array, scale in scaled:
            file.write(np.rint(array / scale).astype(np.int8).tobytes())
        file.write(index.lists.codes.tobytes())
    with AtomicFile(path.with_suffix(".codes")) as file:
        for start, end in zip(index.starts, index.starts[1:], strict=False):
            file.write(index.vectors.codes[start:end].tobytes())
            file.write(index.ranks[start:end].astype("<u4").tobytes())
    with AtomicFile(path.with_suffix(".vectors")) as file:
        for rows in _parts(index.rows):
            begin, until = places[rows].T
            starts = (begin << np.uint64(24) | until - begin).astype("<u8")
            file.write(np.hstack([starts[:, None].view(np.int8), vectors[rows]]).tobytes())
    return Facts(
        stored.column, stored.dim, index.vectors.codes.shape[1], np.diff(index.starts).tolist(),
        np.bincount(index.groups, minlength=len(index.middles)).tolist(),
        tuple(scale for _, scale in scaled),
        (PROBES, RANGES, ROWS, CANDIDATES, BYTES, EXACT),
        _recall(index, vectors, turn, stored),
    )  # fmt: skip


def _code(dim: int) -> int:
    return next(dim // n for n in range(1, dim + 1) if dim % n == 0 and dim // n <= CODE)


def _built(vectors: Array) -> Index:
    rows = np.flatnonzero(vectors.any(axis=1))
    draw = np.random.default_rng(0).permutation(len(rows))
    count = max(1, len(rows) // GROUP)
    sample = rows[np.sort(draw[: max(count * PER_GROUP, TRAINED)])]
    middles, scale = _scaled(_middles(normal(vectors[sample]), count))
    groups = np.concatenate([_groups(normal(vectors[part]), middles) for part in _parts(rows)])
    among = np.repeat(rows, groups.shape[1])
    order = np.argsort(groups.ravel(), kind="stable")
    cuts = np.searchsorted(groups.ravel()[order], np.arange(1, count))
    cells = [
        _lists(among[part], vectors, middle)
        for part, middle in zip(np.split(order, cuts), middles, strict=True)
    ]
    of_lists = np.repeat(np.arange(count), [len(left) for left, _ in cells])
    left = np.concatenate([left for left, _ in cells])
    lists = _coded(left[:TRAINED], [left])
    members = [one for _, parts in cells for one in parts]
    flat, starts = np.concatenate(members), np.cumsum([0, *map(len, members)])
    firsts = np.sort(np.unique(flat, return_index=True)[1])  # a vector is where it stands first
    ranks = np.zeros(len(vectors), dtype=np.int64)
    ranks[flat[firsts]] = np.arange(len(firsts))
    known = middles[of_lists] + lists.decoded(slice(None))
    beside = np.repeat(np.arange(len(members)), np.diff(starts))

    def left_of(places: Array) -> Array:
        left: Array = normal(vectors[flat[places]]) - known[beside[places]]
        return left

    some = np.sort(np.random.default_rng(1).permutation(len(flat))[:TRAINED])
    every = (left_of(part) for part in _parts(np.arange(len(flat))))
    codes = _coded(left_of(some), every)
    return Index(middles, scale, of_lists, lists, codes, ranks[flat], flat[firsts], starts)


def _middles(vectors: Array, count: int) -> Array:
    """The middles of so many groups of some vectors, float32 (count, dim)."""
    kmeans = library().Kmeans(
        vectors.shape[1], count, niter=10, seed=1, min_points_per_centroid=1,
        max_points_per_centroid=len(vectors),
    )  # fmt: skip
    kmeans.train(vectors)
    middles: Array = kmeans.centroids
    return middles


def _groups(vectors: Array, middles: Array) -> Array:
    """The nearest group of each vector, and of others the one that makes up for it best."""
    products = vectors @ middles.T
    first = products.argmax(axis=1)
    both = np.stack([first, first], axis=1)
    if len(middles) == 1:
        return both[:, :1]
    left = normal(vectors - middles[first])
    along = (left * vectors).sum(1, keepdims=True) - left @ middles.T
    loss = (middles**2).sum(1) - 2 * products + along**2
    loss[np.arange(len(first)), first] = np.inf
    both[:, 1] = loss.argmin(axis=1)
    return both


def _lists(rows: Array, vectors: Array, middle: Array) -> tuple[Array, list[Array]]:
    """The lists of a group: their middles beside the group's, and the rows of each.

    They stand in the order of the direction in which they differ most.
    """
    own = normal(vectors[rows]) - middle
    middles = _middles(own, max(1, len(rows) // LIST))
    if len(middles) > 1:
        directions = np.linalg.svd(middles - middles.mean(0), full_matrices=False)[2]
        middles = middles[np.argsort(middles @ directions[0], kind="stable")]
    near = (own @ middles.T - (middles**2).sum(1) / 2).argmax(axis=1)
    return middles, [rows[near == number] for number in range(len(middles))]


def _coded(vectors: Array, blocks: Iterable[Array]) -> Codes:
    """Codes of vectors that come in blocks, found from some of them."""
    dim, code = vectors.shape[1], _code(vectors.shape[1])
    coder = library().ProductQuantizer(dim, code, 8)
    coder.cp.min_points_per_centroid = 1
    coder.train(np.resize(vectors, (max(CODED, len(vectors)), dim)))  # few are taken several times
    words, scale = _scaled(library().vector_to_array(coder.centroids))
    library().copy_array_to_vector(words, coder.centroids)
    codes = np.concatenate([coder.compute_codes(block) for block in blocks])
    return Codes(words.reshape(code, CODED, -1), scale, codes)


def _parts(rows: Array) -> list[Array]:
    return [rows[at : at + 65_536] for at in range(0, len(rows), 65_536)]


def _scaled(values: Array) -> tuple[Array, float]:
    """Numbers as 8 bits tell them, and what one of these is."""
    scale = float(np.float32(max(np.abs(values).max(), 1e-12) / MOST))
    return (np.rint(values / scale) * scale).astype(np.float32), scale


def _recall(index: Index, vectors: Array, turn: Array, stored: Stored) -> float:
    """Of the 10 nearest rows of some, how many a browser finds; the row itself is no finding."""
    [(numbers, queries)] = recall.queries(stored, []).values()
    near, _ = top(queries, ((n, normal(block)) for n, block in stored.blocks()), recall.K + 1)
    hits = []
    for number, query, true in zip(numbers, queries @ turn, near, strict=True):
        wanted = set(true.tolist()) - {number, -1}
        rows = [row for row in index.search(query, vectors).tolist() if row != number]
        hits.append(len(wanted & set(rows[: recall.K])) / max(1, min(recall.K, len(wanted))))
    return round(float(np.mean(hits)), 3)
