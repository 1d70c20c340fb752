"""Where a row comes from: its source, what was done to it, where it lies, what was said of it.

Ledger and shards are looked into where statistics say that the row can be, not read: behind a URL
that is a few small ranges.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.audit import audits
from edge_glass.core import ledger, locations, manifest, parquet
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import EntryRow, Outcome
from edge_glass.core.manifest import Manifest
from edge_glass.core.parquet import BoundedFile
from edge_glass.core.revisions import Revisions, digest
from edge_glass.core.row import JsonObject, Parameters, source_id
from edge_glass.core.visible import Result
from edge_glass.corpora import catalog
from edge_glass.pipeline import replay
from edge_glass.release import publish

AHEAD = 2**16  # bytes that are read beyond what is asked for
CONSENT = {  # refusals
    Outcome.ROBOTS_TXT,
    Outcome.X_ROBOTS_TAG,
    Outcome.TDM_RESERVED,
    Outcome.CONTENT_USAGE,
    Outcome.DATA_MINING,
    Outcome.TRAINING_MINING,
}
SERVED = ("url", "final_url", "status", "bytes", "sha256", "etag", "last_modified")


@dataclass(frozen=True)
class Place:
    """Where an example lies."""

    id: str
    shard: str
    sha256: str  # of the shard
    row_group: int
    row: int  # in the shard, from 0
    licence: str | None = None


class Consent(TypedDict):
    """What owners said of a row, and what the config did not ask."""

    refused: str | None
    left_out: bool | None


class Code(TypedDict):
    """What made a row."""

    builder: str
    made_with: dict[str, str | None]  # library -> version


@dataclass(frozen=True, repr=False)
class Origin(Result):
    """All that is known of a row and how it came to be."""

    id: str
    config: str
    split: str
    outcome: str
    detail: str
    source: JsonObject  # the file as it was read, and the record in it
    served: JsonObject  # what a server said, of a row that was fetched by itself
    media: str  # whether they are the source's bytes
    licence: str | None  # the row's own, else the corpus's
    consent: Consent  # a refusal that was met, and the checks that the config left out
    parameters: Parameters
    code: Code  # fingerprint of the builder and what it imports, and libraries
    places: list[Place] = field(default_factory=list)
    findings: list[JsonObject] = field(default_factory=list)
    edits: list[JsonObject] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)  # of the dataset on the Hub that keep it


def why(place: Path, id: str) -> list[Origin]:
    """What is known of the row `id`, or of its example, in each config of a folder or version.

    Raises DataError if no config has such a row.
    """
    origins = [origin for folder in manifest.built(place).values() for origin in _of(folder, id)]
    if not origins:
        raise DataError(f"{place}: no row {id} in any ledger: see `edge-glass ledger`")
    return [replace(one, versions=[*_versions(place, one)]) for one in origins]


def _versions(place: Path, origin: Origin) -> Iterator[str]:
    """The versions of a dataset on the Hub that keep a row.

    A ledger that several have is read once.
    """
    if getattr(place, "protocol", None) != "hf":
        return
    repo = place.fs.resolve_path(place.path).repo_id  # type: ignore[attr-defined]
    kept: dict[str, bool] = {}
    for tag, commit in publish.versions(repo)[1].items():
        folder = locations.at(f"{repo}@{commit}") / origin.config
        if (folder / manifest.FILE).is_file():
            build = manifest.read(folder)
            ledger_ = build.ledger.sha256
            if ledger_ not in kept:
                kept[ledger_] = _keeps(folder, build, origin)
            if kept[ledger_]:
                yield tag


def _keeps(folder: Path, build: Manifest, origin: Origin) -> bool:
    ids = [*{origin.id: None, source_id(origin.id, build.each_example): None}]
    with parquet.opened(folder / ledger.FILE, AHEAD) as file:
        rows = [row for _, _, row in _rows(file, ids, ["split", "outcome"])]
    return any((r["split"], r["outcome"]) == (origin.split, Outcome.KEPT) for r in rows)


def _of(folder: Path, id: str) -> Iterator[Origin]:
    build = manifest.read(folder)
    known = Revisions.of(build, folder)
    ids = [*{id: None, source_id(id, build.each_example): None}]
    ids += [digest(build.corpus, "id", one) for one in ids] if known.withdrawn else []
    for row, before in _entries(folder / ledger.FILE, ids, build.each_example):
        kept = row["outcome"] == Outcome.KEPT
        places = [*_places(folder, build, row, before)] if kept else []
        tag = spec.licence_tag if (spec := catalog.of(build)) else None
        licence = next((one.licence for one in places if one.licence), tag)
        named = {row["id"], *(one.id for one in places)}
        yield Origin(
            id, build.config, row["split"], row["outcome"], row["detail"] or "",
            source=_source(build, row),
            served={name: row[name] for name in SERVED if row.get(name) is not None},  # type: ignore[literal-required]
            media=_media(row) if kept else "", licence=licence, consent=_consent(build, row),
            parameters=build.parameters,
            code={"builder": build.builder, "made_with": build.made_with}, places=places,
            findings=[*_findings(folder, row["split"], named)],
            edits=[asdict(edit) for one in sorted(named) for edit in known.edits.get(one, ())],
        )  # fmt: skip


def _entries(path: Path, ids: list[str], several: bool) -> Iterator[tuple[EntryRow, int]]:
    """The ledger's rows of these ids, each with how many examples stand before its own."""
    with parquet.opened(path, AHEAD) as file:
        for group, at, row in _rows(file, ids):
            yield row, _before(file, row["split"], group, at, several)


def _rows(
    file: BoundedFile, ids: list[str], columns: list[str] | None = None
) -> Iterator[tuple[int, int, EntryRow]]:
    """Row group, number in it and row, of these ids."""
    for group in range(file.num_row_groups):
        if not any(_can_hold(file, group, "id", one) for one in ids):
            continue
        column = file.read_row_group(group, ["id"])["id"]
        for at in pc.indices_nonzero(pc.is_in(column, pa.array(ids, pa.string()))).to_pylist():
            yield group, at, file.read_row_group(group, columns).slice(at, 1).to_pylist()[0]


def _before(file: BoundedFile, split: str, group: int, at: int, several: bool) -> int:
    total = 0
    for number in range(group + 1):
        if not _can_hold(file, number, "split", split):
            continue
        rows = at if number == group else file.metadata.row_group(number).num_rows
        alike = [_only(file, number, name) for name in ("split", "outcome")]
        if not several and None not in alike:
            total += rows if alike[1] == Outcome.KEPT else 0
            continue
        names = ["split", "outcome", *(["text_digests"] if several else [])]
        table = file.read_row_group(number, names).slice(0, rows)
        kept = pc.and_(pc.equal(table["split"], split), pc.equal(table["outcome"], "kept"))
        total += pc.sum(kept).as_py() or 0
        if several:
            more = pc.list_value_length(table["text_digests"].filter(kept))
            total += (pc.sum(more).as_py() or 0) - pc.count(more).as_py()
    return total


def _can_hold(file: BoundedFile, group: int, column: str, value: str) -> bool:
    stats = _statistics(file, group, column)
    return stats is None or not stats.has_min_max or stats.min <= value <= stats.max


def _only(file: BoundedFile, group: int, column: str) -> str | None:
    """The value of all rows of a group, None if they differ."""
    stats = _statistics(file, group, column)
    same = stats is not None and stats.has_min_max and stats.min == stats.max
    return str(stats.min) if same and not stats.null_count else None


def _statistics(file: BoundedFile, group: int, column: str) -> Any:
    return file.metadata.row_group(group).column(file.schema_arrow.names.index(column)).statistics


def _places(folder: Path, build: Manifest, row: EntryRow, before: int) -> Iterator[Place]:
    """Where the examples of a row lie: after those that the ledger has before it."""
    first, last = before, before + len(row.get("text_digests") or [0])  # in what is left of shards
    for shard in build.splits[row["split"]].shards:
        inside = range(max(first, 0), min(last, shard.rows))
        if inside:
            with parquet.opened(folder / shard.file, AHEAD) as file:
                names = [n for n in ("id", "license") if n in file.schema_arrow.names]
                for group, number, example in file.rows_at(inside, names):
                    if not replay.of(example["id"], row["id"]):
                        raise DataError(f"{folder / shard.file}: its rows are not the ledger's")
                    licence = example.get("license")
                    yield Place(example["id"], shard.file, shard.sha256, group, number, licence)
        first, last = first - shard.rows, last - shard.rows


def _source(build: Manifest, row: EntryRow) -> JsonObject:
    name, mark, number = row["source"].rpartition("@")
    part = int(number) - 2 if mark and number.isdecimal() else -1
    sources = build.appended[part].sources if 0 <= part < len(build.appended) else build.sources
    name = name if sources is not build.sources else row["source"]
    used = next((each.plain() for each in sources if each.file == name), {})
    return used | {"file": row["source"], "record": row["row"]}


def _media(row: EntryRow) -> str:
    if row.get("text_digests") is None:
        return "not known: an earlier release made it"
    return "the source's bytes" if row["media_digests"] is None else "converted, see parameters"


def _consent(build: Manifest, row: EntryRow) -> Consent:
    seen = row["outcome"] if row["outcome"] in CONSENT else None
    return {"refused": seen, "left_out": build.parameters.get("ignore_opt_outs")}


def _findings(folder: Path, split: str, ids: set[str]) -> Iterator[JsonObject]:
    for path in sorted((folder.parent / audits.FOLDER / folder.name).glob("*.parquet")):
        for row in parquet.rows(path):
            if row["split"] == split and row["id"] in ids:
                yield {name: value for name, value in row.items() if value is not None}
