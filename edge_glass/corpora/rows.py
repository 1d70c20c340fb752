"""A source's record, the media that belong to it, and rows that are dropped before any is read."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.sources.fields import Malformed
from edge_glass.sources.raw import Raw, spelled
from edge_glass.sources.row_fetch import Fetched


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
    also: list[str] = field(default_factory=list)  # further files that are read with its media


class Media:
    """The bytes that belong to one row, and what is to be said of them in the ledger."""

    def __init__(self, raw: Raw, row: Row, fetched: Fetched | None = None) -> None:
        self._raw, self._row, self._fetched = raw, row, fetched
        self.name = fetched.name if fetched else row.media[1] if row.media else ""
        self.url = fetched.url if fetched else None
        self.status = fetched.status if fetched else None
        self.final_url = fetched.final_url if fetched else None
        self.etag = fetched.etag if fetched else None
        self.last_modified = fetched.last_modified if fetched else None
        self._hash = (fetched and fetched.hash) or hashlib.sha256()
        self.size = 0
        self.notes: list[str] = []

    def read(self) -> bytes:
        """The row's media file, whole."""
        assert self._row.media is not None
        data = self._fetched.read() if self._fetched else self._named(self._row.media[1])
        if not (self._fetched and self._fetched.hash):
            self._hash.update(data)
        self.size += len(data)
        return data

    def all(self) -> Iterator[tuple[str, bytes]]:
        """The row's media file and its further files, name and bytes, one in memory at a time."""
        assert self._row.media is not None
        yield self._row.media[1], self.read()
        for name in self._row.also:
            data = self._named(name)
            self._hash.update(data)
            self.size += len(data)
            yield name, data

    def _named(self, name: str) -> bytes:
        """The bytes of a file; its name may be spelled otherwise, which is noted."""
        assert self._row.media is not None
        if not name.isascii() and self._raw.spelled(self._row.media[0], name) != name:
            self.notes.append(f"the name of {name} is spelled otherwise there (NFC, NFD)")
        return self._raw.read(self._row.media[0], name)

    def value(self, column: str) -> Any:
        """A column of a row that stands in a Parquet file: bytes, numbers, or a list of them."""
        assert self._row.media is not None
        found = self._raw.value(self._row.media[0], f"{self._row.row}/{column}")
        for data in _bytes_of(found):
            self._hash.update(data)
            self.size += len(data)
        return found

    @property
    def sha256(self) -> str | None:
        return self._hash.hexdigest() if self.size else None


def _bytes_of(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        yield from _bytes_of(value.get("bytes"))
    elif isinstance(value, list) and value and isinstance(value[0], bytes | dict | list):
        for item in value:
            yield from _bytes_of(item)
    elif isinstance(value, list):
        yield np.asarray(value).tobytes()


def section_of(name: str) -> dict[str, Any] | None:
    """What an id of the kind `<video id>_<start>_<end>` says (times in seconds); None for others.

    A video id may hold `_` itself.
    """
    try:
        video_id, *times = name.rsplit("_", 2)
        start, end = map(float, times)
    except ValueError:
        return None
    whole = bool(video_id) and 0 <= start < end < math.inf
    return {"video_id": video_id, "start": start, "end": end} if whole else None


def parsed(
    split: str,
    source: str,
    where: int | str,
    record: dict[str, Any],
    make: Callable[[dict[str, Any]], Row],
) -> Row:
    """The row that `make` makes of a record; a dropped one if the record is `Malformed`, or `make`
    raises Dropped. `where`: the number of its line, or what else names it in its source, which the
    row has as its `row` if it has none."""
    where = f"line {where}" if isinstance(where, int) else where
    try:
        if isinstance(record, Malformed):
            raise Dropped(Outcome.MALFORMED_ROW, record.reason)
        row = make(record)
        row.row = row.row or where
        return row
    except Dropped as drop:
        id = f"{split}/{where}" if split else where
        return Row(id, source, where, dropped=(drop.outcome, drop.detail))


def matched(rows: Iterable[Row], archive: str, names: Iterable[str]) -> Iterator[Row]:
    """The rows of a few media files (a folder's), in the order of these files, `names`.

    A file that no row has as its media is a row of its own, dropped; rows without a file come last.
    """
    waiting: dict[str | None, list[Row]] = {}
    files = list(names)
    there = set(files)
    for row in rows:
        file = row.media and spelled(row.media[1], there.__contains__)
        waiting.setdefault(file, []).append(row)
    detail = (Outcome.MISSING_CAPTION, "no record names this file")
    for name in files:
        if name in waiting:
            yield from waiting.pop(name)
        else:
            yield Row(PurePosixPath(name).stem, archive, name, dropped=detail)
    for left in waiting.values():
        yield from left


def unclaimed(split: str, archive: str, raw: Raw, claimed: set[str]) -> Iterator[Row]:
    """Rows for the files of an archive or folder that no record names, in any spelling."""
    claimed = claimed.copy()
    for name in [name for name in claimed if not name.isascii()]:
        with suppress(Dropped):  # a name that would leave the folder is dropped with its own row
            claimed.add(raw.spelled(archive, name))
    for name in raw.names(archive):
        if name not in claimed:
            detail = "no record names this file"
            yield Row(f"{split}/{name}", archive, name, dropped=(Outcome.MISSING_CAPTION, detail))


def unlisted(
    raw: Raw, archive: str, folder: str, suffixes: tuple[str, ...], listed: set[str]
) -> Iterator[Row]:
    """Rows, left out, for the stems of files in a folder of an archive that no list of it names."""
    names = map(PurePosixPath, raw.names(archive))
    stems = {n.stem for n in names if n.parent.name == folder and n.suffix in suffixes}
    for stem in sorted(stems - listed):
        dropped = (Outcome.NOT_IN_CONFIG, "no split lists it")
        yield Row(stem, archive, f"{folder}/{stem}", dropped=dropped)
