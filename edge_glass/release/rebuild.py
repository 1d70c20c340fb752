"""Builds are made again out of what their manifests say.

A version to be held against what was published; or one that grew by appends in one go, so that it
becomes what a single build makes, byte for byte.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_glass.core import finished, ledger, manifest
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Appended, Inputs, Manifest, Source
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.build import build as make
from edge_glass.release import editions
from edge_glass.release.append import OnSame, append
from edge_glass.release.diff import Difference, compare
from edge_glass.release.editions import Edition
from edge_glass.release.publish import Release
from edge_glass.release.write_card import build

SHOWN = 5  # ids that differ


def reproduce(
    version: Path, out: Path, names: list[str], options: Options, progress: Progress | None = None
) -> Iterator[Difference]:
    """Build configs of a version (all, without `names`) into `out`: what differs, one at a time.

    A build that is there already is gone on with, if this code made it. Raises EdgeGlassError if
    the version has no such config, nothing here can build it, or files of it are damaged.
    """
    for name, folder in editions.folders(version, names).items():
        there = manifest.read(folder)
        options = replace(options, by_this_code=True, obey=(folder,))
        if there.appended:
            _append_parts(folder, there, out, options, progress)
        else:
            build(catalog.recipe(there), out, options, progress)
        yield compare(name, folder, out / name)


def _append_parts(
    version: Path, build: Manifest, out: Path, options: Options, progress: Progress | None
) -> None:
    """Build each part of a version that grew by appends, and append it to those before."""
    by_row = (row["detail"] for row in ledger.with_outcome(version / ledger.FILE, Outcome.REPLACED))
    replacing = {detail.rpartition("@")[2] for detail in by_row}
    parts: tuple[Manifest | Appended, ...] = (build, *build.appended)
    for number, part in enumerate(parts, 1):
        place = out / HIDDEN / "parts" / f"{number}"
        inputs = replace(build.inputs, parameters=part.parameters, config=build.config)
        built = make(catalog.recipe(inputs), place, options, progress)
        _check_sources(version, number, part.sources, built.sources)
        if number == 1 and not (out / build.config).exists():
            shutil.copytree(place / build.config, out / build.config)
        elif number > 1:
            on_same: OnSame = "replace" if f"{number}" in replacing else "skip"
            append(str(out), str(place), build.config, on_same)


def _check_sources(
    version: Path, number: int, before: tuple[Source, ...], now: tuple[Source, ...]
) -> None:
    """Raise DataError if a part was made of other sources than can be read now."""
    digests = [{one.file: one.sha256 or one.content or one.md5 for one in s} for s in (before, now)]
    if others := [name for name, digest in digests[0].items() if digests[1].get(name) != digest]:
        differing = "; ".join(f"{n} with {digests[0][n]}, not {digests[1].get(n)}" for n in others)
        raise DataError(
            f"{version}: part {number} of it was made of {differing}: one folder of sources "
            "does not give all parts. Build each of its own sources, with --obey of this version, "
            "append them in order, and `edge-glass diff` the two"
        )


def compact(
    place: str,
    options: Options,
    config: str | None = None,
    version: str | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Manifest], Release | None]:
    """Build configs that grew by appends in one go, and put them in the place of what is there.

    What was withdrawn stays away and edits hold; the manifest no longer tells of the appends. A
    config that was not appended to is that of one build already. Of `org/name` it makes the next
    version, which is sent the shards that have other bytes. Returns the manifests, and what was
    published. Raises EdgeGlassError, and changes nothing, if the sources do not give the same rows.
    """
    done = {}
    with editions.opened(place, version) as edition:
        for name, folder in edition.folders(config).items():
            done[name] = old = manifest.read(folder)
            if old.appended:
                done[name] = _compacted(edition, folder, old, options, progress)
        return done, edition.publish([*done], version)


def _compacted(
    edition: Edition, folder: Path, old: Manifest, options: Options, progress: Progress | None
) -> Manifest:
    aside, name = edition.out / HIDDEN / "compact", old.config
    options = replace(options, by_this_code=True, obey=(folder,))
    new = make(catalog.recipe(_whole(old)), aside, options, progress)
    _check_same(folder, compare(name, folder, aside / name))
    with editions.changing(edition, name):
        code = finished.code(aside / name)
        shutil.rmtree(edition.work(name), ignore_errors=True)
        edition.work(name).parent.mkdir(parents=True, exist_ok=True)
        (aside / name).rename(edition.work(name))
        edition.change(old, new, set())
        finished.remember(edition.out / name, new.files(), code)
    shutil.rmtree(aside)
    return new


def _whole(old: Manifest) -> Inputs:
    """The inputs of one build of all parts: the last list, and the splits of each."""
    splits = [old.parameters.get("splits"), *(p.parameters.get("splits") for p in old.appended)]
    every = dict.fromkeys(name for some in splits for name in some or ())
    parameters = old.appended[-1].parameters | {"splits": None if None in splits else [*every]}
    return replace(old.inputs, parameters=parameters)


def _check_same(folder: Path, difference: Difference) -> None:
    """Raise DataError if rows are not those that are there; they may stand in another order."""
    kinds = [k for k in difference.rows if k in ("added", "removed") or k.startswith("changed ")]
    if other := {kind: difference.rows[kind] for kind in kinds}:
        differing = ", ".join(f"{n} rows {kind}" for kind, n in other.items())
        ids = dict.fromkeys(id for kind in other for id in difference.ids[kind])
        raise DataError(
            f"{folder}: its sources give other rows now ({differing}: "
            f"{', '.join([*ids][:SHOWN])}): give the --raw of the last append, with all that was "
            "appended before"
        )
