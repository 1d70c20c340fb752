"""A source's record, the media that belong to it, and rows that are dropped before any is read."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from edge_glass.fetch.raw import Raw
from edge_glass.fetch.remote import Fetched
from edge_glass.ledger import Outcome


@dataclass(slots=True)
class Row:
    """A record of a source, before its media is read; everything in it is plain JSON."""

    id: str
    source: str
    row: str
    media: tuple[str, str] | None = None  # archive or folder, member
    fields: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, str] | None = None  # outcome, detail
    ask: dict[str, Any] | None = None  # what a fetcher is asked for, if its source has one


class Media:
    """The bytes that belong to one row, and what is to be said of them in the ledger."""

    def __init__(self, raw: Raw, row: Row, fetched: Fetched | None = None) -> None:
        self._raw, self._row, self._fetched = raw, row, fetched
        self.name = fetched.name if fetched else row.media[1] if row.media else ""
        self.url = fetched.url if fetched else None
        self.status = fetched.status if fetched else None
        self._hash = hashlib.sha256()
        self.size = 0
        self.notes: list[str] = []

    def read(self) -> bytes:
        """The row's media file, whole."""
        assert self._row.media is not None
        data = self._fetched.read() if self._fetched else self._raw.read(*self._row.media)
        self._hash.update(data)
        self.size += len(data)
        return data

    @property
    def sha256(self) -> str | None:
        return self._hash.hexdigest() if self.size else None


def malformed(split: str, source: str, line: int) -> Row:
    """The row of a record whose fields do not fit the header."""
    where = f"line {line}"
    detail = "fields and header differ in number"
    return Row(f"{split}/{where}", source, where, dropped=(Outcome.MALFORMED_ROW, detail))


def unclaimed(split: str, archive: str, raw: Raw, claimed: set[str]) -> Iterator[Row]:
    """Rows for the files of an archive or folder that no record names."""
    for name in raw.names(archive):
        if name not in claimed:
            detail = "no record names this file"
            yield Row(f"{split}/{name}", archive, name, dropped=(Outcome.MISSING_CAPTION, detail))
