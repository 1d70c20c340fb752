"""Archives (7z, zip, packed tars) unpacked into one folder and never outside of it."""

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from edge_glass.errors import EdgeGlassError

SUFFIXES = (".7z", ".zip", ".tar.xz", ".tar.bz2")  # .tar and .tar.gz are read in place: tars.py
MAX_MEMBERS = 5_000_000
MAX_GROWTH = 100  # times the archive's own size: media do not compress like this, bombs do
_SPARE = 2**24

Tick = Callable[[int, int | None], None]  # bytes written, bytes in all if known


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked before it is read."""
    return name.endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, tick: Tick) -> None:
    """Unpack regular files into `folder`, which appears only when all of it is there.

    Raises EdgeGlassError if the archive is damaged, holds links or members outside of itself, or
    grows beyond all measure.
    """
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    writer = _Writer(archive, aside, tick)
    try:
        _open(archive, writer)
    except (
        py7zr.exceptions.ArchiveError,
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
    ) as error:
        raise EdgeGlassError(
            f"{archive}: damaged ({error}). Delete it and get it again from upstream."
        ) from error
    os.sync()
    aside.rename(folder)


class _Writer:
    """Where the members of one archive go, and what they may not do."""

    def __init__(self, archive: Path, folder: Path, tick: Tick) -> None:
        self.archive, self.folder, self.tick = archive, folder, tick
        self.limit = archive.stat().st_size * MAX_GROWTH + _SPARE
        self.done = self.members = 0
        self.total: int | None = None

    def path(self, name: str, regular: bool = True) -> Path:
        """The place of a member; its parents are made."""
        self.members += 1
        parts = PurePosixPath(name).parts
        if not regular or not parts or ".." in parts or name.startswith("/") or "\0" in name:
            self.refuse(f"member {name!r} is a link or would leave its folder")
        if self.members > MAX_MEMBERS:
            self.refuse(f"more than {MAX_MEMBERS} members")
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def count(self, size: int) -> None:
        """Told of bytes before they are written."""
        self.done += size
        if self.done > self.limit:
            self.refuse(f"unpacks to more than {MAX_GROWTH} times its size")
        self.tick(self.done, self.total)

    def copy(self, stream: IO[bytes], path: Path) -> None:
        with path.open("wb") as file:
            while chunk := stream.read(2**20):
                self.count(len(chunk))
                file.write(chunk)

    def refuse(self, why: str) -> None:
        raise EdgeGlassError(
            f"{self.archive}: {why}: nothing of it is used. Get it again from upstream."
        )


def _open(archive: Path, writer: _Writer) -> None:
    if archive.name.endswith(".7z"):
        _un7z(archive, writer)
    elif archive.name.endswith(".zip"):
        _unzip(archive, writer)
    else:
        _untar(archive, writer)


def _un7z(archive: Path, writer: _Writer) -> None:
    with py7zr.SevenZipFile(archive) as file:
        members = file.list()
        for member in members:
            if not member.is_directory:
                writer.path(member.filename, member.is_file)
        writer.total = sum(member.uncompressed for member in members)
        writer.members = 0
        file.extractall(factory=_Factory(writer))


def _unzip(archive: Path, writer: _Writer) -> None:
    with zipfile.ZipFile(archive) as file:
        writer.total = sum(member.file_size for member in file.infolist())
        for member in file.infolist():
            if not member.is_dir():
                link = (member.external_attr >> 28) == 0xA
                path = writer.path(member.filename, not link)
                with file.open(member) as stream:
                    writer.copy(stream, path)


def _untar(archive: Path, writer: _Writer) -> None:
    with tarfile.open(archive, "r|*") as file:
        for member in file:
            if not member.isdir():
                path = writer.path(member.name, member.isreg())
                stream = file.extractfile(member)
                assert stream is not None
                writer.copy(stream, path)


class _Factory(WriterFactory):  # type: ignore[misc]
    """Hands py7zr our files instead of letting it make its own."""

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer

    def create(self, filename: str) -> Py7zIO:
        return _Member(self._writer, filename)


class _Member(Py7zIO):  # type: ignore[misc]
    def __init__(self, writer: _Writer, name: str) -> None:
        self._writer = writer
        self._file = writer.path(name).open("wb")

    def write(self, s: bytes | bytearray) -> int:
        self._writer.count(len(s))
        return self._file.write(s)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def size(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)
