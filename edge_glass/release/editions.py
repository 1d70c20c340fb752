"""A dataset that changes row by row.

A folder of builds, in its place, or the next version of a dataset on the Hub, of which only what
changes is fetched and sent.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_glass.core import finished, locations, manifest
from edge_glass.core.atomic_files import disk_full
from edge_glass.core.errors import ConfigError
from edge_glass.core.manifest import HIDDEN, Manifest
from edge_glass.pipeline.build import REMEDY, lock, put
from edge_glass.release import derived, publish, write_card
from edge_glass.release.publish import Release


@dataclass(frozen=True)
class Edition:
    """A dataset as it is (`place`), and the folder that what is new of it is written to."""

    place: Path
    out: Path
    repo: str | None = None  # on the Hub
    earlier: tuple[str, ...] = ()  # its versions

    def folders(self, config: str | None) -> dict[str, Path]:
        """Config -> folder of what is to change. Raises EdgeGlassError if there is no `config`."""
        built = manifest.built(self.place)
        if config is not None and config not in built:
            raise ConfigError(f"{self.place}: no config {config}; there are {', '.join(built)}")
        return {name: built[name] for name in ([config] if config else built)}

    def work(self, config: str) -> Path:
        """Where a new build is made before it is moved to its place."""
        return self.out / HIDDEN / "work" / config

    def put(self, config: str, made: Manifest) -> None:
        """Move a new build to its place, whole or not at all."""
        put(self.work(config), self.out / config)
        if self.repo is None:
            finished.remember(self.out / config, made.files(), None)

    def change(self, before: Manifest, made: Manifest, ids: set[str] | None) -> None:
        """Move a new build to its place, and clean what was made of the one before."""
        steps = [*derived.steps(self.out, before, ids)]
        self.put(made.config, made)
        derived.forget(self.out, before)
        for _, step in steps:
            step()

    def publish(self, configs: list[str], version: str | None, pr: bool = False) -> Release | None:
        """Write what lies beside the builds; on the Hub, make it a version."""
        write_card.write_report(self.out)
        if self.repo is None or version is None:
            return None
        return publish.push(self.out, configs, self.repo, version, pr=pr)


@contextmanager
def opened(place: str, version: str | None) -> Iterator[Edition]:
    """The dataset in a folder, or `org/name` on the Hub whose next version is `version`.

    Raises EdgeGlassError if the one has a version given, or the other has none.
    """
    there = locations.at(place)
    if locations.is_local(there):
        if version is not None:
            raise ConfigError(f"{place} is a folder, which has no versions: leave --version out")
        out = there.parent if (there / manifest.FILE).is_file() else there
        yield Edition(there, out)
        return
    named = locations.REPO.fullmatch(place)
    if named is None or named["version"] or version is None:
        raise ConfigError(
            f"{place}: give a folder, or org/name of a dataset on the Hub and the --version that "
            "the change makes"
        )
    head, earlier = publish.versions(named["repo"])
    there = locations.at(f"{named['repo']}@{head}")  # what comes meanwhile is another's to see
    with locations.errors_explained(place), tempfile.TemporaryDirectory(prefix="edge-glass-") as t:
        yield Edition(there, Path(t), named["repo"], (*earlier,))


@contextmanager
def changing(edition: Edition, config: str) -> Iterator[None]:
    """Nobody else makes the config meanwhile."""
    with disk_full(edition.out, REMEDY), lock(edition.out / HIDDEN, config):
        yield
