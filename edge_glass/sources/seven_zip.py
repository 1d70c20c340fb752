"""What is in a 7z archive, handed to whoever writes it: a library that only such archives need."""

from contextlib import closing, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import py7zr
from py7zr.io import Py7zIO, WriterFactory

if TYPE_CHECKING:
    from edge_glass.sources.archives import Writer


def unpack(archive: Path, writer: "Writer") -> None:
    """Write what a 7z archive holds."""
    factory = _Factory(writer)
    with closing(factory), py7zr.SevenZipFile(archive) as file:
        members = [member for member in file.list() if not member.is_directory]
        for member in members:
            writer.path(member.filename, member.is_file)
        writer.expect(sum(member.uncompressed for member in members))
        # py7zr holds the names against a folder: not against the one that we happen to run in
        file.extractall(writer.folder, factory=factory)


class _Factory(WriterFactory):  # type: ignore[misc]
    """Hands py7zr our files instead of letting it make its own."""

    def __init__(self, writer: "Writer") -> None:
        self._writer = writer
        self._open: set[IO[bytes]] = set()

    def create(self, filename: str) -> Py7zIO:
        name = Path(filename).relative_to(self._writer.folder).as_posix()
        file = self._writer.open(name)
        self._open.add(file)
        return _Member(self._writer, file, self._open)

    def close(self) -> None:
        """Close what py7zr left open when it failed."""
        for file in self._open:
            with suppress(OSError):
                file.close()


class _Member(Py7zIO):  # type: ignore[misc]
    def __init__(self, writer: "Writer", file: IO[bytes], open_files: set[IO[bytes]]) -> None:
        self._writer, self._file, self._open = writer, file, open_files

    def write(self, s: bytes | bytearray) -> int:
        self._writer.count(len(s))
        return self._file.write(s)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self._open.discard(self._file)

    def size(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)
