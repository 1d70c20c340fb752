"""A config made of another one without the rows that an audit flagged; its ledger names them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from edge_glass.audit import audits
from edge_glass.core import duck, finished, ledger, manifest, parquet, records
from edge_glass.core.errors import ConfigError, DataError, absent
from edge_glass.core.extras import needs
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Audit, AuditedBuild, Inputs, Manifest
from edge_glass.core.revisions import Revisions
from edge_glass.pipeline import replay, revise
from edge_glass.pipeline.revise import Part, Row

LEAKS = "leaks"  # of duplicates, those in another split or corpus
MEMORY = 500_000_000
DIGESTS = ("text_digests", "media_digests")  # of a row that stays


class Removal(ABC):
    """Takes rows out of a shard. It pickles."""

    outcome: ClassVar[Outcome]

    @abstractmethod
    def of(self, part: Part) -> dict[str, str]:
        """Ids of the rows of a shard that go, and why."""

    def on(self, part: Part) -> Callable[[Row], Row | None]:
        """Gives a row if it stays."""
        gone = self.of(part)
        return lambda row: None if row["id"] in gone else row


@dataclass(frozen=True)
class Flagged(Removal):
    """Takes the rows out of a shard that an audit flagged."""

    outcome: ClassVar[Outcome] = Outcome.FLAGGED
    findings: tuple[Path, ...]
    checks: tuple[str, ...]

    def of(self, part: Part) -> dict[str, str]:
        """Ids of a shard's rows that are flagged, and what was found of each."""
        files = ", ".join(duck.text(parquet.bounded(path)) for path in self.findings)
        wanted = ", ".join(duck.text(check) for check in self.checks)
        leaks = "OR scope IN ('splits', 'corpora')" if LEAKS in self.checks else ""
        groups = (group for path in part.paths for group in parquet.groups(path, ["id"]))
        ids = pa.table({"id": [id for group in groups for id in group["id"]]})
        with duck.connected(MEMORY, part.target.parent) as connection:
            connection.register("ids", ids)
            flagged = connection.execute(
                f"""
                SELECT id, string_agg(told, '; ' ORDER BY told) FROM (
                    SELECT DISTINCT id, "check" || CASE WHEN other_id IS NULL THEN ''
                        ELSE ': ' || other_config || ' ' || other_split || ' ' || other_id END
                        AS told
                    FROM read_parquet([{files}]) SEMI JOIN ids USING (id)
                    WHERE split = {duck.text(part.split)} AND ("check" IN ({wanted}) {leaks})
                ) GROUP BY id
                """
            ).fetchall()
        return dict(flagged)


def known(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Groups that are to be audited for these names of groups or checks, and the checks.

    Raises ConfigError for other names, and LibraryError where a library of a check is missing.
    """
    groups, checks = list[str](), list[str]()
    for name in names:
        if name == LEAKS:
            groups, checks = [*groups, "duplicates"], [*checks, LEAKS]
        elif name in audits.CHECKS:
            groups, checks = [*groups, name], [*checks, *audits.CHECKS[name]]
        elif of := [group for group, has in audits.CHECKS.items() if name in has]:
            groups, checks = [*groups, *of], [*checks, name]
        else:
            every = [*audits.CHECKS, LEAKS, *(c for has in audits.CHECKS.values() for c in has)]
            raise ConfigError(absent("check", name, every))
    for check in checks:
        needs(f"--check {check}", "audit", *audits.LIBRARIES.get(check, ()))
    return list(dict.fromkeys(groups)), list(dict.fromkeys(checks))


def drop(folder: Path, out: Path, name: str, checks: Sequence[str], jobs: int = 1) -> Manifest:
    """Make the config `name` under `out`: the rows of `folder` but those that `checks` flagged.

    The findings are those of `audits.audit(folder, out)`. The ledger gives such rows the outcome
    `flagged` with what was found, the manifest the sha256 of the findings. Returns the manifest.
    Raises EdgeGlassError if there is no audit of this data.
    """
    build = manifest.read(folder)
    revise.check_target(folder, out, name)
    groups, known_checks = known(checks)
    last = audits.read(out, build.config)
    if last is None or list(last.data) != build.digests() or set(groups) - last.groups.keys():
        raise DataError(f"{folder}: no audit of it in {out}: run `edge-glass audit` first")
    files = {group: last.groups[group].sha256 for group in groups}
    paths = tuple(out / audits.FOLDER / build.config / f"{group}.parquet" for group in groups)
    for path, digest in zip(paths, files.values(), strict=True):
        if not path.is_file() or records.sha256(path) != digest:
            raise DataError(
                f"{path}: it was changed: run `edge-glass audit` again, which makes it anew"
            )
    audit = Audit(AuditedBuild(build.config, build.seal), tuple(checks), files)
    described = replace(build.inputs, config=name, audit=audit)
    return without(folder, out, described, Flagged(paths, tuple(known_checks)), jobs)


def without(folder: Path, out: Path, described: Inputs, removal: Removal, jobs: int) -> Manifest:
    """The build in `folder` as another config in `out`, without some rows; its manifest."""
    build = manifest.read(folder)

    def into(work: Path) -> None:
        finished.check(folder, [build.ledger])
        parts = revise.parts(folder, build, work, lambda split, shard: removal)
        planned = {split: facts.planned for split, facts in build.splits.items()}
        entries = lambda _: _Book(folder, parts, removal).entries()  # noqa: E731
        revise.make(described, Revisions.of(build, folder), parts, entries, planned, jobs)

    return revise.placed(out, described, into)


class _Book:
    """The ledger of the new config, out of that of the old one."""

    def __init__(self, folder: Path, parts: list[Part], removal: Removal) -> None:
        self._path, self._removal = folder / ledger.FILE, removal
        self._examples = {
            split: replay.InOrder(self._of([part for part in parts if part.split == split]))
            for split in dict.fromkeys(part.split for part in parts)
        }

    def _of(self, parts: list[Part]) -> Iterator[Row]:
        """Ids, each with why it goes: an empty text if it stays."""
        for part in parts:
            gone = self._removal.of(part)
            for row in parquet.rows(part.paths[0], ["id"]):
                yield row | {"why": gone.get(row["id"], "")}

    def entries(self) -> Iterator[list[Row]]:
        return revise.entries(self._path, self._entry)

    def _entry(self, row: Row) -> Row:
        if row["outcome"] != Outcome.KEPT:
            return row
        taken = [example["why"] for example in self._examples[row["split"]].of(row["id"])]
        return row | self._outcome(row, taken)

    def _outcome(self, row: Row, examples: list[str]) -> Row:
        """A source row goes if all of its examples do."""
        gone = [one for one in examples if one]
        if not gone:
            return {}
        why, outcome = "; ".join(dict.fromkeys(gone)), str(self._removal.outcome)
        if len(gone) == len(examples):
            return {"outcome": outcome, "detail": why, **dict.fromkeys(DIGESTS)}
        note = f"{len(gone)} of {len(examples)} examples {outcome}: {why}"
        kept = [number for number, one in enumerate(examples) if not one]
        digests = {
            name: row.get(name) and [row[name][number] for number in kept] for name in DIGESTS
        }
        return {"detail": "; ".join(filter(None, [row["detail"], note])), **digests}
