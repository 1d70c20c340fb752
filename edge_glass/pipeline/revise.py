"""A build made of the shards of earlier ones: what does not change stays byte for byte."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import finished, ledger, ledger_tables, manifest, names, outputs, parquet
from edge_glass.core.atomic_files import disk_full, link
from edge_glass.core.errors import ConfigError
from edge_glass.core.ledger import Outcome
from edge_glass.core.locations import is_local
from edge_glass.core.manifest import File, Inputs, Manifest, ShardRecord
from edge_glass.core.names import HIDDEN
from edge_glass.core.revisions import Revisions
from edge_glass.core.row import Example
from edge_glass.core.row_digests import RowDigests
from edge_glass.core.shard_files import shard_figures, write_shard, write_table
from edge_glass.media.features import arrow_schema
from edge_glass.pipeline import executor
from edge_glass.pipeline.build import REMEDY, already, lock, put
from edge_glass.pipeline.totals import complete

Row = Example  # of a shard, or of a ledger
Digests = Mapping[tuple[str, str], str]  # split and digest of a row's text as it was: as it is


class Change(Protocol):
    """What is done to the rows of a shard. It pickles."""

    def on(self, part: "Part") -> Callable[[Row], Row | None]:
        """Gives a row as it is from now on: the same object if it stays, None if it goes."""


@dataclass(frozen=True, eq=False)
class Part:
    """A shard of the new build, and where it comes from."""

    folder: Path  # of the build that it is in
    shards: tuple[File, ...]  # several become one
    split: str
    target: Path
    change: Change | None = None  # None: its bytes stay

    def __str__(self) -> str:
        return f"{self.target.parent.name}/{self.target.name}"

    @property
    def paths(self) -> list[Path]:
        """The shards as they are."""
        return [self.folder / shard.file for shard in self.shards]


@dataclass(frozen=True)
class Written:
    """A shard that was written anew, and the text digests of the rows that were altered."""

    record: ShardRecord
    altered: dict[tuple[str, str], str]


def parts(
    folder: Path, build: Manifest, work: Path, change: Callable[[str, File], Change | None]
) -> list[Part]:
    """All shards of a build, each with what is done to it."""
    every = build.shards_by_split()
    return [Part(folder, (s,), split, work / s.file, change(split, s)) for split, s in every]


def check_target(folder: Path, out: Path, name: str) -> None:
    """Raise EdgeGlassError if a config out of that in `folder` cannot be called so in `out`."""
    final = out / names.check(name)
    if final.resolve() == folder.resolve():
        raise ConfigError(f"{name}: give the new config a name of its own with --name")
    outputs.check_replaceable(final, finished.inventory(final))


def placed(out: Path, described: Inputs, into: Callable[[Path], object]) -> Manifest:
    """The config that `into` makes in a folder, in its place in `out`; not if it is there."""
    name = described.config
    final, work = out / name, out / HIDDEN / "work" / name
    with disk_full(out, REMEDY), lock(out / HIDDEN, name):
        whole = already(final, described)
        if whole is None or finished.broken(final, whole.files()):
            into(work)
            put(work, final)
            finished.remember(final, manifest.read(final).files(), None)
    return manifest.read(final)


def make(
    described: Inputs,
    revisions: Revisions,
    parts: Sequence[Part],
    entries: Callable[[Digests], Iterable[list[Row]]],
    planned: Mapping[str, int | None],
    jobs: int = 1,
) -> Manifest:
    """Write all of a build into the folder of the parts' targets.

    `entries` gives the rows of its ledger, split by split, a row group at a time: one that stays
    has the bytes that it had, and a Hub that knows chunks does not get it again. Shards that stay
    are linked, or left where they are if that is behind a URL. Raises EdgeGlassError if one is
    damaged.
    """
    work = parts[0].target.parent
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    revisions.write(work)
    schema = arrow_schema(described.features)
    changed = [part for part in parts if part.change]
    with executor.started(None) as workers:
        written = dict(workers.run(partial(_write, schema), changed, jobs))
    records = [written[p].record if p in written else _kept(p, described) for p in parts]
    altered = {key: new for one in written.values() for key, new in one.altered.items()}
    book = _Book(entries(altered))
    table = write_table(work / ledger.FILE, book.tables(), ledger.schema(), ledger_tables.WORDS)
    described = revisions.described(described)
    build = complete(described, book.counted(records), table, planned)
    build.check_balance({name: n for name, n in planned.items() if n is not None})
    build.write(work)
    return build


def _write(schema: pa.Schema, part: Part) -> Written:
    """Write a shard whose rows change; its record has no outcomes."""
    assert part.change
    finished.check(part.folder, part.shards)
    before, digests = RowDigests(parquet.schema(part.paths[0])), RowDigests(schema)
    change = part.change.on(part)
    altered: dict[tuple[str, str], str] = {}

    def changed() -> Iterator[Row]:
        for row in (row for path in part.paths for row in parquet.rows(path)):
            new = change(row)
            if new is not None and new is not row:
                altered[part.split, before.of(row)[0]] = digests.of(new)[0]
            if new is not None:
                yield new

    shard = write_shard(part.target, changed(), schema)
    figures = shard_figures(part.target)
    return Written(ShardRecord(part.split, shard, {}, {}, figures), altered)


def _kept(part: Part, described: Inputs) -> ShardRecord:
    """A shard that stays, under the name that it has now."""
    [shard], [path] = part.shards, part.paths
    if is_local(part.folder):
        finished.check(part.folder, part.shards)
        link(path, part.target)
    counted = {"duration", "license"} & described.features.keys()
    figures = shard_figures(path) if counted else manifest.Figures()
    return ShardRecord(part.split, replace(shard, file=part.target.name), {}, {}, figures)


def entries(
    ledger_file: Path, change: Callable[[Row], Row], split: str | None = None
) -> Iterator[list[Row]]:
    """The rows of a ledger, changed one by one, as many at a time as it has in a group."""
    for table in parquet.groups(ledger_file):
        part = table if split is None else table.filter(pc.equal(table["split"], split))
        if part.num_rows or split is None:
            yield [change(row) for row in part.to_pylist()]


def with_digests(ledger_file: Path, digests: Digests) -> Iterator[list[Row]]:
    """The rows of a ledger with the digests of their texts as they are now."""

    def entry(row: Row) -> Row:
        texts = row["text_digests"]
        if texts is None:
            return row
        return row | {"text_digests": [digests.get((row["split"], one), one) for one in texts]}

    return entries(ledger_file, entry)


class _Book:
    """The ledger of a new build, counted while it is written."""

    def __init__(self, entries: Iterable[list[Row]]) -> None:
        self._entries = entries
        self._outcomes: dict[str, Counter[str]] = {}
        self._warnings: dict[str, Counter[str]] = {}

    def tables(self) -> Iterator[pa.Table]:
        for rows in self._entries:
            for row in rows:
                self._outcomes.setdefault(row["split"], Counter())[row["outcome"]] += 1
                if row["outcome"] == Outcome.KEPT:
                    warnings = self._warnings.setdefault(row["split"], Counter())
                    warnings.update(ledger.warnings(row["detail"]))
            yield pa.Table.from_pylist(rows, schema=ledger.schema())

    def counted(self, records: Iterable[ShardRecord]) -> Iterator[ShardRecord]:
        """Records with the outcomes of the whole split at the first of its shards."""
        for record in records:
            outcomes = dict(self._outcomes.pop(record.split, {}))
            warnings = dict(self._warnings.pop(record.split, {}))
            yield replace(record, outcomes=outcomes, warnings=warnings)
