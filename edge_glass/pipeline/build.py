"""The main job: a config -> Parquet, ledger and manifest in the Hub's layout."""

import json
import platform
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

from filelock import FileLock, Timeout

from edge_glass.core import finished, ledger, ledger_tables, manifest, names, outputs
from edge_glass.core.atomic_files import disk_full
from edge_glass.core.errors import ConfigError, DataError, redacted
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Inputs, Manifest
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.core.revisions import SCHEMAS, Revisions
from edge_glass.core.shard_files import write_table
from edge_glass.core.spec import CLIPS
from edge_glass.corpora.catalog import Variant
from edge_glass.pipeline import build_inputs, replay, row_batches, shard_plan, worker
from edge_glass.pipeline.earlier_builds import (
    Job,
    Options,
    already,
    left_alone,
    open_folder,
    revised,
    tell_other_code,
    whole,
)
from edge_glass.pipeline.executor import Pool, elsewhere, started
from edge_glass.pipeline.remote_output import Away
from edge_glass.pipeline.replay import Before
from edge_glass.pipeline.totals import complete
from edge_glass.sources.obtain import obtain

__all__ = ["Options", "already", "build", "lock", "put"]

BATCH = 8  # shards at most that one of several workers takes at once
BATCHES = 4  # for each worker at least, so that they end at about the same time
REMEDY = (
    "Make room and run the same command again: it goes on from the last whole shard and fetches "
    "nothing twice."
)


def build(
    variant: Variant, out: Path, options: Options | None = None, progress: Progress | None = None
) -> Manifest:
    """Build `variant` into `out/<config>/` and list it in `out/README.md`.

    A build that was stopped goes on from its last whole shard; one that is complete and would come
    out the same is left alone, but for files that are broken, unless a clip did not arrive that may
    arrive now, or it is asked to retry what failed, or to refresh it in its place. What other code
    made is told, and stays as it is. Returns the manifest.
    """
    options, progress = options or Options(), progress or Progress()
    if options.ray:  # nodes have working folders of their own
        out, options = out.absolute(), options.everywhere()
    final, hidden = out / names.check(variant.name), out / HIDDEN
    _check(final, options)
    with disk_full(out, REMEDY), lock(hidden, variant.name), _logged(hidden, variant):
        corpus = variant.builder()
        request = corpus.request()
        for place in request.own_places():
            outputs.check_apart(place, final)
        finished.check_places(final, request.own_places())
        raw = obtain(
            request,
            options.raw,
            mirror=options.mirror,
            unverified=options.unverified,
            network=options.network,
            progress=progress,
        )
        described = build_inputs.describe(corpus, raw, options.limit)
        described, revisions = revised(described, final, options)
        folder = hidden / "work" / variant.name
        job = Job(variant, corpus, raw, options, described, folder, final, revisions)
        current, job = left_alone(job, progress)
        current = current or _put_anew(job, described, progress)
        shutil.rmtree(folder, ignore_errors=True)  # what nobody will go on with
        if options.away:
            options.away.finish(current, final)
        tell_other_code(job, current, progress)
    return current


def _check(final: Path, options: Options) -> None:
    """Raise EdgeGlassError if the options do not fit, or something lies where the output goes."""
    if final.parent.is_file():
        raise ConfigError(f"{final.parent} is a file: give a folder, which will hold {final.name}/")
    if options.away and (options.retry_failed or options.refresh):
        raise ConfigError("--retry-failed and --refresh need the shards here: give --out a folder")
    if options.raw:
        outputs.check_apart(options.raw, final)
    if not finished.inventory(final):
        outputs.check_replaceable(final, None)


def _check_kept(job: Job, outcomes: Mapping[str, int]) -> None:
    """Raise EdgeGlassError if no row is kept; where clips are looked for in --raw, it says so."""
    sources = job.corpus.request().sources.items()
    clips = any(each.fetch in CLIPS and name not in job.raw.remote for name, each in sources)
    lost = clips and outcomes.get(Outcome.MISSING_MEDIA)
    fetch = {"remedy": "Are the clips there? --fetch-clips fetches them."} if lost else {}
    ledger.check_kept(job.variant.name, outcomes, job.folder / ledger.FILE, **fetch)


def _put_anew(job: Job, described: Inputs, progress: Progress) -> Manifest:
    """Make the build, or finish one that was stopped, and put it in its place."""
    outputs.check_replaceable(job.final, finished.inventory(job.final))
    build = whole(job.folder, described) or _make(job, progress)
    if not job.options.allow_empty:
        _check_kept(job, build.outcomes())
    put(job.folder, job.final)
    return build


def _make(job: Job, progress: Progress) -> Manifest:
    """All shards, the ledger and last the manifest."""
    described = open_folder(job, progress)
    if job.before:
        finished.check(job.before, [manifest.read(job.before).ledger])
    options = job.options
    planned = shard_plan.plan(
        job.corpus, job.raw, job.folder, options.limit, progress, jobs=options.jobs,
        ray=None if options.away else options.ray,  # nodes see no folder of this machine
    )  # fmt: skip
    tasks = list(_tasks(job, planned))
    if job.mended and ledger.FILE not in job.broken:
        _take_over(job, job.mended, tasks)
    _make_shards(tasks, job.options, progress)
    return _finish(job.revisions.described(described), job.revisions, tasks, planned.rows)


def _take_over(job: Job, build: Manifest, tasks: list[worker.Task]) -> None:
    """Put what is whole of a build that is broken in part among the shards that are made.

    Nothing, if an earlier release cut its shards elsewhere.
    """
    before = list(replay.of_orders(job.final, [task.order for task in tasks], False))
    cut = [(task.name, each.examples) for task, each in zip(tasks, before, strict=True)]
    if cut != [(shard.file, shard.rows) for shard in build.shards()]:
        return
    for task, each, shard in zip(tasks, before, build.shards(), strict=True):
        if shard.file not in job.broken and worker.finished(task) is None:
            worker.take_over(task, job.final, shard, each.start)


def _tasks(job: Job, planned: shard_plan.Planned) -> Iterator[worker.Task]:
    before: Iterator[Before | None] = repeat(None)
    if job.before:
        refresh = job.options.refresh is not None
        before = replay.of_orders(job.before, planned.orders, refresh)
    revisions = job.revisions if job.described.tables else None
    for order, each in zip(planned.orders, before, strict=False):
        name = planned.name(order)
        yield worker.Task(job.variant, job.raw, job.folder, order, name, each, revisions)


def _make_shards(tasks: list[worker.Task], options: Options, progress: Progress) -> None:
    _forget_damaged(tasks, options)
    left = [task for task in tasks if worker.finished(task) is None]
    rows = sum(task.order.rows for task in left)
    with (
        started(options.ray if left else None) as pool,
        progress.rows(f"build {tasks[0].variant.name}", rows, pool.rows_done),
    ):
        if options.away:
            options.away.begin(left)
        for batch, _ in pool.run(_make_batch, _batches(left, pool, options), options.jobs):
            if options.away:
                options.away.collect(batch.tasks)
            if lost := [task for task in batch.tasks if worker.finished(task) is None]:
                raise elsewhere(lost[0], lost[0].folder)


def _forget_damaged(tasks: list[worker.Task], options: Options) -> None:
    """What a stopped build left is gone on with where its bytes are what they were."""
    there = [task for task in tasks if task.record.exists()]
    with ThreadPoolExecutor(options.jobs) as threads:  # hashing lets other threads run
        deque(threads.map(lambda task: worker.forget_damaged(task, not options.away), there), 0)


@dataclass(frozen=True)
class _Batch:
    """Shards that one process makes, one after another, and sends away if they go elsewhere."""

    tasks: list[worker.Task]
    away: Away | None

    def __str__(self) -> str:
        return " to ".join(dict.fromkeys((str(self.tasks[0]), str(self.tasks[-1]))))


def _batches(tasks: list[worker.Task], pool: Pool, options: Options) -> list[_Batch]:
    """Shards with rows to be fetched go together, so that a slow URL keeps no process idle."""
    size = 1
    if tasks and tasks[0].raw.remote:
        size = min(BATCH, len(tasks) // (BATCHES * pool.workers(options.jobs))) or 1
        if options.jobs == 1 and not (options.ray or options.away):  # here, each known at once
            size = len(tasks)
    return [_Batch(tasks[at : at + size], options.away) for at in range(0, len(tasks), size)]


def _make_batch(batch: _Batch) -> None:
    """A worker may be killed in the middle, or between the end of a shard and telling of it."""
    if batch.away:
        batch.away.make(batch.tasks)
    elif left := [task for task in batch.tasks if worker.finished(task) is None]:
        deque(worker.make(left), maxlen=0)


def _finish(
    described: Inputs, revisions: Revisions, tasks: list[worker.Task], rows: dict[str, int]
) -> Manifest:
    """Join the ledgers, check that they balance, write the manifest."""
    folder = tasks[0].folder
    ended = [(task.ledger, record) for task in tasks if (record := worker.finished(task))]
    records = [record for _, record in ended]
    batches = (b for path, record in ended for b in row_batches.read(path, record.ledger.sha256))
    groups = ledger_tables.regrouped(batches)
    revisions.write(folder)
    written = write_table(folder / ledger.FILE, groups, ledger.schema(), ledger_tables.WORDS)
    build = complete(described, records, written, rows)
    build.check_balance(rows)
    build.write(folder)
    return build


def put(folder: Path, final: Path) -> None:
    """Move a finished build to its place, the previous one out of it.

    Raises EdgeGlassError if something lies there that is no part of a build.
    """
    for path in folder.iterdir():
        shard = "-of-" in path.name and path.suffix == ".parquet"
        if not shard and path.name not in (manifest.FILE, ledger.FILE, *SCHEMAS):
            path.unlink()
    outputs.replace(folder, final, finished.inventory(final), _previous(folder))


def _previous(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.previous")


def _settle(previous: Path, final: Path) -> None:
    """What a process left that was killed in `put`: the earlier build goes back, or is removed."""
    if previous.is_dir() and not final.exists():
        previous.rename(final)
    shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def lock(hidden: Path, name: str) -> Iterator[None]:
    """Nobody else makes the config of this name meanwhile. Raises DataError if somebody does."""
    hidden.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(hidden / f"{name}.lock", timeout=0):
            _settle(_previous(hidden / "work" / name), hidden.parent / name)
            yield
    except Timeout:
        raise DataError(f"{name}: another build of it is running into {hidden.parent}") from None


@contextmanager
def _logged(hidden: Path, variant: Variant) -> Iterator[None]:
    """Time and host go into the run log, never into the output."""
    start, result = datetime.now(UTC), "done"
    try:
        yield
    except BaseException as error:
        result = redacted(f"{type(error).__name__}: {error}")
        raise
    finally:
        line = {
            "config": variant.name,
            "start": start.isoformat(),
            "end": datetime.now(UTC).isoformat(),
            "host": platform.node(),
            "result": result,
        }
        with suppress(OSError), (hidden / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
