"""Texts are corrected: who did it and why stands in a table that is published with the rows."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from edge_glass.core import finished, ledger, manifest, parquet
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.manifest import EDITS, Manifest
from edge_glass.core.revisions import SCHEMAS, Edit, Revisions
from edge_glass.pipeline import revise
from edge_glass.pipeline.revise import Part, Row
from edge_glass.release import editions
from edge_glass.release.editions import Edition
from edge_glass.release.publish import Release

SHOWN = 5


@dataclass(frozen=True)
class Amended:
    """Puts the edits of rows into a shard."""

    known: Revisions

    def on(self, part: Part) -> Callable[[Row], Row | None]:
        """Gives a row with its edits."""
        return self.known.corrected


def amend(
    place: str,
    edits: Path,
    config: str | None = None,
    version: str | None = None,
    jobs: int = 1,
) -> tuple[dict[str, Manifest], Release | None]:
    """Correct texts of the builds in a folder, or of `org/name`, whose next version it makes.

    `edits` is Parquet with the columns id, column, value, who and why, all text; a value of a
    column of lists is JSON. Returns the manifests, and what was published. Raises EdgeGlassError if
    a row or a column is not there, or holds no text.
    """
    wanted = _read(edits)
    with editions.opened(place, version) as edition:
        folders = edition.folders(config)
        theirs = {name: _own(folder, wanted) for name, folder in folders.items()}
        known = {edit.id for own in theirs.values() for edit in own}
        if absent := sorted({edit.id for edit in wanted} - known):
            named = ", ".join(absent[:SHOWN])
            raise DataError(f"{edits}: {len(absent)} ids are in no shard of {place}: {named}")
        done = {}
        for name, own in theirs.items():
            if own:
                with editions.changing(edition, name):
                    done[name] = _amended(edition, name, folders[name], own, jobs)
        return done, edition.publish([*done], version)


def _read(path: Path) -> list[Edit]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    table, wanted = parquet.table(path), SCHEMAS[EDITS]
    if sorted(table.column_names) != sorted(wanted.names):
        raise ConfigError(f"{path}: its columns are not {', '.join(wanted.names)}")
    try:
        table = table.select(wanted.names).cast(wanted)
    except pa.ArrowException as error:
        raise ConfigError(f"{path}: not all of it is text ({error})") from None
    if empty := [name for name in wanted.names if table[name].null_count]:
        raise ConfigError(f"{path}: {', '.join(empty)} is empty somewhere")
    return [Edit(**row) for row in table.to_pylist()]


def _own(folder: Path, wanted: list[Edit]) -> list[Edit]:
    """The edits of rows that a config has. Raises EdgeGlassError if they do not fit its columns."""
    build, ids = manifest.read(folder), {edit.id for edit in wanted}
    there = {id for shard in build.shards() for id in _ids(folder / shard.file) if id in ids}
    own = [edit for edit in wanted if edit.id in there]
    types = parquet.schema(folder / build.shards()[0].file)
    for edit in own:
        _check(edit, folder, types)
    return own


def _check(edit: Edit, folder: Path, types: pa.Schema) -> None:
    where = f"{folder.name}: {edit.id}: {edit.column}"
    if edit.column not in types.names or edit.column == "id":
        raise ConfigError(f"{where}: no column that can be amended")
    kind = types.field(edit.column).type
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        try:
            value = json.loads(edit.value)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ConfigError(f"{where}: it holds lists of texts: give JSON, a list of texts")
    elif not pa.types.is_string(kind):
        raise ConfigError(f"{where}: it holds {kind}, and only texts can be amended")


def _ids(path: Path) -> Iterator[str]:
    return (row["id"] for row in parquet.rows(path, ["id"]))


def _amended(edition: Edition, config: str, folder: Path, own: list[Edit], jobs: int) -> Manifest:
    build = manifest.read(folder)
    finished.check(folder, [build.ledger])
    known = Revisions.of(build, folder)
    more = _new(known, own)
    if not more:
        return build  # a run that was stopped had come as far as that
    known, ids = known.amended(more), {edit.id for edit in more}
    change = Amended(known)
    new = revise.make(
        build.inputs,
        known,
        revise.parts(
            folder,
            build,
            edition.work(config),
            lambda split, shard: change if ids & {*_ids(folder / shard.file)} else None,
        ),
        lambda digests: revise.with_digests(folder / ledger.FILE, digests),
        {split: facts.planned for split, facts in build.splits.items()},
        jobs,
    )
    edition.change(build, new, None)
    return new


def _new(known: Revisions, own: list[Edit]) -> list[Edit]:
    """Edits without those of cells that end with the same ones already."""
    cells: dict[tuple[str, str], list[Edit]] = {}
    for edit in own:
        cells.setdefault((edit.id, edit.column), []).append(edit)
    for (id, column), edits in [*cells.items()]:
        before = [edit for edit in known.edits.get(id, ()) if edit.column == column]
        if before[-len(edits) :] == edits:
            del cells[id, column]
    return [edit for edits in cells.values() for edit in edits]
