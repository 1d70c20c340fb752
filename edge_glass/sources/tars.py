"""Files inside .tar and .tar.gz, read where they lie: an index is made once, nothing is unpacked.

The index of an archive is a folder of its own: `members.sqlite` (name, place and size of every
file, in the archive's order, and the text of small text files), for .tar.gz `seek.idx`, points
from which inflating can begin, and `index.json`, the digests of both.
"""

import errno
import os
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

from edge_glass.core import records
from edge_glass.core.atomic_files import sync_folder as sync
from edge_glass.core.errors import SourceError
from edge_glass.core.libraries import sqlite3
from edge_glass.sources import archives
from edge_glass.sources.contents import Place, Tick

SUFFIXES = (".tar", ".tar.gz", ".tgz")
FORMAT = 2  # of the index; one of another format is made again
# bytes between two points of the seek index, each of which takes 32 kB of memory when it is read
STEP = 2**25
BUFFER = 2**24  # bytes inflated at a time: every piece starts again at the point before it
MAX_TEXT = 2**20  # bytes of a text file that is kept in the index
MAX_HEADER = 2**20  # bytes of a member's header, long names included

_MEMBERS, _SEEK, _RECORD = "members.sqlite", "seek.idx", "index.json"
_TABLES = """
CREATE TABLE members (position INTEGER PRIMARY KEY, folder BLOB, name BLOB, offset INT, size INT);
CREATE TABLE texts (position INTEGER PRIMARY KEY, bytes BLOB);
"""
_INDEXES = """
CREATE INDEX by_name ON members (folder, name, position);
CREATE INDEX by_position ON members (folder, position);
"""


def is_tar(name: str) -> bool:
    """Whether a file of this name is read through an index."""
    return name.endswith(SUFFIXES)


@dataclass(frozen=True)
class Tar(Place):
    """The files of an indexed tar below its folder `root`, named relative to it with `/`.

    Where a name occurs twice the later file is read, as unpacking would leave it.
    """

    archive: Path
    index: Path
    root: str = ""

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder that holds files with their names, sorted; rows of a tree have this order."""
        root, every = os.fsencode(self.root), "SELECT DISTINCT folder FROM members"
        folders = {
            self._inside(folder): folder
            for (folder,) in self._db().execute(every)
            if not root or folder == root or folder.startswith(root + b"/")
        }
        for inside in sorted(folders, key=lambda name: name.split("/") if name else []):
            named = "SELECT name FROM members WHERE folder = ?"
            members = self._db().execute(named, (folders[inside],))
            yield inside, sorted(self._inside(folders[inside], name) for (name,) in members)

    def size(self, name: str) -> int | None:
        """Bytes of a file, None if it is not there."""
        member = self._find(name)
        return member[2] if member else None

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises FileNotFoundError if it is not there."""
        member = self._find(name)
        if member is None:
            raise FileNotFoundError(name)
        position, offset, size = member
        query = "SELECT bytes FROM texts WHERE position = ?"
        if text := self._db().execute(query, (position,)).fetchone():
            return bytes(text[0])
        file = _opened(self.archive, self.index, os.getpid())[1]
        file.seek(offset)
        data = file.read(size)
        if len(data) < size:
            raise SourceError(f"{self.archive}: changed since it was indexed: get it again")
        return data

    def beside(self) -> "Tar":
        """The folder around `root`."""
        return Tar(self.archive, self.index, self.root.rpartition("/")[0])

    @lru_cache(maxsize=8)  # noqa: B019 - a file is looked for several times before it is read
    def _find(self, name: str) -> tuple[int, int, int] | None:
        """Position, offset and size of the last file of this name."""
        folder, _, file = "/".join(filter(None, (self.root, name))).rpartition("/")
        query = "SELECT position, offset, size FROM members WHERE folder = ? AND name = ?"
        key = os.fsencode(folder), os.fsencode(file)
        member: tuple[int, int, int] | None = (
            self._db().execute(f"{query} ORDER BY position DESC", key).fetchone()
        )
        return member

    def _db(self) -> "sqlite3.Connection":
        return _opened(self.archive, self.index, os.getpid())[0]

    def _inside(self, *parts: bytes) -> str:
        path = os.fsdecode(b"/".join(filter(None, parts)))
        return path.removeprefix(self.root).removeprefix("/")


@lru_cache(maxsize=4)
def _opened(archive: Path, index: Path, pid: int) -> "tuple[sqlite3.Connection, IO[bytes]]":
    """Index and archive, opened once a process: a forked one does not share its parent's files."""
    db = sqlite3.connect(f"{(index / _MEMBERS).absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    return db, _file(archive, index / _SEEK)


def _file(archive: Path, seek: Path | None = None) -> IO[bytes]:
    if archive.name.endswith(".tar"):
        return archive.open("rb")
    import indexed_gzip

    more = {"index_file": str(seek)} if seek else {"spacing": STEP}
    file: IO[bytes] = indexed_gzip.IndexedGzipFile(str(archive), buffer_size=BUFFER, **more)
    return file


def index(archive: Path, folder: Path, tick: Tick) -> None:
    """Make the index of a tar in `folder`, which appears only when all of it is there.

    Raises EdgeGlassError if the archive is damaged or cut short, holds links or members outside of
    itself, grows beyond all measure, or the disk is full.
    """
    record = folder / _RECORD
    archives.make(
        folder,
        lambda: records.read(record) == _described(folder),
        lambda aside: _index(archive, aside, tick),
    )


def _index(archive: Path, folder: Path, tick: Tick) -> None:
    _opened.cache_clear()
    Tar._find.cache_clear()
    try:
        with closing(sqlite3.connect(folder / _MEMBERS)) as db, closing(_file(archive)) as file:
            db.executescript(f"PRAGMA journal_mode=OFF; {_TABLES}")
            _Pass(file, db, archives.Writer(archive, folder, tick)).run()
            db.executescript(_INDEXES)
            if not archive.name.endswith(".tar"):
                cast(Any, file).export_index(str(folder / _SEEK))
    except sqlite3.OperationalError as error:
        if "full" not in str(error):
            raise
        raise OSError(errno.ENOSPC, str(error), str(folder)) from error
    records.write(folder / _RECORD, _described(folder))
    for path in (*folder.iterdir(), folder):
        sync(path)


def _described(folder: Path) -> dict[str, int | dict[str, str]]:
    files = [path for name in (_MEMBERS, _SEEK) if (path := folder / name).is_file()]
    return {"format": FORMAT, "sha256": {path.name: records.sha256(path) for path in files}}


class _Pass:
    """One reading of a tar from end to end."""

    def __init__(self, file: IO[bytes], db: "sqlite3.Connection", writer: archives.Writer) -> None:
        self._file, self._db, self._writer = file, db, writer

    def run(self) -> None:
        try:
            with tarfile.open(fileobj=_Headers(self._writer, self._file), mode="r:") as tar:  # type: ignore[call-overload]
                while (member := tar.next()) is not None:
                    tar.members.clear()  # tarfile keeps them all otherwise
                    if not member.isdir():
                        self._add(member)
                    self._writer.tick(tar.offset, None)
                self._end(tar.offset)
        except OSError as error:
            if error.errno is not None:  # the disk, not the archive
                raise
            self._writer.refuse(f"damaged ({error})")
        except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
            self._writer.refuse(f"damaged ({error})")
        self._db.commit()

    def _add(self, member: tarfile.TarInfo) -> None:
        position = self._writer.members
        regular = member.isreg() and not member.issparse() and member.size >= 0
        *folders, name = self._writer.parts(member.name, regular)
        self._writer.add()
        self._writer.bound(member.offset_data + member.size)
        row = (position, os.fsencode("/".join(folders)), os.fsencode(name))
        add = "INSERT INTO members VALUES (?, ?, ?, ?, ?)"
        self._db.execute(add, (*row, member.offset_data, member.size))
        if member.size <= MAX_TEXT:
            self._file.seek(member.offset_data)
            data = self._file.read(min(member.size, tarfile.BLOCKSIZE))
            if b"\0" not in data:
                data += self._file.read(member.size - len(data))
                self._db.execute("INSERT INTO texts VALUES (?, ?)", (position, data))

    def _end(self, offset: int) -> None:
        """Tarfile takes a damaged header for the end: only a block of zeros is one."""
        self._file.seek(offset)
        if self._file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            self._writer.refuse(f"damaged or cut short at byte {offset} of the tar")
        while self._file.read(2**20):  # to the end, where the checksum stands
            self._writer.bound(self._file.tell())


class _Headers:
    """What tarfile reads: headers only, of a bounded size."""

    def __init__(self, writer: archives.Writer, file: IO[bytes]) -> None:
        self._writer, self._file = writer, file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            self._writer.refuse("a member's header is larger than any name")
        return self._file.read(size)
