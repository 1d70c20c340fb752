"""Raw files, or a newer list of a corpus, are built as what they are appended to, and appended."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_glass.core import locations, manifest
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.manifest import HIDDEN, Manifest
from edge_glass.core.progress import Progress
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.build import build as make
from edge_glass.release import append as builds
from edge_glass.release.append import OnSame
from edge_glass.release.publish import Release
from edge_glass.release.reproduce import recipe


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
    """Append builds as `append.append` does, or a folder of raw files of the same corpus.

    Raw files are built first, each config with the parameters that its manifest has. Run it again
    after any stop. Raises EdgeGlassError as `append.append`, and as `build`.
    """
    raw = locations.at(new)
    if locations.is_local(raw) and raw.is_file():
        raise ConfigError(f"{new}: is a file: give the folder that it lies in, with its media")
    if not locations.is_local(raw) or not raw.is_dir() or _holds_builds(raw):
        return builds.append(place, new, config, on_same, version, jobs)
    there = locations.at(place)
    with locations.errors_explained(there), _work(there) as out:
        folders = {n: f for n, f in manifest.built(there).items() if config in (None, n)}
        for folder in folders.values():
            # a newer list has another checksum than the one that upstream published
            options = Options(raw=raw, jobs=jobs, unverified=True, by_this_code=True)
            make(recipe(manifest.read(folder)), out, options, progress)
        return builds.append(place, str(out), config, on_same, version, jobs)


def _holds_builds(folder: Path) -> bool:
    try:
        return bool(manifest.built(folder))
    except DataError:
        return False


@contextmanager
def _work(place: Path) -> Iterator[Path]:
    """A folder for builds: beside those that they are appended to one that a stop leaves."""
    if locations.is_local(place):
        out = (place.parent if (place / manifest.FILE).is_file() else place) / HIDDEN / "append"
        yield out
        shutil.rmtree(out, ignore_errors=True)
    else:
        with tempfile.TemporaryDirectory(prefix="edge-glass-") as folder:
            yield Path(folder)
