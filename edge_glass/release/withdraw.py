"""Rows are taken back: out of shards, ledger, tables and all that was made of them, for good.

What is left is a salted digest of each, by which no later build takes it in again, and a
certificate of what was done.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

from edge_glass.core import duck, finished, ledger, locations, manifest, names, parquet, records
from edge_glass.core.arrow_columns import is_media
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.key_digests import Ids
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Manifest
from edge_glass.core.names import HIDDEN
from edge_glass.core.revisions import Revisions, digest
from edge_glass.core.row import source_id
from edge_glass.core.schema import Plain
from edge_glass.core.version import VERSION
from edge_glass.pipeline import revise
from edge_glass.pipeline.revise import Part, Row
from edge_glass.release import certificate, derived, editions, publish, purge, residue
from edge_glass.release.certificate import Certificate
from edge_glass.release.editions import Edition
from edge_glass.release.purge import Purge
from edge_glass.release.residue import Finder, Scan, Traces

Key = tuple[str, str]  # what a row is withdrawn by, see `core.revisions`
UNFINISHED = "-under-way"  # a certificate whose purge is not done
EARLIER = (
    "no such row is in its last version: --purge goes with the --version that withdrew them, while "
    "that is the last one; `edge-glass purge` takes all that was ever withdrawn out of the history"
)
GONE = "a withdrawn row"  # in the place of its id, where the ledger names it beside another


@dataclass(frozen=True)
class Request:
    """Which rows are to go, and why: all that any of these names."""

    ids: frozenset[str] = frozenset()
    sha256: frozenset[str] = frozenset()  # of their media, as fetched or as stored
    url: str | None = None  # a pattern with * and ?
    where: str | None = None  # SQL over columns that are no media
    reason: str = "on request"

    @property
    def name(self) -> str:
        """A digest of it."""
        said = [sorted(self.ids), sorted(self.sha256), self.url, self.where, self.reason]
        return sha256(json.dumps(said).encode()).hexdigest()[:12]

    def keys(self, entry: Mapping[str, Any], chosen: set[str]) -> list[Key]:
        """What a row of the ledger is withdrawn by; nothing, if it stays."""
        media = {entry.get("sha256"), *(entry.get("media_digests") or [])}
        keys = [("sha256", one) for one in sorted(self.sha256 & media)]
        urls = [entry.get("url"), entry.get("final_url")]
        pattern = (self.url or "").replace("[", "[[]")  # a bracket of a URL is one
        if pattern and any(fnmatchcase(url, pattern) for url in urls if url):
            keys.append(("url", urls[0] or urls[1] or ""))
        return [*keys, ("id", entry["id"])] if keys or entry["id"] in chosen else []


@dataclass(frozen=True)
class Gone:
    """Takes rows out of a shard."""

    ids: Ids  # of source rows
    several: bool  # whether each is several examples

    def on(self, part: Part) -> Callable[[Row], Row | None]:
        """Gives a row if it stays."""
        return lambda row: None if self.has(row["id"]) else row

    def has(self, id: str) -> bool:
        """Whether an example is of a row that goes."""
        return id in self.ids or (self.several and source_id(id, True) in self.ids)


@dataclass
class Targets(Plain):
    """What is to go, noted before anything is changed: a stopped withdrawal goes on from it."""

    before: dict[str, str] = field(default_factory=dict)  # manifests, byte for byte
    keys: dict[str, list[Key]] = field(default_factory=dict)
    traces: Traces = field(default_factory=Traces)
    derived: list[str] = field(default_factory=list)

    def build(self, config: str) -> Manifest:
        """The manifest of a config before the withdrawal."""
        return manifest.parse(self.before[config].encode(), config)

    def ids(self, config: str) -> frozenset[str]:
        """The source rows of a config that go."""
        return frozenset(value for kind, value in self.keys[config] if kind == "id")

    @property
    def gone(self) -> dict[str, Callable[[str], bool]]:
        """Config -> whether a source row goes."""
        return {config: self.ids(config).__contains__ for config in self.keys}


def withdraw(
    place: str,
    request: Request,
    config: str | None = None,
    *,
    version: str | None = None,
    certificates: Path | None = None,
    jobs: int = 1,
    purge_history: bool = False,
) -> Certificate:
    """Withdraw rows from the builds in a folder, or from `org/name`, whose next version it makes.

    Only shards that hold such rows are written anew. Run it again after any stop. Returns the
    certificate, which lies in `certificates` as JSON and as a page. Raises EdgeGlassError if no
    such row is there, or if something of them is left.
    """
    with editions.opened(place, version) as edition:
        home = certificates or (
            Path("certificates") if edition.repo else edition.out / "certificates"
        )
        note, name = edition.out / HIDDEN / "withdraw" / request.name, f"withdrawal-{request.name}"
        targets = _targets(edition, request, config, note)
        if not targets.keys:
            return _known(edition, home, name, version, purge_history)
        for one in targets.keys:
            _withdrawn(edition, one, targets, request.reason, jobs)
        release = edition.publish([*targets.keys], version)
        there = locations.at(f"{edition.repo}@{release.commit}") if release else edition.out
        with locations.errors_explained(there):
            papers = {note, *certificate.paths(home, name)}
            scan = residue.scan(there, targets.traces, besides=papers)
        done = _certificate(edition, request, targets, scan)
        if release and purge_history and not scan.residue:
            done = _with_purge(done, targets, release)
            certificate.write(home, f"{name}{UNFINISHED}", done)
            _finish_purge(edition, home, name, done, release.tag)
        else:
            certificate.write(home, name, done)
        done.check()
        note.unlink()
    return done


def _targets(edition: Edition, request: Request, config: str | None, note: Path) -> Targets:
    """What is withdrawn, those of a withdrawal that was stopped with it; it is noted down."""
    targets = records.parsed(note, Targets)
    if targets is None or not _holds(targets, edition, config):
        targets = Targets()
    _find(edition, request, config, targets)
    if Finder(targets.traces).within(request.reason):
        raise ConfigError("the reason is published, but it names what is withdrawn: leave that out")
    if targets.keys:
        records.write(note, targets.plain())
    return targets


def _with_purge(done: Certificate, targets: Targets, release: publish.Release) -> Certificate:
    """The certificate with what is to go of the history."""
    planned = purge.plan(release.repo, targets.gone, release.tag)
    left = (tag for tag in done.earlier_versions if tag not in planned.tags)
    return replace(done, purged=planned, earlier_versions=(*left,))


def _holds(targets: Targets, edition: Edition, config: str | None) -> bool:
    """Whether a withdrawal that was stopped can go on: nothing else has changed the configs."""
    folders = edition.folders(config)
    for name in targets.before:
        before = targets.build(name)
        build = manifest.read(folders[name]) if name in folders else None
        known = Revisions.of(build, folders[name]) if build else None
        done = known and all(known.reason(*key) is not None for key in targets.keys[name])
        if build != before and not done:
            return False
    return True


def plan_purge(place: str, request: Request, config: str | None, version: str | None) -> Purge:
    """What a withdrawal with `purge_history` would remove; nothing is changed.

    Raises ConfigError for a folder, DataError if no row is there.
    """
    with editions.opened(place, version) as edition:
        if edition.repo is None:
            raise ConfigError(f"{place} is a folder, which has no history to purge")
        _find(edition, request, config, targets := Targets())
        if not targets.keys:
            raise DataError(f"{place}: {EARLIER}")
        replaced = [*_replaced(edition, targets)]
        return purge.plan(edition.repo, targets.gone, publish.tag_name(version or ""), replaced)


def _replaced(edition: Edition, targets: Targets) -> Iterator[str]:
    """The files of a dataset in whose place a withdrawal puts others."""
    for name, folder in edition.folders(None).items():
        if name in targets.keys:
            yield names.picture(name)  # it has figures of all rows
            build = targets.build(name)
            gone = Gone(targets.ids(name), build.each_example)
            shards = [shard.file for shard in build.shards()]
            tables = [each.file for each in build.files() if each.file not in shards]
            for file in [*tables, *(one for one in shards if touched(folder / one, gone))]:
                yield f"{name}/{file}"


def _find(edition: Edition, request: Request, config: str | None, targets: Targets) -> None:
    """Note what is to go of configs of which that is not known yet."""
    folders = edition.folders(config)
    for name, folder in ((n, folder) for n, folder in folders.items() if n not in targets.before):
        build = manifest.read(folder)
        finished.check(folder, [build.ledger])
        chosen = {*request.ids, *_chosen(folder, build, request.where)}
        chosen |= {source_id(id, build.each_example) for id in chosen}
        keys = list[Key]()
        for entry in ledger.read(folder / ledger.FILE):
            if more := request.keys(entry, chosen):
                keys += more
                targets.traces.add_entry(entry)
        if keys:
            targets.keys[name] = sorted(set(keys))
            targets.before[name] = (folder / manifest.FILE).read_text(encoding="utf-8")
            gone = Gone(targets.ids(name), build.each_example)
            for row in _rows(folder, build, gone):
                targets.traces.add_row(row)
            steps = derived.steps(edition.out, build, gone.ids)
            targets.derived += [said for said, _ in steps]
    _check_all_there(edition, request, config, targets)


def _rows(folder: Path, build: Manifest, gone: Gone) -> Iterator[Row]:
    """The rows that go, without their media."""
    for path in (folder / shard.file for shard in build.shards()):
        if touched(path, gone):
            rows = parquet.rows(path, _columns(path))
            yield from (row for row in rows if gone.has(row["id"]))


def touched(path: Path, gone: Gone) -> int:
    """How many rows of a shard go."""
    groups = parquet.groups(path, ["id"])
    return sum(gone.has(id) for group in groups for id in group["id"].to_pylist())


def _columns(path: Path) -> list[str]:
    return [each.name for each in parquet.schema(path) if not is_media(each.type)]


def _chosen(folder: Path, build: Manifest, where: str | None) -> Iterator[str]:
    """Ids of rows of which an SQL expression holds."""
    if where is None:
        return
    for path in (folder / shard.file for shard in build.shards()):
        for rows in duck.holding(parquet.groups(path, _columns(path)), where):
            yield from rows["id"].to_pylist()


def _check_all_there(
    edition: Edition, request: Request, config: str | None, targets: Targets
) -> None:
    """Raise EdgeGlassError if something was named that is in no config, nor was ever withdrawn."""
    named = {key for keys in targets.keys.values() for key in keys}
    wanted = {("id", id) for id in request.ids} | {("sha256", one) for one in request.sha256}
    absent = wanted - named
    for folder in edition.folders(config).values() if absent else ():
        known = Revisions.of(build := manifest.read(folder), folder)
        for kind, value in [*absent]:
            rows = {(kind, value), (kind, source_id(value, build.each_example))}
            if rows & named or any(known.reason(*row) is not None for row in rows):
                absent.remove((kind, value))
    if absent:
        listed = ", ".join(value for _, value in sorted(absent)[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        raise DataError(f"{edition.place}: no row {listed}{more}: nothing was changed")


def _known(
    edition: Edition, home: Path, name: str, version: str | None, purge_history: bool
) -> Certificate:
    """The certificate of a withdrawal that is done. Raises DataError if there is none."""
    if (begun := certificate.read(home, f"{name}{UNFINISHED}")) and version:
        _finish_purge(edition, home, name, begun, publish.tag_name(version))
    earlier = certificate.read(home, name)
    if earlier is None:
        raise DataError(
            f"{edition.place}: no row matches, or all that match were withdrawn before: nothing "
            "was changed"
        )
    if purge_history and earlier.purged is None:
        raise DataError(f"{', '.join(earlier.configs)}: {EARLIER}")
    return earlier


def _finish_purge(edition: Edition, home: Path, name: str, done: Certificate, tag: str) -> None:
    """Purge what a certificate says that is kept meanwhile, and give it its name."""
    assert edition.repo and done.purged
    purge.purge(edition.repo, done.purged, tag)
    certificate.write(home, name, done)
    for path in certificate.paths(home, f"{name}{UNFINISHED}"):
        path.unlink(missing_ok=True)


def _withdrawn(edition: Edition, config: str, targets: Targets, reason: str, jobs: int) -> None:
    """Make the config without the rows, unless that was done, and clean what was made of it."""
    before, revised = targets.build(config), None
    gone = Gone(targets.ids(config), before.each_example)
    folder = edition.folders(config)[config]
    with editions.changing(edition, config):
        if manifest.read(folder) == before:
            known = Revisions.of(before, folder).without(targets.keys[config], reason)
            parts = revise.parts(
                folder,
                before,
                edition.work(config),
                lambda split, shard: gone if touched(folder / shard.file, gone) else None,
            )
            planned = {split: facts.planned for split, facts in before.splits.items()}
            finder = Finder(targets.traces)

            def entry(row: Row) -> Row:
                """A row of the ledger, or the tombstone in its place."""
                if row["id"] in gone.ids and row["outcome"] != Outcome.WITHDRAWN:
                    return known.tombstone(row, reason)
                detail = row["detail"] or ""
                ids = finder.within(detail) & targets.traces.ids
                for id in sorted(ids, key=len, reverse=True):
                    detail = detail.replace(id, GONE)
                return row | {"detail": detail}

            entries = lambda _: revise.entries(folder / ledger.FILE, entry)  # noqa: E731
            revised = revise.make(before.inputs, known, parts, entries, planned, jobs)
        edition.change(before, revised, gone.ids)


def _certificate(edition: Edition, request: Request, targets: Targets, scan: Scan) -> Certificate:
    configs = {}
    for name in targets.before:
        before, after = targets.build(name), manifest.read(edition.out / name)
        digests = {digest(before.corpus, "id", id) for id in targets.ids(name)}
        configs[name] = certificate.of_config(before, after, digests)
    asked = {"ids": len(request.ids), "sha256": len(request.sha256)}
    asked |= {"url": int(request.url is not None), "where": int(request.where is not None)}
    return Certificate(
        edge_glass=VERSION,
        reason=request.reason,
        asked={kind: n for kind, n in asked.items() if n},
        configs=configs,
        derived=(*sorted(targets.derived),),
        earlier_versions=edition.earlier,
        search=certificate.search(scan, targets.traces),
    )
