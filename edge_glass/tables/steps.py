"""A step over a table: each chunk becomes one part, with a ledger of its rows.

A part is whole or absent, and a run that was stopped goes on at the next one. Steps know nothing of
where they run: on one machine or on a Ray cluster the bytes are the same.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from edge_glass.core.atomic_files import disk_full
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.core.version import VERSION
from edge_glass.pipeline.executor import started
from edge_glass.sources import table_chunks
from edge_glass.tables import parts, scatter

FILE = "step.json"


class Step(Protocol):
    """What is done with the rows of a chunk. It pickles, and its repr tells it from every other."""

    def schema(self, raw: Path) -> pa.Schema:
        """Of the parts, out of the chunks of a folder."""

    def rows(self, path: Path, work: Path) -> Iterator[pa.Table]:
        """All rows of a chunk: `row` (its number), `outcome`, `detail`, and what the part holds."""

    def libraries(self) -> dict[str, str]:
        """What the output's bytes depend on."""


@dataclass(frozen=True)
class Task:
    """A chunk to be read: everything a process needs to know of it."""

    raw: Path
    chunk: str
    out: Path
    work: Path
    number: int
    name: str  # of its file
    step: Step

    def __str__(self) -> str:
        return self.chunk


class Summary(parts.Summary):
    """What `FILE` says."""

    step: str
    rows: int
    made_with: dict[str, str]


def run(
    step: Step,
    raw: Path,
    out: Path,
    jobs: int = 1,
    ray: str | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Do a step over every chunk in `raw`; returns what `FILE` in `out` then says."""
    raw, out, progress = raw.absolute(), out.absolute(), progress or Progress()
    parts.claim(raw, out, FILE)
    files = table_chunks.files(raw)
    state = _fingerprint(step, scatter.state(raw, files))
    if (summary := parts.finished(out, FILE, state, Summary)) is not None:
        return summary
    work = out / HIDDEN / "steps" / state
    with disk_full(out, parts.REMEDY), started(ray) as workers:
        work.mkdir(parents=True, exist_ok=True)
        (out / FILE).unlink(missing_ok=True)  # parts of two runs must not pass for one
        names = [path.relative_to(raw).as_posix() for path in files]
        tasks = [
            Task(raw, chunk, out, work, n, parts.name(n, len(names)), step)
            for n, chunk in enumerate(names)
        ]
        sizes = [path.stat().st_size for path in files]
        total = sum(sizes)
        with progress.bytes("read chunks") as tick:
            records, done = {}, 0
            for task, record in workers.run(make, tasks, jobs):
                records[task.number], done = record, done + sizes[task.number]
                tick("chunks", done, total)
        summary = _summary(step, [records[number] for number in range(len(tasks))])
        parts.finish(out, FILE, state, summary)
        shutil.rmtree(work.parent)
    return summary


def make(task: Task) -> parts.PartRecord:
    """Write a part and its ledger, then a record of both."""
    return parts.recorded(task.work / f"{task.name}.json", task.out, lambda: _part(task))


def _part(task: Task) -> parts.PartRecord:
    with parts.pair(task.out, task.name, task.step.schema(task.raw)) as pair:
        for table in task.step.rows(task.raw / task.chunk, task.work):
            source = pa.array([task.chunk] * table.num_rows, pa.string())
            for batch in table.combine_chunks().append_column("source", source).to_batches():
                pair.write(batch)
    return pair.written()


def _summary(step: Step, records: list[parts.PartRecord]) -> Summary:
    summary = parts.summary(records)
    rows = sum(summary["outcomes"].values())
    return {"step": repr(step), "rows": rows, **summary, "made_with": _libraries(step)}


def _libraries(step: Step) -> dict[str, str]:
    return {"edge_glass": VERSION, "pyarrow": pa.__version__} | step.libraries()


def _fingerprint(step: Step, chunks: str) -> str:
    inputs = [chunks, repr(step), _libraries(step)]
    return sha256(json.dumps(inputs).encode()).hexdigest()[:16]
