"""How good an index is: recall and milliseconds beside exact search, for rows as queries.

Queries are rows that the lists were not found from, each looked for among all others; of columns in
the same space (captions beside images) too, for such vectors lie elsewhere and need more lists.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from edge_glass.core.errors import DataError
from edge_glass.core.progress import Progress, Tally
from edge_glass.vectors import arrays
from edge_glass.vectors.exact_search import top
from edge_glass.vectors.stored_vectors import Stored
from edge_glass.vectors.text_encoders import normal
from edge_glass.vectors.vector_index import Exact, Index, Inverted, library

QUERIES = 256
K = 10
TARGET = 0.96  # recall@10: .95 is promised, and other queries than these will come
SAME = 0.005  # of recall, which more lists are not read for
TIMED = 50  # queries that are timed against exact search, one by one
SEED = 1
Array = np.ndarray[Any, Any]
Queries = dict[str, tuple[Array, Array]]  # column -> rows, and vectors of length 1


def sample_rows(rows: int) -> Array:
    """The rows that are queries, in order."""
    draw = np.random.default_rng(SEED)
    return np.asarray(np.sort(draw.choice(rows, min(rows, QUERIES), replace=False)))


def queries(stored: Stored, siblings: list[Stored]) -> Queries:
    """Vectors of the drawn rows, of a column and of those in the same space."""
    numbers = sample_rows(stored.rows)
    return {one.column: _vectors(one, numbers) for one in (stored, *siblings)}


def _vectors(stored: Stored, numbers: Array) -> tuple[Array, Array]:
    blocks = ((rows, vectors, np.isin(rows, numbers)) for rows, vectors in stored.blocks())
    return arrays.joined(((rows[k], normal(vectors[k])) for rows, vectors, k in blocks), stored.dim)


def measure(
    index: Index, stored: Stored, queries: Queries, progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What depends on the index alone (recall, lists that are read), and what it took here.

    The lists that an inverted file reads are set so that recall@10 reaches 0.96 for every column,
    or as far as its codes allow. Raises DataError if no row has an embedding.
    """
    queries = {column: sample for column, sample in queries.items() if len(sample[0])}
    if stored.column not in queries:
        raise DataError(f"{stored.name}: no row has an embedding")
    facts: dict[str, Any] = {"similarity": _similarity(queries[stored.column][1])}
    if isinstance(index, Exact):
        facts |= {"recall_at_10": dict.fromkeys(queries, 1.0)}
        return facts, _timed(index, queries)
    truth = _neighbours(stored, queries, progress)

    def recalls_of(probes: int) -> dict[str, float]:
        index.probes = probes
        return {column: recall(index, *queries[column], truth[column]) for column in queries}

    index.probes = _fewest(lambda probes: min(recalls_of(probes).values()), index.lists)
    recalls = recalls_of(index.probes)
    facts |= {"probes": index.probes, "recall_at_10": {c: round(r, 4) for c, r in recalls.items()}}
    return facts, _timed(index, queries)


def _fewest(recall: Callable[[int], float], lists: int) -> int:
    """The fewest lists that reach the recall aimed at, or with which it hardly rises any more."""
    low, high, before, now = 0, 1, 0.0, recall(1)
    # where many lists more find nothing more, the codes are what is missing
    while now < TARGET and high < lists and not (high > 64 and now - before < SAME):
        low, high, before = high, min(lists, 2 * high), now
        now = recall(high)
    while now >= TARGET and high - low > max(1, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if recall(middle) >= TARGET else (middle, high)
    return high


def _similarity(vectors: Array) -> float:
    """The mean cosine of two rows: far from 0 where all vectors lean to one side (Whisper's do)."""
    count = len(vectors)
    total = float((vectors @ vectors.T).sum()) - count
    return round(total / max(1, count * (count - 1)), 4)


def _neighbours(stored: Stored, queries: Queries, progress: Progress) -> dict[str, Array]:
    """The 10 nearest rows of each query by exact search, its own row left out."""
    tally, rows = Tally(), [sample[0] for sample in queries.values()]
    with progress.rows(f"{stored.name}: compare", stored.rows, tally):
        blocks = ((numbers, normal(block)) for numbers, block in tally.over(stored.blocks()))
        places, _ = top(np.concatenate([sample[1] for sample in queries.values()]), blocks, K + 1)
    others = _others(places, np.concatenate(rows))
    ends = np.cumsum([len(numbers) for numbers in rows])[:-1]
    return dict(zip(queries, np.split(others, ends), strict=True))


def _others(places: Array, rows: Array) -> Array:
    """Of K + 1 hits the first K that are not the query's own row."""
    own = places == rows[:, None]
    own[~own.any(axis=1), -1] = True  # crowded out by its doubles: the last one goes
    return np.asarray(places[~own].reshape(len(places), -1))


def recall(index: Index, rows: Array, vectors: Array, truth: Array) -> float:
    """The share of the true neighbours that an index finds."""
    places, _ = index.search(vectors, K + 1)
    pairs = zip(_others(places, rows), truth, strict=True)
    return float(np.mean([len(set(a) & set(b) - {-1}) / max(1, (b >= 0).sum()) for a, b in pairs]))


def _timed(index: Index, queries: Queries) -> dict[str, Any]:
    """Milliseconds of a query by itself on one core, the median and the slowest of twenty."""
    with _one_core() if isinstance(index, Inverted) else nullcontext():
        return {"ms_a_query": {c: _ms(index, vectors) for c, (_, vectors) in queries.items()}}


@contextmanager
def _one_core() -> Iterator[None]:
    threads = library().omp_get_max_threads()
    library().omp_set_num_threads(1)
    try:
        yield
    finally:  # where torch was imported first, they are its threads, too
        library().omp_set_num_threads(threads)


def _ms(index: Index, vectors: Array) -> dict[str, float]:
    index.search(vectors[:1], K)
    times = []
    for query in vectors[:TIMED]:
        start = time.perf_counter()
        index.search(query[None], K)
        times.append(1000 * (time.perf_counter() - start))
    slowest = round(float(np.quantile(times, 0.95)), 3)
    return {"median": round(float(np.median(times)), 3), "slowest_of_20": slowest}
