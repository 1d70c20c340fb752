"""Texts that are most like given ones: exact search by blocks, and one text for each at most.

Wen et al. (2024) take for each caption of ImageNet-Captions the nearest one in LAION-400M that no
caption before it took. Chunks are searched one by one, on one machine or on Ray; a search that was
stopped goes on at the next chunk. Memory: what the queries and their k hits take, and one block.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edge_glass.core import duck, manifest, outputs, parquet
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.ledger import Outcome
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.domains.imagenet.classify import captions, tables
from edge_glass.pipeline.executor import started
from edge_glass.sources import table_chunks
from edge_glass.sources.table_layout import Layout
from edge_glass.tables import scatter, steps
from edge_glass.vectors import arrays, text_encoders
from edge_glass.vectors.exact_search import merged, top

BLOCK = 10_000  # texts that are compared at a time
SIMILARITY = "text_to_text_similarity"
Array = np.ndarray[Any, Any]


def assigned(places: Array, scores: Array, wnids: list[str]) -> dict[int, tuple[str, float]]:
    """Position -> class and similarity, of the first hit of each query that was not taken before.

    The class is that of the query which is most similar, of all that have the text among their
    hits. (The source lets a later query of the same class overwrite a better one of before.)
    """
    best: dict[int, tuple[float, str]] = {}
    for row, (hits, similarities) in enumerate(zip(places.tolist(), scores.tolist(), strict=True)):
        for place, score in zip(hits, similarities, strict=True):
            if place >= 0 and (place not in best or score > best[place][0]):
                best[place] = score, wnids[row]
    taken: dict[int, tuple[str, float]] = {}
    for hits in places.tolist():
        place = next((hit for hit in hits if hit >= 0 and hit not in taken), None)
        if place is not None:
            taken[place] = best[place][1], best[place][0]
    return taken


@dataclass(frozen=True)
class Search:
    """A chunk to be searched."""

    raw: Path
    chunk: str
    number: int
    work: Path
    layout: Layout
    encoder: str
    k: int

    def __str__(self) -> str:
        return self.chunk

    @property
    def hits(self) -> Path:
        """The file of the positions and similarities of its hits."""
        return self.work / f"hits-{self.number:06d}.npy"


def search(task: Search) -> None:
    """Write the hits of all queries in one chunk."""
    if task.hits.is_file():
        return
    places, scores = top(np.load(task.work / "queries.npy"), _blocks(task), task.k)
    with AtomicFile(task.hits) as file:
        np.save(file, places)
        np.save(file, scores)


def _blocks(task: Search) -> Iterator[tuple[Array, Array]]:
    start = task.number * scatter.ORDINAL
    for table in tables(task.raw / task.chunk, task.layout, task.work):
        sound = table.filter(pa.compute.is_null(table["dropped"]))
        for batch in sound.select(["row", task.layout.caption]).to_batches(max_chunksize=BLOCK):
            rows, texts = batch.columns
            yield rows.to_numpy() + start, text_encoders.encoded(task.encoder, texts.to_pylist())


@dataclass(frozen=True)
class Chosen:
    """A step: the rows that were taken, with class and similarity."""

    layout: Layout
    digest: str  # of the hits
    taken: dict[int, tuple[str, float]] = field(repr=False)
    numbers: dict[str, int] = field(repr=False)  # chunk -> its number
    raw: Path = field(repr=False)

    def schema(self, raw: Path) -> pa.Schema:
        """The columns of the table, the class and the similarity."""
        columns = captions(self.layout).published().append(pa.field("wnid", pa.string()))
        return columns.append(pa.field(SIMILARITY, pa.float64()))

    def rows(self, path: Path, work: Path) -> Iterator[pa.Table]:
        """All rows of a chunk."""
        start = self.numbers[path.relative_to(self.raw).as_posix()] * scatter.ORDINAL
        for rows in tables(path, self.layout, work):
            hits = [self.taken.get(start + row) for row in rows["row"].to_pylist()]
            pairs = zip(rows["dropped"].to_pylist(), hits, strict=True)
            outcomes = [why or (Outcome.KEPT if hit else Outcome.NO_CLASS) for why, hit in pairs]
            wnids = pa.array([hit and hit[0] for hit in hits], pa.string())
            scores = pa.array([hit and round(hit[1], 6) for hit in hits], pa.float64())
            table = rows.append_column("wnid", wnids).append_column(SIMILARITY, scores)
            yield table.append_column("outcome", pa.array(outcomes, pa.string()))

    def libraries(self) -> dict[str, str]:
        """What reads the chunks."""
        return duck.libraries()


def retrieve(
    queries: Path,
    raw: Path,
    layout: Layout,
    out: Path,
    encoder: str,
    *,
    k: int = 50,
    jobs: int = 1,
    ray: str | None = None,
    progress: Progress | None = None,
) -> steps.Summary:
    """Write the rows of `raw` that are nearest to the captions of the build in `queries`."""
    raw, out, progress = raw.absolute(), out.absolute(), progress or Progress()
    files = table_chunks.files(raw)
    texts, wnids = _captions(queries)
    made_with = text_encoders.libraries(encoder)
    inputs = f"{scatter.state(raw, files)} {encoder} {made_with} {k} {texts} {wnids}"
    state = sha256(inputs.encode(errors="replace")).hexdigest()[:16]
    outputs.check_apart(raw, out)
    work = out / HIDDEN / "nearest" / state
    _write_queries(work, encoder, texts)
    names = [path.relative_to(raw).as_posix() for path in files]
    tasks = [Search(raw, name, n, work, layout, encoder, k) for n, name in enumerate(names)]
    sizes, done = [path.stat().st_size for path in files], 0
    with started(ray) as workers, progress.bytes("search chunks") as tick:
        for task, _ in workers.run(search, tasks, jobs):
            done += sizes[task.number]
            tick("chunks", done, sum(sizes))
    taken = assigned(*_best(tasks, len(texts), k), wnids)
    numbers = {name: number for number, name in enumerate(names)}
    digest = sha256(repr(sorted(taken.items())).encode()).hexdigest()[:16]
    summary = steps.run(Chosen(layout, digest, taken, numbers, raw), raw, out, jobs, ray, progress)
    shutil.rmtree(work.parent)
    return summary


def _write_queries(work: Path, encoder: str, texts: list[str]) -> None:
    """The vectors of the captions (captions, dim), unless a run that was stopped has them."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "queries.npy").is_file():
        arrays.save(work / "queries.npy", text_encoders.encoded(encoder, texts))


def _best(tasks: list[Search], queries: int, k: int) -> tuple[Array, Array]:
    """Positions and similarities of the k nearest of each query, of all chunks."""
    shape = (queries, k)
    best = np.full(shape, -1, dtype=np.int64), np.full(shape, -np.inf, dtype=np.float32)
    for task in tasks:
        with task.hits.open("rb") as file:
            best = merged(best, (np.load(file), np.load(file)), k)
    return best


def _captions(folder: Path) -> tuple[list[str], list[str]]:
    """Caption and class of every row of a build."""
    build, texts, wnids = manifest.read(folder), list[str](), list[str]()
    for shard in build.shards():
        table = parquet.table(folder / shard.file, ["caption", "wnid"])
        texts += table["caption"].to_pylist()
        wnids += table["wnid"].to_pylist()
    return texts, wnids
