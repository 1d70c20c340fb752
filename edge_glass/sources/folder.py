"""A folder on disk, and names of files in it, however they are spelled."""

import os
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.sources import ark
from edge_glass.sources.contents import Place
from edge_glass.sources.parquet_folder import SUFFIX, Tables


@dataclass(frozen=True)
class Folder(Place):
    """A folder on disk; names are relative to it, with `/`."""

    root: Path

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder that holds files with their names, sorted; the folder itself is ``""``."""
        for folder, folders, files in os.walk(self.root):
            folders.sort()
            if files:
                base = Path(folder).relative_to(self.root)
                start = "" if base == Path() else f"{base.as_posix()}/"
                yield start[:-1], [start + name for name in sorted(files)]

    def at(self, name: str) -> tuple[Path, str]:
        """The folder on the disk that has a file, and what the file is called in it."""
        return self.root, name

    def path(self, name: str) -> Path:
        """Where a file lies on the disk."""
        return Path(*self.at(name))

    def size(self, name: str) -> int | None:
        """Bytes of a file, or of a value in a Parquet file or an ark; None if it is not there."""
        root, inside = self.at(name)
        if f"{SUFFIX}/" in inside:
            return Tables(root).size(inside)
        if part := ark.find(root, inside):
            return part[2] - part[1]
        try:
            stat = root.joinpath(inside).stat()
        except OSError:
            return None
        return stat.st_size if S_ISREG(stat.st_mode) else None

    def read(self, name: str) -> bytes:
        """The bytes of such. Raises FileNotFoundError if it is not there."""
        root, inside = self.at(name)
        if f"{SUFFIX}/" in inside:
            return Tables(root).read(inside)
        if part := ark.find(root, inside):
            return ark.read(*part)
        return root.joinpath(inside).read_bytes()

    def beside(self) -> "Folder":
        """The folder around this one."""
        return Folder(self.root.parent)


def nfc(text: str) -> str:
    """Text in Unicode's composed spelling: that of records, and of most disks but a Mac's.

    Args:
        text: in any spelling.

    Returns:
        The same text.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spelled(name: str, there: Callable[[str], bool]) -> str:
    """A file's name, composed (NFC) or decomposed (NFD) as the one that is there; else as it is.

    Folder and file may be spelled differently: one was made here, the other came out of an archive.
    """
    if name.isascii() or there(name):
        return name
    folder, slash, file = name.rpartition("/")
    folders, files = (
        dict.fromkeys([part, nfc(part), unicodedata.normalize("NFD", part)])
        for part in (folder + slash, file)
    )
    return next((one + other for one in folders for other in files if there(one + other)), name)


def inside(source: str, name: str) -> str:
    """A name as a path inside a source. Raises Dropped if it leads out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or name.startswith("/") or "\0" in name:
        raise Dropped(Outcome.MALFORMED_ROW, f"{name!r} is no file name inside {source}")
    return "/".join(parts)


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers, from 1."""
    lines = text.removeprefix("\ufeff").split("\n")
    if not lines[-1]:
        lines.pop()
    yield from ((number, line.removesuffix("\r")) for number, line in enumerate(lines, 1))
