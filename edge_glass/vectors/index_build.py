"""Building an index: exact for few vectors, an inverted file with short codes for many.

The vectors stream by a few times: for a sample to find lists in, once to be encoded, in blocks that
are whole or absent, and once more for exact neighbours to measure against. The bytes depend on the
embeddings, the budget and the release of faiss; times are written apart from them.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_glass.core import outputs, records, schema
from edge_glass.core.atomic_files import Whole
from edge_glass.core.errors import DataError, EdgeGlassError
from edge_glass.core.progress import Progress, Tally
from edge_glass.vectors import recall
from edge_glass.vectors.stored_vectors import Stored
from edge_glass.vectors.text_encoders import normal
from edge_glass.vectors.vector_index import (
    DESCRIBED,
    FILE,
    FILES,
    MEASURED,
    REMEDY,
    Exact,
    Inverted,
    hushed,
    library,
    place,
    read,
    state,
)

EXACT = 25_000_000  # numbers, 100 MB, which one core compares with a query in some 10 ms
BLOCK = 2**18  # vectors of a block of an inverted file: what a stop may cost
PER_LIST = 40  # vectors that a list is found from; faiss warns below 39
CODES = {"SQ8": 1.0, "SQ6": 0.75, "SQ4": 0.5}  # bytes a number, the finest first
ID = 8  # bytes
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """What an inverted file is like."""

    lists: int
    code: str
    sample: int  # vectors that the lists are found from


def plan(rows: int, dim: int, memory: int) -> Plan:
    """Lists, codes and sample for so many rows, within `memory` bytes.

    About 4 sqrt(rows) lists, as faiss's guidelines have it, fewer if the sample for them does not
    fit; the finest codes with which all of the index fits, or the coarsest.
    """
    sample = min(rows, memory // 2 // (4 * dim))
    wanted, most = 2 ** round(np.log2(4 * np.sqrt(rows))), max(1, sample // PER_LIST)
    lists = min(wanted, 2 ** int(np.log2(most)))
    fits = [code for code, size in CODES.items() if rows * (size * dim + ID) <= memory]
    return Plan(lists, (fits or list(CODES))[-1 if not fits else 0], min(sample, lists * PER_LIST))


def build(stored: Stored, siblings: list[Stored], memory: int, progress: Progress) -> Path:
    """Write the index of a column, or leave it if it is there; returns its folder.

    `siblings` are columns in the same space, whose vectors are queries to measure with, too.
    `memory` is in bytes. Raises EdgeGlassError if the embeddings are not whole.
    """
    stored.check()
    folder, made_of = place(stored), state(stored)
    rows, dim = stored.rows, stored.dim
    exact = rows * dim <= EXACT
    facts = {"made_of": made_of, "column": stored.column, "model": stored.model, "dim": dim}
    if exact:
        facts |= {"kind": "exact"}
    else:
        planned = asdict(plan(rows, dim, memory))
        facts |= {"kind": "inverted", **planned, "faiss": library().__version__}
    inventory = _inventory(folder)
    if inventory and _already(folder, facts):
        return folder
    outputs.check_replaceable(folder, inventory)
    work = folder.with_name(f".{folder.name}.tmp")
    if records.read(work / FILE) != facts:
        shutil.rmtree(work, ignore_errors=True)
        records.write(work / FILE, facts)
    final = work / "final"
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir()
    start = time.monotonic()
    count = _exact(stored, final) if exact else _inverted(stored, work, facts, progress)
    facts |= {"rows": count, "bytes": sum(p.stat().st_size for p in final.iterdir())}
    _measure(stored, siblings, final, facts, round(time.monotonic() - start, 1), progress)
    outputs.replace(final, folder, _inventory(folder))
    shutil.rmtree(work)
    return folder


def _measure(
    stored: Stored,
    siblings: list[Stored],
    final: Path,
    facts: dict[str, Any],
    seconds: float,
    progress: Progress,
) -> None:
    """Write what an index is, with its recall, and apart from that how fast it was."""
    index = Exact(final, facts) if facts["kind"] == "exact" else Inverted(final, facts)
    measured, timed = recall.measure(index, stored, recall.queries(stored, siblings), progress)
    files = {p.name: [p.stat().st_size, records.sha256(p)] for p in sorted(final.iterdir())}
    records.write(final / MEASURED, {"build_seconds": seconds, **timed})
    records.write(final / FILE, facts | {"files": files} | measured)


def _inventory(folder: Path) -> set[str] | None:
    """The files of an index, None where there is none whose description is whole."""
    try:
        schema.read(folder / FILE, DESCRIBED, REMEDY)
    except (FileNotFoundError, EdgeGlassError):
        return None
    return {FILE, MEASURED, *FILES}


def _already(folder: Path, facts: dict[str, Any]) -> bool:
    try:
        return bool(records.read(folder / MEASURED)) and facts.items() <= read(folder).items()
    except EdgeGlassError:
        return False


def _unit(stored: Stored) -> Iterator[tuple[Array, Array]]:
    for rows, vectors in stored.blocks():
        yield rows, normal(vectors)


def _exact(stored: Stored, folder: Path) -> int:
    blocks = list(_unit(stored))
    none = [(np.empty(0, np.int64), np.empty((0, stored.dim), np.float32))]
    rows, vectors = (np.concatenate(parts) for parts in zip(*none, *blocks, strict=True))
    for name, array in (("rows", rows), ("vectors", vectors)):
        with Whole(folder / f"{name}.npy") as file:
            np.save(file, array)
    return len(rows)


def _inverted(stored: Stored, work: Path, facts: dict[str, Any], progress: Progress) -> int:
    """Train, encode block by block, and merge the blocks' lists on disk."""
    faiss, trained, tally = library(), work / "trained.faiss", Tally()
    from faiss.contrib.ondisk import merge_ondisk

    if not _is_kept(trained):
        with progress.rows(f"{stored.name}: find {facts['lists']} lists", stored.rows, tally):
            _keep(_trained(stored, facts, tally), trained)
    tally = Tally()
    with progress.rows(f"{stored.name}: encode", stored.rows, tally):
        blocks = list(_blocks(stored, trained, work, tally))
    index, lists = faiss.read_index(str(trained)), work / "final" / "vectors.ivfdata"
    with hushed():
        merge_ondisk(index, [str(path) for path in blocks], str(lists))
    with lists.open("rb") as file:
        os.fsync(file.fileno())
    faiss.downcast_InvertedLists(index.invlists).filename = "vectors.ivfdata"  # no path of ours
    count = int(index.ntotal)
    _write(index, work / "final" / "vectors.faiss")
    return count


def _trained(stored: Stored, facts: dict[str, Any], tally: Tally) -> Any:
    faiss = library()
    draw = np.random.default_rng(0)
    held_out = set(recall.sample_rows(stored.rows).tolist())
    numbers = draw.choice(stored.rows, min(stored.rows, facts["sample"] + len(held_out)), False)
    wanted = np.zeros(stored.rows, dtype=bool)
    wanted[numbers] = True
    wanted[list(held_out)] = False
    sample = np.concatenate([v[wanted[rows]] for rows, v in tally.over(_unit(stored))])
    factory = f"IVF{facts['lists']},{facts['code']}"
    index = faiss.index_factory(stored.dim, factory, faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid = 2 * PER_LIST  # all of them: they are a sample already
    index.train(sample)
    return index


def _blocks(stored: Stored, trained: Path, work: Path, tally: Tally) -> Iterator[Path]:
    """The files of the blocks; those that are there are not made again."""
    faiss, index, number, buffered = library(), None, 0, 0
    for rows, vectors in tally.over(_unit(stored)):
        path = work / f"block-{number:05d}.faiss"
        if not _is_kept(path):
            index = index or faiss.read_index(str(trained))
            index.add_with_ids(vectors, rows)
        buffered += len(rows)
        if buffered >= BLOCK:
            _close(index, path)
            yield path
            index, number, buffered = None, number + 1, 0
    if buffered:
        path = work / f"block-{number:05d}.faiss"
        _close(index, path)
        yield path


def _close(index: Any, path: Path) -> None:
    if index is not None:
        _keep(index, path)


def _keep(index: Any, path: Path) -> None:
    """Write a step on the way, with a record of it."""
    file = _write(index, path)
    records.write(path.with_suffix(".json"), {"bytes": file.size, "sha256": file.sha256})


def _is_kept(path: Path) -> bool:
    record = records.read(path.with_suffix(".json"))
    return record is not None and records.fault(path, record["bytes"], record["sha256"]) is None


def _write(index: Any, path: Path) -> Whole:
    """An index on disk, whole or not at all."""
    with Whole(path) as file:
        writer = library().PyCallbackIOWriter(file.write)
        library().write_index(index, writer)
    return file


def facts(folder: Path) -> dict[str, Any]:
    """What an index is and what was measured of it. Raises DataError if that is damaged."""
    measured = records.read(folder / MEASURED)
    if measured is None:
        raise DataError(f"{folder / MEASURED}: is not what was written: {REMEDY}")
    described = read(folder) | measured
    described.pop("files")
    return {"name": f"{described['column']}:{folder.parents[1].name}"} | described
