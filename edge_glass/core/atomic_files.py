"""Files that are either whole or absent, whatever kills the process that writes them."""

import errno
import hashlib
import io
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from glob import escape
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile, rmtree
from typing import IO, Any

from edge_glass.core.errors import SpaceError

FULL = (errno.ENOSPC, errno.EDQUOT)


def write_json(path: Path, value: Any) -> None:
    """Write JSON to `path`, whole or not at all."""
    with AtomicFile(path) as file:
        file.write(json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """The bytes of a JSON file of ours."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


class AtomicFile:
    """A file for writing that appears under its name, fsynced, if the `with` block ends well.

    Counts and hashes what is written. What a killed process of this machine left of such a file is
    removed by the next that writes into the folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_name(f"{path.name}.{platform.node()}.{os.getpid()}.tmp")
        self._hash = hashlib.sha256()
        self.size = 0
        self.closed = False
        self._failure: BaseException | None = None

    def __enter__(self) -> "AtomicFile":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(self._path.parent)
        self._file = _locked(self._aside)
        return self

    def write(self, data: Any) -> int:
        """Append bytes; returns how many."""
        view = memoryview(data)
        self._hash.update(view)
        self.size += view.nbytes
        while view.nbytes:
            view = view[self._file.write(view) :]
        return len(data)

    def write_later_failing(self, data: Any) -> int:
        """As `write`; what fails is raised by `check`, and nothing more is written."""
        if self._failure is None:
            try:
                self.write(data)
            except BaseException as error:  # Ctrl-C is no other
                self._failure = error
        return len(data)

    def check(self) -> None:
        """Raise what failed in the meantime."""
        if self._failure is not None:
            raise self._failure

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def flush(self) -> None:
        """Hand what is written to the system."""
        self._file.flush()

    def close(self) -> None:
        """For pyarrow; the file stays open until the block ends."""

    @property
    def sha256(self) -> str:
        """Of what is written so far."""
        return self._hash.hexdigest()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.check()
                os.fsync(self._file.fileno())
                self._aside.replace(self._path)
                sync_folder(self._path.parent)
        finally:
            self._file.close()
            self._aside.unlink(missing_ok=True)


class ArrowSink:
    """What pyarrow writes through where it chunks by content: it aborts if a write fails there."""

    closed = False

    def __init__(self, file: AtomicFile) -> None:
        self.write, self.tell = file.write_later_failing, file.tell
        self.flush, self.close = file.flush, file.close


def _locked(path: Path) -> io.FileIO:
    """Open a file for writing that nobody takes for a leftover: it is locked while it is open."""
    while True:
        file = path.open("wb", buffering=0)
        with suppress(OSError):  # where files cannot be locked none is taken for a leftover
            _lock(file, wait=True)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # it was swept before it was locked


def _lock(file: IO[bytes], wait: bool) -> None:
    """Lock an open file. Raises OSError where another process has it, or nobody can."""
    if find_spec("fcntl") is None:  # Windows
        raise OSError(errno.ENOTSUP, "files cannot be locked here")
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@lru_cache(maxsize=1000)
def _sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left in a folder; once a process is enough."""
    for path in folder.glob(f"*.{escape(platform.node())}.*.tmp"):
        if not path.suffixes[-2].removeprefix(".").isdecimal():
            continue  # somebody else's
        with suppress(OSError), path.open("r+b") as file:  # NFS locks what is open for writing
            _lock(file, wait=False)
            rmtree(_beside(path), ignore_errors=True)
            path.unlink()


@contextmanager
def scratch(folder: Path, name: str) -> Iterator[Path]:
    """A folder in `folder` to work in; if this process is killed the next one there removes it."""
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    lock = folder / f"{name}.{platform.node()}.{os.getpid()}.tmp"
    with _locked(lock):
        _beside(lock).mkdir(exist_ok=True)  # left where files cannot be locked, by the same pid
        try:
            yield _beside(lock)
        finally:
            rmtree(_beside(lock), ignore_errors=True)
            lock.unlink(missing_ok=True)


def _beside(lock: Path) -> Path:
    """The folder that a lock is for."""
    return lock.with_suffix(".work")


@contextmanager
def disk_full(place: Path, remedy: str) -> Iterator[None]:
    """Say where the disk is full and what to do, in place of the OSError. Raises SpaceError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        elsewhere = error.filename and not Path(error.filename).is_relative_to(place)
        where = error.filename if elsewhere else place
        raise SpaceError(f"{where}: the disk is full. {remedy}") from error


def link(source: Path, target: Path) -> None:
    """A file under a second name; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        copyfile(source, target)


def sync_folder(folder: Path) -> None:
    """Put renames inside a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
