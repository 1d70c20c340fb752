"""Rows of another build of a config are put behind those that are there, whose shards stay."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from edge_glass.core import finished, ledger, locations, manifest
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.key_digests import Ids, KeySet
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Appended, File, Manifest
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.core.revisions import KINDS, Revisions
from edge_glass.corpora import catalog
from edge_glass.pipeline import revise
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.build import build as make
from edge_glass.pipeline.revise import Part, Row
from edge_glass.pipeline.shard_plan import SHARD_BYTES
from edge_glass.release import editions
from edge_glass.release.editions import Edition
from edge_glass.release.publish import Release
from edge_glass.release.withdraw import Gone, touched

OnSame = Literal["skip", "error", "replace"]
SELECTION = {"splits", "subset", "seed", "bundled"}  # parameters in which the two may differ
SHOWN = 5


@dataclass
class Side:
    """A build, and its source rows that are not to be in the new one."""

    folder: Path
    build: Manifest
    gone: Ids = frozenset()


@dataclass
class Joined:
    """Two builds of a config that become one."""

    old: Side
    more: Side
    known: Revisions  # of both

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both, in order."""
        return self.old, self.more

    @property
    def splits(self) -> list[str]:
        """Those of either."""
        return [*{**self.old.build.splits, **self.more.build.splits}]

    @property
    def number(self) -> int:
        """What the sources of the second are told by in the ledger: `list@2`."""
        return len(self.old.build.appended) + 2


def append(
    place: str,
    new: str,
    config: str | None = None,
    on_same: OnSame = "skip",
    version: str | None = None,
    jobs: int = 1,
    *,
    progress: Progress | None = None,
) -> tuple[dict[str, Manifest], Release | None]:
    """Append the rows of the builds in `new` to those in a folder, or to `org/name` on the Hub.

    `new` may be a folder of raw files, which are built first. Of rows whose id is there already the
    old one stays (`skip`), nothing is done (`error`), or the new one is taken (`replace`). Run it
    again after any stop. Returns the manifests, and what was published. Raises EdgeGlassError if
    the two are not of one corpus, features and parameters.
    """
    if on_same not in get_args(OnSame):
        raise ConfigError(f"on_same {on_same}: use {', '.join(get_args(OnSame))}")
    with (
        editions.opened(place, version) as edition,
        _builds(edition, new, config, jobs, progress) as source,
        locations.errors_explained(source),
    ):
        done = {}
        for name, (folder, other) in _pairs(edition, source, config).items():
            with editions.changing(edition, name):
                done[name] = _appended(edition, name, folder, other, on_same, jobs)
        return done, edition.publish([*done], version)


@contextmanager
def _builds(
    edition: Edition, new: str, config: str | None, jobs: int, progress: Progress | None
) -> Iterator[Path]:
    """The builds in `new`; of raw files those that are made of them, as long as this lasts.

    Each config of the edition is made with the parameters that its manifest has, in a folder that a
    stop leaves. Raises EdgeGlassError as `build`.
    """
    raw = locations.at(new)
    if locations.is_local(raw) and raw.is_file():
        raise ConfigError(f"{new}: is a file: give the folder that it lies in, with its media")
    if not locations.is_local(raw) or not raw.is_dir() or _holds_builds(raw):
        yield raw
        return
    out = edition.out / HIDDEN / "append"
    for folder in edition.folders(config).values():
        # a newer list has another checksum than the one that upstream published
        options = Options(raw=raw, jobs=jobs, unverified=True, by_this_code=True)
        make(catalog.recipe(manifest.read(folder)), out, options, progress)
    yield out
    shutil.rmtree(out, ignore_errors=True)


def _holds_builds(folder: Path) -> bool:
    try:
        return bool(manifest.built(folder))
    except DataError:
        return False


def _pairs(edition: Edition, new: Path, config: str | None) -> dict[str, tuple[Path, Path]]:
    """Config -> its folder, and that of what is appended."""
    ours, theirs = edition.folders(config), manifest.built(new)
    if len(ours) == len(theirs) == 1:
        (name, folder), (other,) = *ours.items(), theirs.values()
        return {name: (folder, other)}
    if both := {name: (ours[name], theirs[name]) for name in ours if name in theirs}:
        return both
    raise ConfigError(f"{edition.place} has {', '.join(ours)}, {new} has {', '.join(theirs)}")


def _appended(
    edition: Edition, config: str, folder: Path, other: Path, on_same: OnSame, jobs: int
) -> Manifest:
    old, more = manifest.read(folder), manifest.read(other)
    if any(one.manifest == more.seal for one in old.appended):
        return old  # a run that was stopped had come as far as that
    _check_alike(folder, old, other, more)
    for place, build in ((folder, old), (other, more)):
        finished.check(place, [build.ledger])
    with TemporaryDirectory() as temp:
        known = Revisions.of(old, folder) | Revisions.of(more, other)
        joined = Joined(Side(folder, old), Side(other, more), known)
        _compare(joined, on_same, Path(temp))
        new = _joined(joined, edition.work(config), jobs)
        edition.change(old, new, joined.old.gone)
    return new


def _joined(joined: Joined, work: Path, jobs: int) -> Manifest:
    old, more = joined.old.build, joined.more.build
    part = Appended(
        more.seal, more.config, more.parameters, more.builder, more.made_with, more.sources
    )
    described = replace(old.inputs, appended=(*old.appended, part, *more.appended))
    edits = {id: own for id, own in joined.known.edits.items() if id not in joined.old.gone}
    planned = {split: _planned(joined, split) for split in joined.splits}
    known, parts = replace(joined.known, edits=edits), _parts(joined, work)
    return revise.make(described, known, parts, lambda _: _entries(joined), planned, jobs)


def _check_alike(folder: Path, build: Manifest, other: Path, more: Manifest) -> None:
    names = {**build.parameters, **more.parameters}.keys() - SELECTION
    differ = [n for n in sorted(names) if build.parameters.get(n) != more.parameters.get(n)]
    if more.seal == build.seal:
        raise ConfigError(f"{other}: it is {folder} itself: build what is new, and append that")
    differ += [n for n in ("corpus", "features") if getattr(build, n) != getattr(more, n)]
    if differ:
        raise ConfigError(
            f"{other}: its {', '.join(differ)} are not those of {folder}: build it with the same"
        )
    if more.limit is not None:
        raise ConfigError(f"{other}: built with --limit, rows are missing: build it whole")


def _compare(joined: Joined, on_same: OnSame, temp: Path) -> None:
    """Find the rows that are in both, and those that were withdrawn from either."""
    old, more = joined.sides
    old.gone, more.gone = withdrawn, left_out = set[str](), set[str]()
    kept = KeySet.of(temp / "kept", _kept(joined, old, withdrawn))
    same = (id for id in _kept(joined, more, left_out) if id in kept)
    if on_same == "error" and (some := [*islice(same, SHOWN)]):
        raise DataError(f"{more.folder}: ids are in {old.folder} already: {', '.join(some)}")
    # of rows that are in both, those of one side give way
    leaving, others = (old, withdrawn) if on_same == "replace" else (more, left_out)
    leaving.gone = KeySet.of(temp / "same", chain(same, others))


def _kept(joined: Joined, side: Side, withdrawn: set[str]) -> Iterator[str]:
    """The ids that the ledger of a build keeps; `withdrawn` gets those that are to go."""
    for row in ledger.read(side.folder / ledger.FILE, ["outcome", *KINDS]):
        if joined.known.reason_of(row) is not None:
            if row["outcome"] != Outcome.WITHDRAWN or side is joined.more:
                withdrawn.add(row["id"])
        elif row["outcome"] == Outcome.KEPT:
            yield row["id"]


def _planned(joined: Joined, split: str) -> int | None:
    builds = (side.build for side in joined.sides)
    both = [build.splits[split].planned for build in builds if split in build.splits]
    return None if None in both else sum(filter(None, both))


def _parts(joined: Joined, work: Path) -> list[Part]:
    """The shards of the new build: those that are there, then those of what is appended."""
    done = []
    for split in joined.splits:
        lots = [lot for side in joined.sides for lot in _of(side, split, side is joined.more)]
        for number, (folder, shards, change) in enumerate(lots):
            name = f"{split}-{number:05d}-of-{len(lots):05d}.parquet"
            done.append(Part(folder, shards, split, work / name, change))
    return done


Piece = tuple[Path, tuple[File, ...], Gone | None]


def _of(side: Side, split: str, join: bool) -> Iterator[Piece]:
    """Shards of a split; of several that lose rows one is made, if they `join`."""
    folder, build, gone = side.folder, side.build, Gone(side.gone, side.build.each_example)
    waiting, size = list[File](), 0.0
    for shard in build.splits[split].shards if split in build.splits else ():
        rows = touched(folder / shard.file, gone) if gone.ids else 0
        left = shard.bytes * (1 - rows / max(shard.rows, 1))
        if waiting and (not rows or size + left > SHARD_BYTES):
            yield folder, (*waiting,), gone
            waiting, size = [], 0.0
        if rows and join:
            if rows < shard.rows:
                waiting, size = [*waiting, shard], size + left
        else:  # from behind a URL it is fetched, as it is
            here = not join or locations.is_local(folder)
            yield folder, (shard,), gone if rows or not here else None
    if waiting:
        yield folder, (*waiting,), gone


def _entries(joined: Joined) -> Iterator[list[Row]]:
    """Both ledgers, split by split."""
    for split in joined.splits:
        for side, change in zip(joined.sides, (_old, _new), strict=True):
            yield from revise.entries(side.folder / ledger.FILE, partial(change, joined), split)


def _old(joined: Joined, row: Row) -> Row:
    if row["id"] not in joined.old.gone or row["outcome"] == Outcome.WITHDRAWN:
        return row
    if (reason := joined.known.reason_of(row)) is not None:
        return joined.known.tombstone(row, reason)
    if row["outcome"] != Outcome.KEPT:
        return row
    return _without(row, Outcome.REPLACED, f"by the row of {row['source']}@{joined.number}")


def _new(joined: Joined, row: Row) -> Row:
    if (reason := joined.known.reason_of(row)) is not None and row["outcome"] != Outcome.WITHDRAWN:
        row = joined.known.tombstone(row, reason)
    elif row["id"] in joined.more.gone and row["outcome"] == Outcome.KEPT:
        row = _without(row, Outcome.DUPLICATE_ID, "a row that was there before has this id")
    name, mark, part = row["source"].rpartition("@")
    if joined.more.build.appended and mark and part.isdecimal():
        return row | {"source": f"{name}@{joined.number - 1 + int(part)}"}
    return row | {"source": f"{row['source']}@{joined.number}"}


def _without(row: Row, outcome: Outcome, detail: str) -> Row:
    none = {"text_digests": None, "media_digests": None}
    return row | {"outcome": str(outcome), "detail": detail, **none}
