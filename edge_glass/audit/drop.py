"""A config made of another one without the rows that an audit flagged; its ledger names them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from edge_glass.audit import audits
from edge_glass.core import duck, finished, ledger, manifest, parquet, records
from edge_glass.core.errors import ConfigError, DataError, absent
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Audit, AuditedBuild, Inputs, Manifest
from edge_glass.core.revisions import Revisions
from edge_glass.pipeline import replay, revise
from edge_glass.pipeline.revise import Part, Row

LEAKS = "leaks"  # of duplicates, those in another split or corpus
MEMORY = 500_000_000
Example = tuple[str, str]  # its id, and what was found, empty if nothing


@dataclass(frozen=True)
class Flagged:
    """Takes the rows out of a shard that an audit flagged."""

    findings: tuple[Path, ...]
    checks: tuple[str, ...]

    def on(self, part: Part) -> Callable[[Row], Row | None]:
        """Gives a row if it is not flagged."""
        flagged = _flagged(part, self)
        return lambda row: None if row["id"] in flagged else row


def known(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Groups that are to be audited for these names of groups or checks, and the checks.

    Raises ConfigError for other names.
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
    return list(dict.fromkeys(groups)), list(dict.fromkeys(checks))


def drop(folder: Path, out: Path, name: str, checks: Sequence[str], jobs: int = 1) -> Manifest:
    """Make the config `name` under `out`: the rows of `folder` but those that `checks` flagged.

    The findings are those of `audits.audit(folder, out)`. The ledger gives such rows the outcome
    `flagged` with what was found, the manifest the sha256 of the findings. Returns the manifest.
    Raises EdgeGlassError if there is no audit of this data.
    """
    build = manifest.read(folder)
    revise.check_target(folder, out, name)
    described = _described(folder, build, out, name, checks)
    return revise.placed(
        out, described, lambda work: _make(folder, build, described, out, work, jobs)
    )


def _described(
    folder: Path, build: Manifest, out: Path, name: str, checks: Sequence[str]
) -> Inputs:
    audited = audits.read(out, build.config)
    groups, _ = known(checks)
    if (
        audited is None
        or list(audited.data) != build.digests()
        or set(groups) - audited.groups.keys()
    ):
        raise DataError(f"{folder}: no audit of it in {out}: run `edge-glass audit` first")
    source = AuditedBuild(build.config, build.seal)
    files = {group: audited.groups[group].sha256 for group in groups}
    for group, digest in files.items():
        path = out / audits.FOLDER / build.config / f"{group}.parquet"
        if not path.is_file() or records.sha256(path) != digest:
            raise DataError(
                f"{path}: not as it was written: run `edge-glass audit` again, it is made anew"
            )
    return replace(build.inputs, config=name, audit=Audit(source, tuple(checks), files))


def _make(
    folder: Path, build: Manifest, described: Inputs, out: Path, work: Path, jobs: int
) -> None:
    assert described.audit
    groups, checks = known(described.audit.checks)
    paths = tuple(out / audits.FOLDER / build.config / f"{group}.parquet" for group in groups)
    change = Flagged(paths, tuple(checks))
    finished.check(folder, [build.ledger])
    parts = revise.parts(folder, build, work, lambda split, shard: change)
    planned = {name: split.planned for name, split in build.splits.items()}
    revisions = Revisions.of(build, folder)
    revise.make(
        described,
        revisions,
        parts,
        lambda _: _Book(folder, parts, change).entries(),
        planned,
        jobs,
    )


def _flagged(part: Part, change: Flagged) -> dict[str, str]:
    """Ids of a shard's rows that are flagged, and what was found of each."""
    files = ", ".join(duck.text(parquet.bounded(path)) for path in change.findings)
    wanted = ", ".join(duck.text(check) for check in change.checks)
    leaks = "OR scope IN ('splits', 'corpora')" if LEAKS in change.checks else ""
    groups = (group for path in part.paths for group in parquet.groups(path, ["id"]))
    ids = pa.table({"id": [id for group in groups for id in group["id"]]})
    with duck.connected(MEMORY, part.target.parent) as connection:
        connection.register("ids", ids)
        flagged = connection.execute(
            f"""
            SELECT id, string_agg(told, '; ' ORDER BY told) FROM (
                SELECT DISTINCT id, "check" || CASE WHEN other_id IS NULL THEN ''
                    ELSE ': ' || other_config || ' ' || other_split || ' ' || other_id END AS told
                FROM read_parquet([{files}]) SEMI JOIN ids USING (id)
                WHERE split = {duck.text(part.split)} AND ("check" IN ({wanted}) {leaks})
            ) GROUP BY id
            """
        ).fetchall()
    return dict(flagged)


class _Book:
    """The ledger of the new config, out of that of the old one."""

    def __init__(self, folder: Path, parts: list[Part], change: Flagged) -> None:
        self._path, self._change = folder / ledger.FILE, change
        self._examples = {
            split: self._of([part for part in parts if part.split == split])
            for split in dict.fromkeys(part.split for part in parts)
        }
        self._waiting = {split: next(examples, None) for split, examples in self._examples.items()}

    def _of(self, parts: list[Part]) -> Iterator[Example]:
        for part in parts:
            flagged = _flagged(part, self._change)
            for row in parquet.rows(part.paths[0], ["id"]):
                yield row["id"], flagged.get(row["id"], "")

    def entries(self) -> Iterator[list[Row]]:
        return revise.entries(self._path, self._entry)

    def _entry(self, row: Row) -> Row:
        if row["outcome"] != Outcome.KEPT:
            return row
        taken = [example for _, example in self._take(row["split"], row["id"])]
        return row | self._outcome(row, taken)

    def _take(self, split: str, id: str) -> Iterator[Example]:
        while (example := self._waiting[split]) and replay.of(example[0], id):
            yield example
            self._waiting[split] = next(self._examples[split], None)

    @staticmethod
    def _outcome(row: dict[str, Any], examples: list[str]) -> dict[str, Any]:
        """A source row is flagged if all of its examples are."""
        flagged = [one for one in examples if one]
        if not flagged:
            return {}
        checks = "; ".join(dict.fromkeys(flagged))
        if len(flagged) == len(examples):
            gone = {"text_digests": None, "media_digests": None}
            return {"outcome": str(Outcome.FLAGGED), "detail": checks, **gone}
        note = f"{len(flagged)} of {len(examples)} examples flagged: {checks}"
        kept = [number for number, one in enumerate(examples) if not one]
        digests = {
            name: row.get(name) and [row[name][number] for number in kept]
            for name in ("text_digests", "media_digests")
        }
        return {"detail": "; ".join(filter(None, [row["detail"], note])), **digests}
