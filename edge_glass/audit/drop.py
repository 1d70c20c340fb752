"""A config made of another one without the rows that an audit flagged; its ledger names them."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from edge_glass.audit import audits
from edge_glass.core import duck, finished, ledger, manifest, names, outputs, parquet, records
from edge_glass.core.atomic_files import disk_full, write_shard, write_table
from edge_glass.core.errors import ConfigError, DataError, absent
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import (
    HIDDEN,
    Audit,
    AuditedBuild,
    File,
    Inputs,
    Manifest,
    ShardRecord,
)
from edge_glass.pipeline import executor_local, replay
from edge_glass.pipeline.build import REMEDY, already, lock, put

LEAKS = "leaks"  # of duplicates, those in another split or corpus
MEMORY = 500_000_000
BATCH = 10_000
Example = tuple[str, str]  # its id, and what was found, empty if nothing


@dataclass(frozen=True)
class Task:
    """A shard to be written anew: everything a process needs to know of it."""

    folder: Path  # of the build that it is in
    shard: File
    target: Path
    split: str
    findings: tuple[Path, ...]
    checks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.target.parent.name}/{self.target.name}"

    @property
    def path(self) -> Path:
        """The shard as it is."""
        return self.folder / self.shard.file


def known(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Groups that are to be audited for these names of groups or checks, and the checks."""
    groups, checks = list[str](), list[str]()
    for name in names:
        if name == LEAKS:
            groups, checks = [*groups, "duplicates"], [*checks, LEAKS]
        elif name in audits.CHECKS:
            groups, checks = [*groups, name], [*checks, *audits.CHECKS[name]]
        elif found := [group for group, held in audits.CHECKS.items() if name in held]:
            groups, checks = [*groups, *found], [*checks, name]
        else:
            every = [*audits.CHECKS, LEAKS, *(c for held in audits.CHECKS.values() for c in held)]
            raise ConfigError(absent("check", name, every))
    return list(dict.fromkeys(groups)), list(dict.fromkeys(checks))


def drop(folder: Path, out: Path, name: str, checks: Sequence[str], jobs: int = 1) -> Manifest:
    """Make the config `name` under `out`: the rows of `folder` but those that `checks` flagged.

    The findings are those of `audits.audit(folder, out)`. The ledger gives such rows the outcome
    `flagged` with what was found, the manifest the sha256 of the findings. Returns the manifest.
    Raises EdgeGlassError if there is no audit of this data.
    """
    made, final = manifest.read(folder), out / names.check(name)
    if name == made.config or final.resolve() == folder.resolve():
        raise ConfigError(f"{name}: give the new config a name of its own with --name")
    outputs.check_replaceable(final, finished.inventory(final))
    described = _described(folder, made, out, name, checks)
    with disk_full(out, REMEDY), lock(out / HIDDEN, name):
        whole = already(final, described)
        if whole is None or finished.broken(final, whole.files()):
            work = out / HIDDEN / "work" / name
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            _make(folder, made, described, out, work, jobs)
            put(work, final)
            finished.remember(final, manifest.read(final).files(), None)
    return manifest.read(final)


def _described(folder: Path, made: Manifest, out: Path, name: str, checks: Sequence[str]) -> Inputs:
    found = audits.read(out, made.config)
    groups, _ = known(checks)
    if found is None or found["data"] != made.digests() or set(groups) - found["groups"].keys():
        raise DataError(f"{folder}: no audit of it in {out}: run `edge-glass audit` first")
    told = (folder / manifest.FILE).read_bytes()
    source = AuditedBuild(made.config, sha256(told).hexdigest())
    files = {group: found["groups"][group]["sha256"] for group in groups}
    for group, digest in files.items():
        path = out / audits.FOLDER / made.config / f"{group}.parquet"
        if not path.is_file() or records.sha256(path) != digest:
            raise DataError(
                f"{path}: not as it was written: run `edge-glass audit` again, it is made anew"
            )
    return replace(made.inputs, config=name, audit=Audit(source, tuple(checks), files))


def _make(
    folder: Path, made: Manifest, described: Inputs, out: Path, work: Path, jobs: int
) -> None:
    assert described.audit
    groups, checks = known(described.audit.checks)
    paths = tuple(out / audits.FOLDER / made.config / f"{group}.parquet" for group in groups)
    tasks = [
        Task(folder, shard, work / shard.file, split, paths, tuple(checks))
        for split, shard in made.shards_by_split()
    ]
    finished.check(folder, [made.ledger])
    with executor_local.started(None) as workers:
        records = dict(workers.run(write, tasks, jobs))
    book = _Book(folder, tasks)
    written = write_table(work / ledger.FILE, book.tables(), ledger.SCHEMA)
    parts = [book.counted(records[task]) for task in tasks]
    file = File(**asdict(written), file=ledger.FILE)
    planned = {name: split.planned for name, split in made.splits.items()}
    manifest.complete(described, parts, file, planned).write(work)


def write(task: Task) -> ShardRecord:
    """The shard without the rows that are flagged; returns its record, without outcomes."""
    finished.check(task.folder, [task.shard])
    flagged = _flagged(task)
    with parquet.opened(task.path) as file:
        schema = file.schema_arrow
    rows = (row for row in parquet.rows(task.path) if row["id"] not in flagged)
    written = write_shard(task.target, rows, schema)
    shard = File(**asdict(written), file=task.target.name)
    return ShardRecord(task.split, shard, {}, {}, manifest.figures(task.target))


def _flagged(task: Task) -> dict[str, str]:
    """Ids of a shard's rows that are flagged, and what was found of each."""
    files = ", ".join(duck.text(parquet.bounded(path)) for path in task.findings)
    wanted = ", ".join(duck.text(check) for check in task.checks)
    leaks = "OR scope IN ('splits', 'corpora')" if LEAKS in task.checks else ""
    ids = pa.table({"id": [i for part in parquet.groups(task.path, ["id"]) for i in part["id"]]})
    with duck.connected(MEMORY, task.target.parent) as connection:
        connection.register("ids", ids)
        found = connection.execute(
            f"""
            SELECT id, string_agg(told, '; ' ORDER BY told) FROM (
                SELECT DISTINCT id, "check" || CASE WHEN other_id IS NULL THEN ''
                    ELSE ': ' || other_config || ' ' || other_split || ' ' || other_id END AS told
                FROM read_parquet([{files}]) SEMI JOIN ids USING (id)
                WHERE split = {duck.text(task.split)} AND ("check" IN ({wanted}) {leaks})
            ) GROUP BY id
            """
        ).fetchall()
    return dict(found)


class _Book:
    """The ledger of the new config, out of that of the old one."""

    def __init__(self, folder: Path, tasks: list[Task]) -> None:
        self._path = folder / ledger.FILE
        self._examples = {
            split: self._of([task for task in tasks if task.split == split])
            for split in dict.fromkeys(task.split for task in tasks)
        }
        self._waiting = {split: next(found, None) for split, found in self._examples.items()}
        self._outcomes: dict[str, Counter[str]] = {split: Counter() for split in self._examples}
        self._warnings: dict[str, Counter[str]] = {split: Counter() for split in self._examples}

    @staticmethod
    def _of(tasks: list[Task]) -> Iterator[Example]:
        for task in tasks:
            flagged = _flagged(task)
            for row in parquet.rows(task.path, ["id"]):
                yield row["id"], flagged.get(row["id"], "")

    def tables(self) -> Iterator[pa.Table]:
        for table in ledger.tables(self._path):
            rows = [self._entry(row) for row in table.to_pylist()]
            yield pa.Table.from_pylist(rows, schema=ledger.SCHEMA)

    def _entry(self, row: dict[str, Any]) -> dict[str, Any]:
        split = row["split"]
        if row["outcome"] == Outcome.KEPT:
            row |= self._outcome(row, [found for _, found in self._take(split, row["id"])])
        self._outcomes[split][row["outcome"]] += 1
        if row["outcome"] == Outcome.KEPT:
            self._warnings[split].update(ledger.warnings(row["detail"]))
        return row

    def _take(self, split: str, id: str) -> Iterator[Example]:
        while (example := self._waiting[split]) and replay.of(example[0], id):
            yield example
            self._waiting[split] = next(self._examples[split], None)

    @staticmethod
    def _outcome(row: dict[str, Any], found: list[str]) -> dict[str, Any]:
        """A source row is flagged if all of its examples are."""
        flagged = [one for one in found if one]
        if not flagged:
            return {}
        told = "; ".join(dict.fromkeys(flagged))
        if len(flagged) == len(found):
            gone = {"text_digests": None, "media_digests": None}
            return {"outcome": str(Outcome.FLAGGED), "detail": told, **gone}
        note = f"{len(flagged)} of {len(found)} examples flagged: {told}"
        kept = [number for number, one in enumerate(found) if not one]
        digests = {
            name: row.get(name) and [row[name][number] for number in kept]
            for name in ("text_digests", "media_digests")
        }
        return {"detail": "; ".join(filter(None, [row["detail"], note])), **digests}

    def counted(self, record: ShardRecord) -> ShardRecord:
        """With the outcomes of the whole split, if it is the first of its shards."""
        outcomes = self._outcomes.pop(record.split, Counter())
        warnings = self._warnings.pop(record.split, Counter())
        return replace(record, outcomes=dict(outcomes), warnings=dict(warnings))
