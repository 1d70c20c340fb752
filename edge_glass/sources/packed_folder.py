"""Folders of archives that are read as if they were unpacked: `00000.tar/a.jpg`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edge_glass.sources import tars


@dataclass(frozen=True)
class Packed:
    """The members of all tars below a folder; each tar is a folder of its name."""

    root: Path
    indexes: Path  # the folder that gets an index of each

    def names(self) -> Iterator[str]:
        """All members, tar by tar."""
        for _, names in self.folders():
            yield from names

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder in each tar with its members, sorted."""
        for path in sorted(self.root.rglob("*.tar")):
            tar = path.relative_to(self.root).as_posix()
            for folder, names in self._tar(tar).folders():
                yield f"{tar}/{folder}".rstrip("/"), [f"{tar}/{name}" for name in names]

    def size(self, name: str) -> int | None:
        """Bytes of a member, None if it is not there."""
        tar, member = _parts(name)
        return self._tar(tar).size(member) if tar and (self.root / tar).is_file() else None

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises FileNotFoundError if it is not there."""
        tar, member = _parts(name)
        if not tar or not (self.root / tar).is_file():
            raise FileNotFoundError(name)
        return self._tar(tar).read(member)

    def beside(self) -> "Packed":
        """Nothing belongs to such a folder that lies beside it."""
        raise FileNotFoundError(self.root.parent)

    def _tar(self, name: str) -> tars.Tar:
        path = self.root / name
        stat = path.stat()
        return _indexed(path, self.indexes, stat.st_size, stat.st_ctime_ns)


@lru_cache(maxsize=64)
def _indexed(path: Path, indexes: Path, size: int, changed: int) -> tars.Tar:
    """A tar with its index, which is made once for each state of the file."""
    state = f"{path.absolute()}\0{size}\0{changed}"
    folder = indexes / hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()
    tars.index(path, folder, lambda done, total: None)
    return tars.Tar(path, folder)


def _parts(name: str) -> tuple[str, str]:
    tar, found, member = name.partition(".tar/")
    return (f"{tar}.tar", member) if found else ("", "")
