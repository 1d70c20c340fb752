"""Raw files, or a newer list of a corpus, are built as what they are to be appended to."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_glass.core import locations, manifest
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.build import build as make
from edge_glass.release.editions import Edition


@contextmanager
def builds(
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
