"""Deduplicate a table that comes in chunks: rows apart by a hash, then each part by itself.

Two passes, whatever the size. `scatter` reads spans of chunks and lays every row, the bad ones
too, into one of N buckets by the hash of its keys, so that equal rows meet. `gather` makes one
bucket into one part: the first of equal rows in source order stays, and it is the keys themselves
that are compared. Both run one DuckDB on one thread per task, which spills beyond its share of the
memory. So one SQL text serves one machine and a cluster, and the bytes are the same.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from edge_glass.core import duck
from edge_glass.core.atomic_files import disk_full, write_json
from edge_glass.core.errors import ConfigError, DataError, SourceError, raise_all
from edge_glass.core.ledger import Outcome
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.core.version import VERSION
from edge_glass.corpora.catalog import Variant
from edge_glass.pipeline.executor import Pool, started
from edge_glass.sources import table_chunks
from edge_glass.sources.obtain import obtain
from edge_glass.sources.table_layout import Layout
from edge_glass.tables import gather, parts, scatter, stats

FILE = "dedup.json"


@dataclass(frozen=True)
class Wanted:
    """What a deduplication does; `jobs`, `memory` and `ray` are no part of its output."""

    parts: int = 32
    seed: int | None = None  # shuffles; without it a part's rows stand in source order
    skip_damaged: bool = False
    jobs: int = 1
    memory: int = 4_000_000_000  # bytes, over all jobs of one machine
    ray: str | None = None  # the address of a cluster


class Summary(parts.Summary):
    """What `FILE` says."""

    keys: list[str]
    columns: dict[str, str]
    seed: int | None
    source: dict[str, int]  # files, bytes and rows of the chunks
    flagged: int  # rows that are kept though something is odd about them
    made_with: dict[str, str]


def deduplicate(
    variant: Variant, raw: Path | None, out: Path, wanted: Wanted, progress: Progress | None = None
) -> Summary:
    """Deduplicate the table that a config is made of: in the folder `raw`, or fetched first.

    Raises EdgeGlassError if there is no such table, or chunks are damaged.
    """
    progress = progress or Progress()
    corpus = variant.builder()
    if corpus.TABLE is None:
        raise ConfigError(f"{variant.name}: it is not made of a table in chunks")
    sources = obtain(corpus.request(), raw, progress=progress)
    return dedup(sources.paths[corpus.TABLE.source], corpus.TABLE, out, wanted, progress)


def dedup(
    raw: Path, layout: Layout, out: Path, wanted: Wanted, progress: Progress | None = None
) -> Summary:
    """Write the parts, their ledger and the statistics into `out`; returns what `FILE` says.

    Which part a row goes to follows from its keys, the order within a part from the source or the
    seed: the same chunks give the same bytes. A run that was stopped goes on where it was.

    Raises DataError if the chunks changed meanwhile.
    """
    raw, out = raw.absolute(), out.absolute()
    parts.claim(raw, out, FILE, stats.FILE, stats.PAGE)
    files = table_chunks.files(raw)
    state = _fingerprint(scatter.state(raw, files), layout, wanted)
    if (summary := parts.finished(out, FILE, state, Summary)) is not None:
        return summary
    with disk_full(out, parts.REMEDY), started(wanted.ray) as pool:
        spans = scatter.spans(raw, files)
        work = out / HIDDEN / "dedup" / state
        work.mkdir(parents=True, exist_ok=True)
        (out / FILE).unlink(missing_ok=True)  # parts of two runs must not pass for one
        memory, progress = wanted.memory // wanted.jobs, progress or Progress()
        run = scatter.Run(raw, out, work, layout, wanted.parts, wanted.seed, memory)
        rows_read = _scattered(run, spans, wanted, pool, progress)
        write_json(work / gather.NAMES, [name for span in spans for name in span.names])
        tasks = [gather.Task(run, number) for number in range(wanted.parts)]
        with progress.rows("write parts", rows_read, pool.rows_done):
            done = {task.part: each for task, each in pool.run(gather.make, tasks, wanted.jobs)}
        records = [done[number] for number in range(wanted.parts)]
        summary = _summary(layout, wanted, spans, records)
        if (accounted := sum(summary["outcomes"].values())) != rows_read:
            raise DataError(
                f"{rows_read} rows were read and {accounted} are in the ledger: this is a fault of "
                "the program, please report it"
            )
        stats.write(out, summary, [json.loads(record["stats"]) for record in records])
        parts.finish(out, FILE, state, summary)
        shutil.rmtree(work.parent)
    return summary


def _scattered(
    run: scatter.Run, spans: list[scatter.Span], wanted: Wanted, pool: Pool, progress: Progress
) -> int:
    """All pieces on disk; returns how many rows they hold."""
    tasks = [scatter.Task(run, span) for span in spans]
    total, done, rows = sum(span.bytes for span in spans), 0, 0
    damaged: list[tuple[str, str]] = []
    with progress.bytes("read chunks") as tick:
        for task, record in pool.run(scatter.make, tasks, wanted.jobs):
            done, rows = done + task.span.bytes, rows + record["rows"]
            damaged += record["damaged"]
            tick("read chunks", done, total)
    if not wanted.skip_damaged:
        what = "what can be read of it is taken, and the ledger says where it ends."
        advice = f"Get the file again, or pass --skip-damaged: {what}"
        faults = (f"{run.raw / name}: {detail}. {advice}" for name, detail in sorted(damaged))
        raise_all(faults, SourceError)
    return rows


def _summary(
    layout: Layout, wanted: Wanted, spans: list[scatter.Span], records: list[gather.Record]
) -> Summary:
    summary = parts.summary(records)
    outcomes = summary["outcomes"]
    return {
        "keys": list(layout.keys),
        "columns": dict(layout.columns),
        "seed": wanted.seed,
        "source": {
            "files": sum(len(span.names) for span in spans),
            "bytes": sum(span.bytes for span in spans),
            "rows": sum(outcomes.values()) - outcomes.get(Outcome.DAMAGED_FILE, 0),
        },
        "outcomes": outcomes,
        "flagged": sum(record["flagged"] for record in records),
        "parts": summary["parts"],
        "ledger": summary["ledger"],
        "made_with": {"edge_glass": VERSION, **duck.libraries()},
    }


def _fingerprint(chunks: str, layout: Layout, wanted: Wanted) -> str:
    """Of all that the output depends on: the chunks, the wishes, the libraries."""
    inputs = [chunks, asdict(layout), wanted.parts, wanted.seed, wanted.skip_damaged]
    inputs += [VERSION, duck.libraries()]
    return sha256(json.dumps(inputs).encode()).hexdigest()[:16]
