"""What a file or folder holds: files by their names, and their digests.

Files that did not change since are not read again for a digest.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any, Protocol

from edge_glass.core import records
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.names import HIDDEN
from edge_glass.core.spec import SourceFacts

Tick = Callable[[int, int | None], None]  # bytes done, bytes in all if known
HEX = 64  # characters of a sha256
UNREAD = 2**38  # bytes; no table or archive is so large, and no medium of that size is read


class Place(Protocol):
    """Where the files of a source are: a folder, a tar, a folder of Parquet files."""

    def names(self) -> Iterator[str]:
        """All files, sorted folder by folder."""
        for _, names in self.folders():
            yield from names

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder that holds files, with their names, sorted as those of an unpacked tree."""

    def size(self, name: str) -> int | None:
        """Bytes of a file, None if it is not there."""

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises FileNotFoundError if it is not there."""

    def beside(self) -> "Place":
        """What lies around it. Raises FileNotFoundError if nothing there belongs to it."""
        raise FileNotFoundError


@dataclass(frozen=True)
class Contents:
    """The files of a folder; `sha256` is over the names and digests of all of them, in order."""

    files: int
    bytes: int
    sha256: str


def contents(
    root: Path, listing: Path, tick: Tick, beside: Iterable[str] = (), links: bool = True
) -> Contents:
    """What lies below `root`, and the files of the names `beside` that lie next to it.

    `links` to folders are followed, where what is read may name files behind them.
    The file `listing` keeps the digests: a file is read again if its size or the time of its last
    change is another. Folders that builds were written into are left out.
    """
    known, files, size, total = _Known(listing), 0, 0, hashlib.sha256()
    with AtomicFile(listing) as written:
        for place, path, stat in _files(root, links):
            # no program can set the time of the last change back
            line = [place, stat.st_size, stat.st_ctime_ns]
            digest = known.digest(line) or _digest(path, stat.st_size)
            written.write(json.dumps([*line, digest]).encode() + b"\n")
            total.update(json.dumps([place, digest]).encode())
            files, size = files + 1, size + stat.st_size
            tick(size, None)
        written.write(written.sha256.encode())
    for name in beside:
        if (path := root.parent / name).is_file():
            total.update(json.dumps([f"../{name}", records.sha256(path)]).encode())
    return Contents(files, size, total.hexdigest())


def size(place: Path, links: bool = True) -> int:
    """Bytes of a file, or of all files of a folder that `contents` reads."""
    if place.is_file():
        return place.stat().st_size
    return sum(stat.st_size for *_, stat in _files(place, links))


def _digest(path: Path, size: int) -> str:
    return f"{size} bytes" if size >= UNREAD else records.sha256(path)


def _files(root: Path, links: bool) -> Iterator[tuple[str, Path, os.stat_result]]:
    """Name, path and state of each regular file, sorted, each folder once.

    What Git keeps of them in a clone is left out, and what `hf download` notes.
    """
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=links):
        stat = Path(folder).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        noted = "huggingface" if Path(folder).name == ".cache" else ".git"
        kept = (f for f in folders if f != noted and not Path(folder, f, HIDDEN).exists())
        folders[:] = sorted(kept)
        parts = Path(folder).relative_to(root).parts
        for name in sorted(names):
            path = Path(folder, name)
            if path.exists() and S_ISREG((stat := path.stat()).st_mode):
                yield "/".join((*parts, name)), path, stat


class _Known:
    """The digests of an earlier listing, in its order; none of one that is cut or changed."""

    def __init__(self, listing: Path) -> None:
        self._lines = _lines(listing) if _whole(listing) else iter(())
        self._next = next(self._lines, None)

    def digest(self, line: list[Any]) -> str | None:
        """The digest of a file that is what it was; files are asked for in the listing's order."""
        while self._next and _order(self._next[0]) < _order(line[0]):
            self._next = next(self._lines, None)
        return self._next[3] if self._next and self._next[:3] == line else None


def _order(place: str) -> tuple[tuple[str, ...], str]:
    *folder, name = place.split("/")
    return tuple(folder), name


def _lines(listing: Path) -> Iterator[list[str]]:
    with listing.open("rb") as file:
        yield from (json.loads(line) for line in file if line.startswith(b"["))


def _whole(listing: Path) -> bool:
    """Whether a listing ends with the digest of all before."""
    if not listing.is_file():
        return False
    digest, left = hashlib.sha256(), listing.stat().st_size - HEX
    with listing.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, 2**20))):
            digest.update(chunk)
            left -= len(chunk)
        return file.read() == digest.hexdigest().encode()


class Checksums:
    """Bytes, md5 and sha256 of what goes by."""

    def __init__(self) -> None:
        self.bytes = 0
        self._md5, self._sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Take what goes by."""
        self.bytes += len(data)
        self._md5.update(data)
        self._sha256.update(data)

    def facts(self) -> SourceFacts:
        """All of them, as the manifest has them."""
        md5, sha256 = self._md5.hexdigest(), self._sha256.hexdigest()
        return SourceFacts(bytes=self.bytes, md5=md5, sha256=sha256)


def checksums(path: Path) -> SourceFacts:
    """Bytes, md5 and sha256 of a file."""
    sums = Checksums()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            sums.update(chunk)
    return sums.facts()
