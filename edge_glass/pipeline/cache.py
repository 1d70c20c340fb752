"""The folder of downloads, part by part: what lies there, how much it is, and how it is emptied."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_glass.core.errors import ConfigError, absent
from edge_glass.corpora import catalog
from edge_glass.sources.obtain import store

DIGEST = r"[0-9a-f]{16,64}(\..+)?"
PARTS = {  # part -> what it is, and what is lost with it
    "downloads": "raw files as they were published; fetched again",
    "clips": "clips of videos; fetched again, if they are still there",
    "unpacked": "archives, unpacked; unpacked again",
    "index": "what lies where in tars; read again",
    "listings": "checksums of raw folders; computed again",
    "joined": "tables that were joined; joined again",
    "uploads": "builds into URLs that are under way; they begin anew",
}


@dataclass(frozen=True)
class Part:
    """A part of the cache."""

    name: str
    files: int
    bytes: int
    what: str


def parts() -> list[Part]:
    """All parts, and what each takes on disk."""
    sizes = {name: list(_sizes(name)) for name in PARTS}
    return [Part(name, len(sizes[name]), sum(sizes[name]), what) for name, what in PARTS.items()]


def clear(name: str) -> list[Path]:
    """Remove what Edge Glass put into a part. Returns what lies there besides, and stays.

    Raises ConfigError for a part that is none.
    """
    if name not in PARTS:
        raise ConfigError(f"--clear: {absent('part', name, PARTS)}")
    ours, others = _entries(name)
    for path in ours:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return others


def _entries(name: str) -> tuple[list[Path], list[Path]]:
    """What lies in a part: ours by its name, and what is not."""
    known = {
        "downloads": "|".join(map(re.escape, catalog.corpora())),
        "clips": "clips|records|work",
    }
    pattern, folder = known.get(name, DIGEST), store() / name
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    ours = [path for path in paths if re.fullmatch(pattern, path.name)]
    return ours, [path for path in paths if path not in ours]


def _sizes(name: str) -> Iterator[int]:
    """The size of each file of ours, but for those that a build takes away meanwhile."""
    for path in _entries(name)[0]:
        inside = (Path(top, file) for top, _, files in os.walk(path) for file in files)
        for file in inside if path.is_dir() else [path]:
            with suppress(FileNotFoundError):
                yield file.lstat().st_size
