"""How many of the best pages does late interaction find by an index over tokens, and how fast?

    python benchmarks/late.py [--pages 1250 3000] [--tokens 200] [--queries 40]

Pages are synthetic, shaped like those of ColPali: 128 numbers a token, some hundreds of tokens a
page. A token is the sum of what all have in common, of one of 2,000 kinds (of a word, a line, a
blank patch; a few kinds are most of all patches), of the page's subject (20 pages share one) and of
chance. A query is 12 tokens of one page, moved until their cosine is about 0.7, and 8 that stand
near what all have in common, as those that ColPali adds to each query do.

- every page: MaxSim of the query with all pages, which is what the others are held against
- indexed: `edge-glass index` as it is, then MaxSim of the pages that the nearest tokens stand on,
  with 64 tokens looked up for each one of a query as `search` does, and with fewer and more

"Best" is the share of queries whose best page is found, "recall@10" how many of the ten best are.
"Own" is the share of queries that find the page that they were made of among the ten best.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import show

from edge_glass.core import manifest
from edge_glass.core.atomic_files import write_json
from edge_glass.core.progress import Progress
from edge_glass.core.shard_files import write_table
from edge_glass.vectors import embed, index_build, late_search, vector_index
from edge_glass.vectors.embedding_files import PAGES
from edge_glass.vectors.stored_vectors import Tokens, stored

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import searchkit

DIM, K, KINDS, SUBJECT = 128, 10, 2_000, 20
SHARD = 500  # pages
NEAR = (16, 64, 256)
OWN, ADDED = 12, 8  # tokens of a query
Array = np.ndarray[Any, Any]


class Pages:
    """Draws pages and queries; page n is the same whichever others are drawn."""

    def __init__(self, tokens: int) -> None:
        draw = np.random.default_rng(0)
        self._tokens, self._common = tokens, _units(draw.standard_normal((1, DIM)))
        self._kinds = _units(draw.standard_normal((KINDS, DIM)))
        often = 1 / np.arange(1, KINDS + 1)
        self._often = often / often.sum()

    def page(self, number: int) -> Array:
        """The tokens of a page, float32 (tokens, dim)."""
        draw = np.random.default_rng([1, number])
        subject = _units(np.random.default_rng([2, number // SUBJECT]).standard_normal((1, DIM)))
        kinds = self._kinds[draw.choice(KINDS, self._tokens, p=self._often)]
        chance = _units(draw.standard_normal((self._tokens, DIM)))
        return _units(0.5 * self._common + 0.7 * kinds + 0.3 * subject + 0.6 * chance)

    def query(self, number: int) -> Array:
        """The tokens of a query that is made of a page."""
        draw, page = np.random.default_rng([3, number]), self.page(number)
        own = page[draw.choice(len(page), OWN, replace=False)]
        own = own + _units(draw.standard_normal(own.shape))
        added = self._common + _units(draw.standard_normal((ADDED, DIM)))
        return _units(np.concatenate([own, added]))


def _units(vectors: Array) -> Array:
    found: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found.astype(np.float32)


def planted(folder: Path, pages: Pages, count: int) -> Tokens:
    """A build of `count` rows, with a page for each as `embed` writes them."""
    ids = [f"{number:06d}" for number in range(count)]
    data = searchkit.write(folder, {}, shard_rows=SHARD, id=ids)
    target = folder / "embeddings" / data.name / "planted"
    encoded = {"image": {"modality": "image", "dim": DIM, "late": True}}
    shards = manifest.read(data).shards()
    write_json(target / embed.FILE, {
        "config": data.name, "data": {shard.file: shard.sha256 for shard in shards},
        "model": {"name": "planted", "revision": "0", "kind": "late"},
        "layout": "parquet", "encoded": encoded,
    })  # fmt: skip
    for number, shard in enumerate(shards):
        _write(target / shard.file, pages, range(number * SHARD, number * SHARD + shard.rows))
    [tokens] = stored(data)
    assert isinstance(tokens, Tokens)
    return tokens


def _write(path: Path, pages: Pages, numbers: range) -> None:
    """What `embed` writes of these pages, without a Python object for each token."""
    groups = []
    for at in range(0, len(numbers), PAGES):
        some = [pages.page(number) for number in numbers[at : at + PAGES]]
        starts = np.cumsum([0, *map(len, some)])
        flat = pa.array(np.concatenate(some).ravel())
        each = pa.ListArray.from_arrays(pa.array(np.arange(starts[-1] + 1) * DIM, pa.int32()), flat)
        column = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), each)
        ids = [f"{number:06d}" for number in numbers[at : at + PAGES]]
        groups.append(pa.table({"id": ids, "image_embedding": column}))
    write_table(path, groups, groups[0].schema)


def compared(count: int, tokens: int, queries: int) -> list[list[str]]:
    """The rows of the table for so many pages."""
    pages = Pages(tokens)
    with tempfile.TemporaryDirectory() as folder:
        column = planted(Path(folder), pages, count)
        start = time.monotonic()
        index_build.build(column, [], 4 * 10**9, Progress())
        built = time.monotonic() - start
        index = vector_index.opened(column)
        facts = index_build.facts(vector_index.place(column))
        numbers = np.linspace(0, count - 1, queries).astype(int).tolist()
        asked = [pages.query(number) for number in numbers]
        truth, times = [], []
        for query in asked:
            at = time.perf_counter()
            truth.append(late_search.top([query], column, K)[0][0])
            times.append(time.perf_counter() - at)
        whole = f"{count:,}"
        rows = [[whole, "every page", whole, "", "", _own(truth, numbers), _ms(times)]]
        for near in NEAR:
            late_search.NEAR = near
            rows.append(
                [whole, f"indexed, {near}", *_two_stages(column, index, asked, truth, numbers)]
            )
    print(
        f"{count:,} pages: {facts['rows']:,} tokens, "
        f"{facts['lists']:,} lists of which {facts['probes']} are read, "
        f"recall@10 of tokens {facts['recall_at_10']['image']}, built in {built:.0f} s"
    )
    return rows


def _two_stages(
    column: Tokens, index: Any, asked: list[Array], truth: list[Array], numbers: list[int]
) -> list[str]:
    """Pages that are compared, best, recall@10, own and milliseconds."""
    late, seen, found, times = late_search.Late(column, index), [], [], []
    for query in asked:
        near, _ = index.search(query, late_search.NEAR)
        rows = np.searchsorted(column.starts, np.unique(near[near >= 0]), side="right") - 1
        seen.append(len(np.unique(rows)))
        at = time.perf_counter()
        found.append(late.find(query, K).rows)
        times.append(time.perf_counter() - at)
    pairs = list(zip(found, truth, strict=True))
    best = np.mean([one[:1].tolist() == other[:1].tolist() for one, other in pairs])
    recall = np.mean([len({*one.tolist()} & {*other.tolist()}) / K for one, other in pairs])
    own = _own(found, numbers)
    return [f"{np.mean(seen):,.0f}", f"{best:.3f}", f"{recall:.3f}", own, _ms(times)]


def _own(found: list[Array], numbers: list[int]) -> str:
    return f"{np.mean([n in rows for rows, n in zip(found, numbers, strict=True)]):.3f}"


def _ms(times: list[float]) -> str:
    return f"{1000 * statistics.median(times):,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pages", type=int, nargs="+", default=[1_250, 3_000])
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--queries", type=int, default=40)
    told = parser.parse_args()
    rows = [row for n in told.pages for row in compared(n, told.tokens, told.queries)]
    head = ["pages", "search", "pages compared", "best", "recall@10", "own", "ms a query"]
    show(f"Late interaction, {told.tokens} tokens a page", head, rows)


if __name__ == "__main__":
    main()
