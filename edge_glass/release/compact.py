"""A build that grew by appends becomes the one that a single build makes, byte for byte."""

import shutil
from dataclasses import replace
from pathlib import Path

from edge_glass.core import finished, manifest
from edge_glass.core.errors import DataError
from edge_glass.core.manifest import Inputs, Manifest
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.build import build as make
from edge_glass.release import editions
from edge_glass.release.diff import Difference, compare
from edge_glass.release.editions import Edition
from edge_glass.release.publish import Release

SHOWN = 5


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
