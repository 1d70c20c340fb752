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
from edge_glass.core.errors import ConfigError, DataError, HubError
from edge_glass.core.key_digests import Ids
from edge_glass.core.manifest import Manifest
from edge_glass.core.names import HIDDEN
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
        return folders(self.place, [config] if config else [])

    def work(self, config: str) -> Path:
        """Where a new build is made before it is moved to its place."""
        return self.out / HIDDEN / "work" / config

    def put(self, config: str, build: Manifest) -> None:
        """Move a new build to its place, whole or not at all."""
        put(self.work(config), self.out / config)
        if self.repo is None:
            finished.remember(self.out / config, build.files(), None)

    def change(self, before: Manifest, build: Manifest | None, ids: Ids | None) -> None:
        """Move a new build to its place, unless it is there, and clean what was made of `before`.

        Those are the `ids` that it has no more.
        """
        steps = [*derived.steps(self.out, before, ids)]
        if build:
            self.put(build.config, build)
        derived.forget(self.out, before)
        for _, step in steps:
            step()

    def publish(self, configs: list[str], version: str | None) -> Release | None:
        """Write what lies beside the builds; on the Hub, make it a version, if it is none yet.

        Raises DataError if nothing is new, HubError if more has changed there.
        """
        configs = [one for one in configs if (self.out / one / manifest.FILE).is_file()]
        if self.repo and not configs:
            raise DataError(f"{self.repo}: nothing is new since its last version: none was made")
        write_card.write_report(self.out)
        if self.repo is None or version is None:
            return None
        head, tags = publish.versions(self.repo)
        tag, new = publish.tag_name(version), self._seals(self.out, configs)
        if tag in tags and self._seals(self._at(tags[tag]), configs) == new:
            return Release(self.repo, tag, configs, commit=tags[tag], tagged=True)
        before, there = (self._seals(p, configs) for p in (self.place, self._at(head)))
        if others := [one for one in configs if there.get(one) not in (before[one], new[one])]:
            raise HubError(
                f"{self.repo}: {', '.join(others)} changed since its last version: push that as a "
                "version first"
            )
        return publish.push(self.out, configs, self.repo, version)

    def _at(self, commit: str) -> Path:
        return locations.at(f"{self.repo}@{commit}")

    @staticmethod
    def _seals(place: Path, configs: list[str]) -> dict[str, str]:
        return {one: manifest.read(place / one).seal for one in configs if (place / one).is_dir()}


def folders(place: Path, names: list[str]) -> dict[str, Path]:
    """Config -> folder of these that are built, or of all. Raises ConfigError if one is not."""
    built = manifest.built(place)
    if absent := [name for name in names if name not in built]:
        raise ConfigError(f"{place}: no config {', '.join(absent)}; there are {', '.join(built)}")
    return {name: built[name] for name in names or built}


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
        for previous in (out / HIDDEN / "work").glob("*.previous"):  # of a killed process
            with lock(out / HIDDEN, previous.stem):
                pass
        yield Edition(there, out)
        return
    hub = locations.published(place)
    if hub is None or hub.version or version is None:
        raise ConfigError(
            f"{place}: give a folder, or org/name of a dataset on the Hub and the --version that "
            "the change makes"
        )
    repo, tag = hub.repo, publish.tag_name(version)
    head, tags = publish.versions(repo)
    earlier = {name: commit for name, commit in tags.items() if name != tag}
    # what a run that was stopped left on the main branch is no version: it is made once more
    there = locations.at(f"{repo}@{[head, *earlier.values()][-1]}")
    with locations.errors_explained(there), tempfile.TemporaryDirectory(prefix="edge-glass-") as t:
        yield Edition(there, Path(t), repo, (*earlier,))


@contextmanager
def changing(edition: Edition, config: str) -> Iterator[None]:
    """Nobody else makes the config meanwhile."""
    with disk_full(edition.out, REMEDY), lock(edition.out / HIDDEN, config):
        yield
