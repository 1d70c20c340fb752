"""Bodies that wait for their turn to be written: in memory up to a limit, beyond it on disk."""

import os
import tempfile
from pathlib import Path

IN_MEMORY = 32_000_000  # bytes


class Body:
    """The bytes of one answer. Memory and disk are given back when nobody holds it any more."""

    def __init__(self, bodies: "Bodies", data: bytes | None, offset: int, size: int) -> None:
        self._bodies, self._data, self._offset, self.size = bodies, data, offset, size

    def read_bytes(self) -> bytes:
        """All of it."""
        return self._bodies.load(self._offset, self.size) if self._data is None else self._data

    def __del__(self) -> None:
        self._bodies.forget(self.size, in_memory=self._data is not None)


class Bodies:
    """A store of bodies for one process. Its file has no name, so that a kill leaves nothing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - until close
        self._room, self._on_disk, self._end = IN_MEMORY, 0, 0

    def keep(self, data: bytes) -> Body:
        """Keep a body until it is forgotten."""
        if len(data) <= self._room:
            self._room -= len(data)
            return Body(self, data, 0, len(data))
        offset, self._end = self._end, self._end + len(data)
        self._on_disk += 1
        left, at = memoryview(data), offset
        while left:
            written = os.pwrite(self._file.fileno(), left, at)
            left, at = left[written:], at + written
        return Body(self, None, offset, len(data))

    def load(self, offset: int, size: int) -> bytes:
        """A body that lies on disk."""
        return os.pread(self._file.fileno(), size, offset)

    def forget(self, size: int, *, in_memory: bool) -> None:
        """Nobody holds a body any more."""
        if in_memory:
            self._room += size
            return
        self._on_disk -= 1
        if self._on_disk == 0 and not self._file.closed:
            self._file.truncate(0)
            self._end = 0

    def close(self) -> None:
        """Forget all bodies."""
        self._file.close()
