"""What a layout's reader gives: the records of a source, and the files that it reads them from."""

import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import JsonObject
from edge_glass.sources.folder import Folder
from edge_glass.sources.packed_folder import Packed
from edge_glass.sources.raw import Raw
from edge_glass.sources.tars import Tar


@dataclass(slots=True)
class Record:
    """A record: its values by key. That of media is a file's name, a URL, or where bytes are."""

    where: str  # names it in its source
    values: JsonObject
    folder: str = ""  # the first folder of its file, or a word for a split in its name
    base: str = ""  # the folder that names of files in it begin from
    dropped: tuple[Outcome, str] | None = None


@dataclass(frozen=True)
class Files:
    """The files of one source, in a folder or an archive, as a layout reads them."""

    raw: Raw
    source: str
    tables: tuple[str, ...] = ()  # patterns of the tables that are read, if not all are
    lists: tuple[str, ...] = ()  # files that say splits and no more

    @property
    def root(self) -> Path:
        """The folder or file itself, as it lies on the disk."""
        return self.raw.paths[self.source]

    def folders(self, repeated: bool = False) -> Iterator[tuple[str, list[str]]]:
        """Each folder with the files in it, sorted, but for hidden ones and lists; full names.

        A file that a tar has several times is one, as unpacking leaves it, if not `repeated`.
        """
        if self.root.is_file() and not self.archived:
            yield "", [self.root.name]
            return
        for folder, names in self.raw.folders(self.source):
            seen = [name for name in names if not is_hidden(name) and name not in self.lists]
            if seen and not is_hidden(folder):
                yield folder, seen if repeated else [*dict.fromkeys(seen)]

    def names(self) -> Iterator[str]:
        """All files."""
        for _, names in self.folders():
            yield from names

    def text(self, name: str) -> str:
        """A text file, as UTF-16 if it says so, else UTF-8; other bytes stay as lone surrogates."""
        data = self.raw.read(self.source, name)
        if data.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
            return data.decode("utf-16", errors="replace")
        return data.decode("utf-8-sig", errors="surrogateescape")

    def there(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.raw.size(self.source, name) is not None

    @property
    def archived(self) -> bool:
        """Whether they lie in a tar."""
        return isinstance(self.raw.places.get(self.source), Tar)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A file of the source on the disk, for readers that want a path.

        Raises SourceError if its name leads elsewhere.
        """
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise SourceError(f"{name!r} is not the name of a file in {self.root}")
        place = self.raw.places.get(self.source)
        path = self.root if self.root.is_file() else self.root / name
        path = place.path(name) if isinstance(place, Folder) else path
        packed = isinstance(place, Packed) and not path.is_file()
        if not (self.archived or packed):
            yield path
        else:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, PurePosixPath(name).name)
                path.write_bytes(self.raw.read(self.source, name))
                yield path


def is_hidden(name: str) -> bool:
    """Whether a file is no data: its name, or that of a folder that it is in, begins with a dot."""
    return name.startswith((".", "__MACOSX")) or "/." in name or "/__MACOSX" in name
