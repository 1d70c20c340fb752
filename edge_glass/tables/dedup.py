"""Deduplicate a table that comes in chunks: rows apart by a hash, then each part by itself.

Two passes, whatever the size. `scatter` reads spans of chunks and lays every row, the bad ones
too, into one of N buckets by the hash of its keys, so that equal rows meet. `gather` makes one
bucket into one part: the first of equal rows in source order stays, compared by the keys themselves.
Both run one DuckDB on one thread per task, which spills beyond its share of the memory.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

import edge_glass
from edge_glass.errors import EdgeGlassError, raise_all
from edge_glass.ledger import Outcome
from edge_glass.pool import Counters
from edge_glass.progress import Progress, Silent
from edge_glass.shards import write_json
from edge_glass.tables import chunks, engine, gather, scatter, stats
from edge_glass.tables.layout import Layout

FILE = "dedup.json"
HIDDEN = ".edge_glass"
SPAN_BYTES = 128_000_000  # of chunks that one task reads


@dataclass(frozen=True)
class Wanted:
    """What a deduplication does; `jobs` and `memory` are no part of its output."""

    layout: Layout
    parts: int = 32
    seed: int | None = None  # shuffles; without it a part's rows stand in source order
    skip_damaged: bool = False
    jobs: int = 1
    memory: int = 4_000_000_000  # bytes, over all jobs


def dedup(
    raw: Path, out: Path, wanted: Wanted, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the parts, their ledger and the statistics into `out`; returns what `FILE` says.

    Which part a row goes to follows from its keys, the order within a part from the source or the
    seed: the same chunks give the same bytes. A run that was stopped goes on where it was.
    """
    progress = progress or Silent()
    spans = scatter.spans(raw, chunks.files(raw), SPAN_BYTES)
    work = out / HIDDEN / f"dedup-{_fingerprint(spans, wanted)}"
    if (made := _made(out, work.name)) is not None:
        return made
    work.mkdir(parents=True, exist_ok=True)
    memory = wanted.memory // wanted.jobs
    read = _scatter(raw, spans, work, wanted, memory, progress)
    records = _gather(spans, work, out, wanted, memory, read, progress)
    made = _summary(wanted, spans, records) | {"work": work.name}
    _check_balance(sum(read.values()), made)
    stats.write(out, made, [record["stats"] for record in records])
    write_json(out / FILE, made)
    shutil.rmtree(work)
    return made


def _scatter(
    raw: Path,
    spans: list[scatter.Span],
    work: Path,
    wanted: Wanted,
    memory: int,
    progress: Progress,
) -> dict[int, int]:
    """All pieces on disk; the rows of each span."""
    tasks = [
        scatter.Task(raw, span, work, wanted.layout, wanted.parts, wanted.seed, memory)
        for span in spans
    ]
    total, done, rows, damaged = sum(span.bytes for span in spans), 0, {}, []
    with progress.bytes("read chunks") as tick:
        for task, record in Counters().run(scatter.make, tasks, wanted.jobs):
            done += task.span.bytes
            tick("read chunks", done, total)
            rows[task.span.number] = record["rows"]
            damaged += record["damaged"]
    if not wanted.skip_damaged:
        raise_all(
            f"{raw / name}: {detail}. Get the file again, or pass --skip-damaged: what is read "
            "of it is taken and the ledger says where it ends."
            for name, detail in sorted(damaged)
        )
    return rows


def _gather(
    spans: list[scatter.Span],
    work: Path,
    out: Path,
    wanted: Wanted,
    memory: int,
    read: dict[int, int],
    progress: Progress,
) -> list[dict[str, Any]]:
    names = [name for span in spans for name in span.names]
    write_json(work / gather.NAMES, names)
    tasks = [
        gather.Task(work, out, number, wanted.parts, wanted.layout, wanted.seed, memory)
        for number in range(wanted.parts)
    ]
    counters = Counters()
    with progress.rows("write parts", sum(read.values()), counters.read):
        found = {task.part: record for task, record in counters.run(gather.make, tasks, wanted.jobs)}
    return [found[number] for number in range(wanted.parts)]


def _summary(
    wanted: Wanted, spans: list[scatter.Span], records: list[dict[str, Any]]
) -> dict[str, Any]:
    outcomes = sum((Counter(record["outcomes"]) for record in records), Counter[str]())
    return {
        "keys": list(wanted.layout.keys),
        "columns": wanted.layout.columns,
        "seed": wanted.seed,
        "source": {
            "files": sum(len(span.names) for span in spans),
            "bytes": sum(span.bytes for span in spans),
            "rows": outcomes.total() - outcomes[Outcome.DAMAGED_FILE],
        },
        "outcomes": dict(sorted(outcomes.items())),
        "flagged": sum(record["flagged"] for record in records),
        "parts": [record["part"] for record in records],
        "ledger": [record["ledger"] for record in records],
        "made_with": {"edge_glass": edge_glass.__version__, **engine.libraries()},
    }


def _fingerprint(spans: list[scatter.Span], wanted: Wanted) -> str:
    """Of all that the output depends on: names, sizes and times of the chunks, and the wishes."""
    inputs: list[Any] = [asdict(span) for span in spans]
    inputs += [asdict(wanted.layout), wanted.parts, wanted.seed, wanted.skip_damaged]
    inputs += [edge_glass.__version__, engine.libraries()]
    return sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def _made(out: Path, work: str) -> dict[str, Any] | None:
    """What a finished run with the same inputs said."""
    try:
        made: dict[str, Any] = json.loads((out / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    whole = all((out / part["file"]).is_file() for part in made["parts"] + made["ledger"])
    return made if made["work"] == work and whole else None


def _check_balance(read: int, made: dict[str, Any]) -> None:
    told = sum(made["outcomes"].values())
    if told != read:
        raise EdgeGlassError(
            f"{read} rows were read and {told} are in the ledger: this is a fault of the program, "
            "please report it"
        )
