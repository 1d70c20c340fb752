"""The media that belong to one row, and what is to be said of them in the ledger."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_glass.core.row import Row
from edge_glass.sources.parquet_folder import bytes_of
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import Fetched


class Media:
    """The bytes that belong to one row, and what is to be said of them in the ledger."""

    def __init__(self, raw: Raw, row: Row, fetched: Fetched | None = None) -> None:
        self._raw, self._row, self.fetched = raw, row, fetched
        self.name = fetched.name if fetched else row.media[1] if row.media else ""
        self.url = fetched.url if fetched else None
        self._hash = (fetched and fetched.hash) or hashlib.sha256()
        self.size = 0
        self.notes: list[str] = []

    def read(self) -> bytes:
        """The row's media file, whole."""
        assert self._row.media is not None
        data = self.fetched.read() if self.fetched else self._named(self._row.media[1])
        if not (self.fetched and self.fetched.hash):
            self._hash.update(data)
        self.size += len(data)
        return data

    def all(self) -> Iterator[tuple[str, bytes]]:
        """The row's media file and its further files, name and bytes, one in memory at a time."""
        assert self._row.media is not None
        yield self._row.media[1], self.read()
        for name in self._row.extra_members:
            yield name, self.file(name)

    def on_disk(self, name: str) -> Path | None:
        """One of its files as it lies on the disk, None if it does not."""
        return self._raw.on_disk(self._row.media[0], name) if self._row.media else None

    def file(self, name: str) -> bytes:
        """One of the row's further files.

        Args:
            name: of the file.

        Returns:
            Its bytes.

        Raises:
            Dropped: it is not there.
        """
        return self.embedded(self._named(name))

    def embedded(self, data: bytes) -> bytes:
        """Bytes that stand in the row itself, for the ledger to know of them."""
        self._hash.update(data)
        self.size += len(data)
        return data

    def _named(self, name: str) -> bytes:
        """The bytes of a file; its name may be spelled otherwise, which is noted."""
        assert self._row.media is not None
        if not name.isascii() and self._raw.spelled(self._row.media[0], name) != name:
            self.notes.append(f"the name of {name} is spelled otherwise there (NFC, NFD)")
        return self._raw.read(self._row.media[0], name)

    def value(self, column: str) -> Any:
        """A column of a row that stands in a Parquet file.

        Args:
            column: its name.

        Returns:
            Bytes, numbers, or a list of them.
        """
        assert self._row.media is not None
        stored = self._raw.value(self._row.media[0], f"{self._row.row}/{column}")
        for data in bytes_of(stored):
            self.embedded(data)
        return stored

    def said_name(self, name: str) -> str:
        """What a value that stands in a shard or table says its file is called, else `name`."""
        assert self._row.media is not None
        value = self._raw.value(self._row.media[0], name)
        return str(value.get("path") or name) if isinstance(value, dict) else name

    @property
    def sha256(self) -> str | None:
        """Of the bytes that were read, None if there were none."""
        return self._hash.hexdigest() if self.size else None
