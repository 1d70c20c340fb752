"""A version is built again, out of what its manifests say, and held against what was published."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_glass.core import ledger, manifest
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import Appended, Manifest, Source
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.build import build as make
from edge_glass.release import editions
from edge_glass.release.append import OnSame, append
from edge_glass.release.diff import Difference, compare
from edge_glass.release.write_card import build


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
