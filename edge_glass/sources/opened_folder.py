"""A folder whose archives are read as if they had been unpacked where they lie.

`train.zip` is the folder `train`, whether or not all in it lies in a folder of that name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from typing_extensions import override

from edge_glass.core import records
from edge_glass.sources import archives, tars
from edge_glass.sources.folder import Folder

SUFFIXES = (*archives.SUFFIXES, *tars.SUFFIXES)


@dataclass(frozen=True)
class Opened(Folder):
    """A folder on disk with what is in its archives, but for those that are unpacked beside it."""

    unpacked: Path  # the folder that gets what is in them

    @override
    def folders(self) -> Iterator[tuple[str, list[str]]]:
        opened = {archive for archive, _ in self._archives.values()}
        for folder, names in super().folders():
            if left := [name for name in names if name not in opened]:
                yield folder, left
        for place, (_, root) in self._archives.items():
            for folder, names in Folder(root).folders():
                yield f"{place}/{folder}".rstrip("/"), [f"{place}/{name}" for name in names]

    @override
    def at(self, name: str) -> tuple[Path, str]:
        for parent in map(str, PurePosixPath(name).parents):
            if parent in self._archives:
                return self._archives[parent][1], name.removeprefix(f"{parent}/")
        return self.root, name

    @cached_property
    def _archives(self) -> dict[str, tuple[str, Path]]:
        """Each archive and where it is unpacked, by the folder that it is read as."""
        opened = dict[str, tuple[str, Path]]()
        for _, names in super().folders():
            for name in filter(is_archive, names):
                place = archive_stem(name)
                if place in opened or self.root.joinpath(place).is_dir():
                    continue
                if root := self._unpacked(self.root / name):
                    opened[place] = name, root
        return opened

    def _unpacked(self, archive: Path) -> Path | None:
        """Where what an archive holds lies; None if all of it lies beside the archive, too."""
        root = self.unpacked / records.state(archive)
        archives.unpack(archive, root, lambda done, total: None)
        tops = {path.name for path in root.iterdir()} - {"__MACOSX"}
        if all(archive.with_name(top).exists() for top in tops):
            return None
        inner = root / archive_stem(archive.name)
        return inner if tops == {inner.name} and inner.is_dir() else root


def is_archive(name: str) -> bool:
    """Whether a file of this name in a folder is opened; hidden ones are not."""
    return name.endswith(SUFFIXES) and not any(p.startswith(".") for p in name.split("/"))


def archive_stem(name: str) -> str:
    """The name of an archive without its suffixes."""
    return name.removesuffix(next(filter(name.endswith, SUFFIXES)))
