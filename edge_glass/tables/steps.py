"""A step over a table: each chunk becomes one part, with a ledger of its rows.

A part is whole or absent, and a run that was stopped goes on at the next one. Steps know nothing of
where they run: on one machine or on a Ray cluster the bytes are the same.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

import edge_glass
from edge_glass import pool
from edge_glass.ledger import Outcome
from edge_glass.pool import started
from edge_glass.progress import Progress, Silent
from edge_glass.shards import disk_full, write_json
from edge_glass.tables import chunks, scatter
from edge_glass.tables.gather import FOLDER, LEDGER, File

FILE = "step.json"
REMEDY = "Make room and run the same command again: it goes on where it stopped."


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
    of: int
    step: Step

    def __str__(self) -> str:
        return self.chunk

    @property
    def name(self) -> str:
        return f"part-{self.number:05d}-of-{self.of:05d}.parquet"


def run(
    step: Step,
    raw: Path,
    out: Path,
    jobs: int = 1,
    ray: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Do a step over every chunk in `raw`; returns what `FILE` in `out` then says."""
    raw, out, progress = raw.absolute(), out.absolute(), progress or Silent()
    files = chunks.files(raw)
    state = _fingerprint(step, scatter.state(raw, files))
    if (made := _made(out, state)) is not None:
        return made
    work = out / chunks.HIDDEN / "steps" / state
    with disk_full(out, REMEDY), started(ray) as workers:
        work.mkdir(parents=True, exist_ok=True)
        (out / FILE).unlink(missing_ok=True)  # parts of two runs must not pass for one
        names = [path.relative_to(raw).as_posix() for path in files]
        tasks = [Task(raw, name, out, work, n, len(names), step) for n, name in enumerate(names)]
        with progress.bytes("read chunks") as tick:
            records, done = {}, 0
            for task, record in workers.run(make, tasks, jobs):
                records[task.number], done = record, done + 1
                tick("chunks", done, len(tasks))
        made = _summary(step, state, [records[number] for number in range(len(tasks))])
        _clear(out, made)
        write_json(out / FILE, made)
        shutil.rmtree(work.parent)
    return made


def make(task: Task) -> dict[str, Any]:
    """Write a part and its ledger, then a record of both."""
    record = task.work / f"{task.name}.json"
    if not record.is_file():
        write_json(record, _part(task))
    found: dict[str, Any] = json.loads(record.read_text())
    return found


def _part(task: Task) -> dict[str, Any]:
    name, book = f"{FOLDER}/{task.name}", f"ledger/{task.name}"
    outcomes, rows = Counter[str](), 0
    with (
        File(task.out / name, task.step.schema(task.raw)) as part,
        File(task.out / book, LEDGER) as ledger,
    ):
        for table in task.step.rows(task.raw / task.chunk, task.work):
            batch = table.combine_chunks().append_column(
                "source", pa.array([task.chunk] * table.num_rows, pa.string())
            )
            kept = batch.filter(pc.equal(batch["outcome"], Outcome.KEPT))
            for found, file in ((kept, part), (batch, ledger)):
                for piece in found.to_batches():
                    file.write(piece)
            counts = batch["outcome"].value_counts().to_pylist()
            outcomes += Counter({item["values"]: item["counts"] for item in counts})
            rows += batch.num_rows
            pool.count(batch.num_rows, batch.num_rows - kept.num_rows)
    return {
        "outcomes": dict(outcomes),
        "rows": rows,
        "part": {"file": name, **part.written()},
        "ledger": {"file": book, **ledger.written()},
    }


def _summary(step: Step, state: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = sum((Counter(record["outcomes"]) for record in records), Counter[str]())
    return {
        "step": repr(step),
        "state": state,
        "rows": sum(record["rows"] for record in records),
        "outcomes": dict(sorted(outcomes.items())),
        "parts": [record["part"] for record in records],
        "ledger": [record["ledger"] for record in records],
        "made_with": _libraries(step),
    }


def _libraries(step: Step) -> dict[str, str]:
    return {"edge_glass": edge_glass.__version__, "pyarrow": pa.__version__} | step.libraries()


def _fingerprint(step: Step, chunks: str) -> str:
    inputs = [chunks, repr(step), _libraries(step)]
    return sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def _made(out: Path, state: str) -> dict[str, Any] | None:
    """What a finished run with the same inputs said."""
    try:
        made: dict[str, Any] = json.loads((out / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    whole = all((out / part["file"]).is_file() for part in made["parts"] + made["ledger"])
    return made if made["state"] == state and whole else None


def _clear(out: Path, made: dict[str, Any]) -> None:
    """Remove the parts of an earlier run that were more, or others."""
    for files in (made["parts"], made["ledger"]):
        wanted = {Path(file["file"]).name for file in files}
        for path in (out / files[0]["file"]).parent.glob("part-*"):
            if path.name not in wanted:
                path.unlink()
