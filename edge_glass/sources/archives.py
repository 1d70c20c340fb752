"""Archives (7z, zip, packed tars, files), unpacked into one folder and never outside of it."""

import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Any, NoReturn, Self

from edge_glass.core import records, units
from edge_glass.core.atomic_files import FULL, disk_full, sync_folder
from edge_glass.core.errors import EdgeGlassError, SourceError, SpaceError
from edge_glass.sources.chunk_text import PACKED
from edge_glass.sources.contents import Tick, contents

SUFFIXES = (".7z", ".zip", ".tar.xz", ".tar.bz2")  # .tar and .tar.gz are read in place: tars.py
MAX_MEMBERS = 5_000_000
MAX_GROWTH = 100  # times the archive's own size: media do not compress like this, bombs do
SPARE = 2**24
REMEDY = (
    "Make room there, or set EDGE_GLASS_CACHE to a larger disk, and run the same command again: "
    "what is downloaded is kept."
)


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked before it is read."""
    return name.endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, tick: Tick) -> None:
    """Unpack regular files into `folder`, which appears only when all of it is there.

    A folder that is there but no longer holds what it did is made again.

    Raises EdgeGlassError if the archive is damaged, holds links or members outside of itself,
    grows beyond all measure, or the disk is full; then nothing of it stays.
    """
    record, listing = (folder.with_name(folder.name + end) for end in (".json", ".files"))

    def inventory(place: Path) -> dict[str, Any]:
        return asdict(contents(place, listing, lambda done, total: None))

    def fill(aside: Path) -> None:
        _unpack(archive, Writer(archive, aside, tick))
        if hasattr(os, "sync"):  # not on Windows
            os.sync()
        records.write(record, inventory(aside))

    make(folder, lambda: records.read(record) == inventory(folder), fill)


def make(folder: Path, whole: Callable[[], bool], fill: Callable[[Path], None]) -> None:
    """Fill a folder aside and move it to its place, unless it is there and `whole`."""
    from filelock import FileLock

    aside = folder.with_name(f"{folder.name}.partial")
    with disk_full(folder.parent, REMEDY):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):  # two builds may want the same archive at once
            if folder.is_dir() and whole():
                return
            for leftover in (folder, aside):
                shutil.rmtree(leftover, ignore_errors=True)
            try:
                aside.mkdir()
                fill(aside)
                aside.rename(folder)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            sync_folder(folder.parent)


class Writer:
    """Where the members of one archive go, and what they may not do."""

    def __init__(self, archive: Path, folder: Path, tick: Tick) -> None:
        self.archive, self.folder, self.tick = archive, folder, tick
        self.limit = archive.stat().st_size * MAX_GROWTH + SPARE
        self.done = self.members = 0
        self.total: int | None = None

    def expect(self, total: int) -> None:
        """Told of the bytes that the archive says it holds.

        Raises SpaceError if the disk has no room for them.
        """
        self.bound(total)
        free = shutil.disk_usage(self.folder).free
        if total > free:
            raise SpaceError(
                f"{self.folder.parent}: {units.size(free)} free, {self.archive.name} unpacks to "
                f"{units.size(total)}. {REMEDY}"
            )
        self.total = total

    def open(self, name: str, regular: bool = True) -> IO[bytes]:
        """A member for writing; its parents are made."""
        path = self.path(name, regular)
        self.add()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("wb")
        except OSError as error:
            if error.errno in FULL:
                raise
            self.refuse(f"member {name!r} cannot be a file here ({error.strerror})")

    def path(self, name: str, regular: bool = True) -> Path:
        """The place of a member."""
        return self.folder.joinpath(*self.parts(name, regular))

    def parts(self, name: str, regular: bool = True) -> list[str]:
        """The folders that a member is in, and its name there."""
        # not pathlib's: it interns each part, and a tar may have millions
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not regular or not parts or ".." in parts or name.startswith("/") or "\0" in name:
            self.refuse(f"member {name!r} is no regular file or would leave its folder")
        return parts

    def add(self) -> None:
        """Told of a member before it is used."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            self.refuse(f"more than {MAX_MEMBERS} members")

    def count(self, size: int) -> None:
        """Told of bytes before they are written."""
        self.done += size
        self.bound(self.done)
        self.tick(self.done, self.total)

    def copy(self, stream: IO[bytes], name: str, regular: bool) -> None:
        """Write a member."""
        with self.open(name, regular) as file:
            while chunk := stream.read(2**20):
                self.count(len(chunk))
                file.write(chunk)

    def refuse(self, why: str) -> NoReturn:
        """Raise the error of an archive that is not unpacked."""
        raise SourceError(
            f"{self.archive}: {why}: nothing of it is used. Delete it and get it again from "
            "upstream."
        )

    def bound(self, size: int) -> None:
        """Told of bytes that are known of so far."""
        if size > self.limit:
            self.refuse(f"unpacks to more than {MAX_GROWTH} times its size")


def _unpack(archive: Path, writer: Writer) -> None:
    try:
        _open(archive, writer)
    except EdgeGlassError:
        raise
    except Exception as error:  # over hostile bytes a reader may raise anything
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise SourceError(
            f"{archive}: damaged ({type(error).__name__}: {error}): nothing of it is used. "
            "Delete it and get it again from upstream."
        ) from error


def _open(archive: Path, writer: Writer) -> None:
    if archive.name.endswith(".7z"):
        from edge_glass.sources import seven_zip

        seven_zip.unpack(archive, writer)
    elif archive.name.endswith(".zip"):
        _unzip(archive, writer)
    elif archive.suffix not in PACKED or ".tar" in archive.suffixes:
        _untar(archive, writer)
    else:
        with archive.open("rb") as file, closing(PACKED[archive.suffix](file)) as stream:
            writer.copy(stream, archive.stem, regular=True)


def _unzip(archive: Path, writer: Writer) -> None:
    with zipfile.ZipFile(archive) as file:
        writer.expect(sum(member.file_size for member in file.infolist()))
        for member in file.infolist():
            if not member.is_dir():
                kind = stat.S_IFMT(member.external_attr >> 16)
                with file.open(member) as stream:
                    writer.copy(stream, member.filename, kind in (0, stat.S_IFREG))


def _untar(archive: Path, writer: Writer) -> None:
    with tarfile.open(archive, tarinfo=_Header) as file:
        while (member := file.next()) is not None:
            file.members = []  # type: ignore[attr-defined] # it would remember all of them
            if not member.isdir():
                stream = file.extractfile(member) if member.isreg() else None
                writer.copy(stream or io.BytesIO(), member.name, stream is not None)
        assert file.fileobj is not None
        while chunk := file.fileobj.read(2**20):  # the last bytes of a gzip are its checksum
            writer.count(len(chunk))


class _Header(tarfile.TarInfo):
    """A header of a tar. A damaged or absent one is no end of the archive, as tarfile has it."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if isinstance(error, EOFHeaderError):
                raise
            raise ReadError(f"at byte {tarfile.offset}: {error}") from error
