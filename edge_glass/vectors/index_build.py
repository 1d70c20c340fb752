"""Building an index: exact for few vectors, an inverted file with short codes for many.

The vectors stream by a few times: for a sample to find lists in, once to be encoded, part by part,
and once more for exact neighbours to measure against. A part is whole or absent. An index that is
there follows a change of the data: lists and what was measured stay, parts of the same shards keep
their files, and in others only vectors that came are encoded. The bytes depend on the embeddings,
the budget, the release of faiss and, of an index that followed, on what its lists were found from;
times are written apart from them.
"""

import re
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge_glass.core import outputs, records
from edge_glass.core.errors import DataError, EdgeGlassError
from edge_glass.core.progress import Progress
from edge_glass.vectors import recall
from edge_glass.vectors.index_parts import PER_LIST, Facts, Work
from edge_glass.vectors.stored_vectors import Stored
from edge_glass.vectors.vector_index import (
    FILE,
    MEASURED,
    REMEDY,
    library,
    place,
    read,
    searched,
)

EXACT = 25_000_000  # numbers, 100 MB, which one core compares with a query in some 10 ms
PARTS = 8  # of an index, about: each is written as a whole, and costs a query some 0.05 ms
CODES = {"SQ8": 1.0, "SQ6": 0.75, "SQ4": 0.5}  # bytes a number, the finest first
ID = 8  # bytes
OURS = re.compile(  # what the files of an index are called
    r"(index|measured)\.json|lists\.faiss|(rows|vectors)\.npy|vectors\.(faiss|ivfdata)|"
    r"[\w.-]+-\d{5}\.(faiss|keys\.npy|npy|rows\.npy)"
)
WORN = 3  # lists are found anew once one row in so many has come or gone since
# what follows from the rows that an index was built from in one go
SAME = ("column", "model", "dim", "kind", "code", "faiss")
FIRST = ("lists", "sample", "step", "similarity", "recall_at_10", "probes")


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
    """Write the index of a column, let it follow a change, or leave it; returns its folder.

    `siblings` are columns in the same space, whose vectors are queries to measure with, too.
    `memory` is in bytes. Raises EdgeGlassError if the embeddings are not whole.
    """
    stored.check()
    earlier, facts = _earlier(place(stored)), _planned(stored, memory)
    if earlier and _is_good(facts, earlier, stored.rows):
        return _write(stored, siblings, _kept(earlier), earlier, progress)
    return _write(stored, siblings, facts, None, progress)


def follow(stored: Stored) -> None:
    """Let the index of a column follow a change of the data at once.

    Raises EdgeGlassError if there is none of this model, or embeddings or faiss are not there.
    """
    stored.check()
    earlier = _earlier(place(stored))
    if earlier is None or earlier["model"] != stored.model:
        raise DataError(f"{place(stored)}: cannot be continued: {REMEDY}")
    _write(stored, [], _kept(earlier), earlier, Progress())


def _write(
    stored: Stored,
    siblings: list[Stored],
    facts: Facts,
    earlier: Facts | None,
    progress: Progress,
) -> Path:
    """Write an index that goes on from an earlier one, if there is one; returns its folder."""
    folder, parts = place(stored), stored.parts(facts["step"])
    facts["parts"] = {part.label: part.state for part in parts}
    if earlier and facts["parts"] == earlier["parts"]:
        return folder
    outputs.check_replaceable(folder, _inventory(folder))
    work = Work(stored, facts, folder, earlier)
    start, steps = time.monotonic(), work.steps(parts, progress)
    written = [known for step in steps.values() for known in step.files.items()]
    facts["files"], facts["bytes"] = dict(written), sum(size for _, (size, _) in written)
    facts["vectors"] = {label: steps[label].rows for label in facts["parts"]}
    facts["rows"] = sum(facts["vectors"].values())
    facts["changed"] = sum(step.changed for step in steps.values())
    if earlier:
        facts["changed"] += earlier["changed"]
        timed = records.read(folder / MEASURED) or {}
    else:
        seconds = round(time.monotonic() - start, 1)
        index, queries = searched(work.final, facts, parts), recall.queries(stored, siblings)
        measured, timed = recall.measure(index, stored, queries, progress)
        facts, timed = facts | measured, {"build_seconds": seconds, **timed}
    records.write(work.final / MEASURED, timed)
    records.write(work.final / FILE, facts)
    outputs.replace(work.final, folder, _inventory(folder))
    shutil.rmtree(work.folder)
    return folder


def _planned(stored: Stored, memory: int) -> Facts:
    """What an index that is built in one go is like."""
    rows, dim, shards = stored.rows, stored.dim, len(stored.shards)
    facts: Facts = {"column": stored.column, "model": stored.model, "dim": dim}
    if rows * dim <= EXACT:
        return facts | {"kind": "exact", "step": -(-shards // PARTS)}
    planned = plan(rows, dim, memory)
    size = rows * (CODES[planned.code] * dim + ID)
    step = -(-shards // max(PARTS, round(2 * size / memory)))  # a part is in memory at a time
    version = library().__version__
    return facts | {"kind": "inverted", "step": step, **asdict(planned), "faiss": version}


def _earlier(folder: Path) -> Facts | None:
    """What the index says that is there, None if there is none that is whole."""
    try:
        return read(folder) if records.read(folder / MEASURED) else None
    except (FileNotFoundError, EdgeGlassError):
        return None


def _is_good(facts: Facts, earlier: Facts, rows: int) -> bool:
    """Whether the lists that are there are still as good as ones that were found anew."""
    changed = earlier["changed"] + abs(rows - earlier["rows"])
    worn = facts["kind"] == "inverted" and changed * WORN > rows
    return not worn and all(facts.get(name) == earlier.get(name) for name in SAME)


def _kept(earlier: Facts) -> Facts:
    """What an index keeps that follows a change."""
    return {name: earlier[name] for name in (*SAME, *FIRST) if name in earlier}


def _inventory(folder: Path) -> set[str] | None:
    """The files of an index of this release or an earlier one, None where there is none."""
    if not any(records.read(folder / name) for name in (FILE, MEASURED)):  # one may be damaged
        return None
    return {path.name for path in folder.iterdir() if OURS.fullmatch(path.name)}


def remove(folder: Path) -> None:
    """Delete the files of an index; what else lies in its folder stays."""
    for name in _inventory(folder) or ():
        (folder / name).unlink()


def facts(folder: Path) -> Facts:
    """What an index is and what was measured of it. Raises DataError if that is damaged."""
    measured = records.read(folder / MEASURED)
    if measured is None:
        raise DataError(f"{folder / MEASURED}: was changed: {REMEDY}")
    described = {n: v for n, v in read(folder).items() if n not in ("files", "parts", "vectors")}
    described |= measured
    return {"name": f"{described['column']}:{folder.parents[1].name}"} | described
