"""A build once more: fetched are only rows that may fare better, or have changed meanwhile."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Any

from edge_glass.core import finished, ledger, parquet
from edge_glass.core.ledger import HEALS, Entry, Outcome
from edge_glass.core.manifest import File
from edge_glass.core.row import Row

Examples = list[dict[str, Any]]
OK, UNCHANGED = 200, 304  # of HTTP


@dataclass(frozen=True)
class Before:
    """The shard and the part of the ledger that an earlier build made of the same rows."""

    folder: Path
    shard: File
    start: int  # of its rows in the ledger
    rows: int
    refresh: bool = False  # ask for all that was fetched, not for what failed alone


class Replay:
    """Takes rows that need not be fetched out of an earlier build, all others as they come.

    Raises EdgeGlassError if the shard is not what was recorded of it.
    """

    def __init__(self, before: Before) -> None:
        finished.check(before.folder, [before.shard])
        self._refresh = before.refresh
        self._entries = entries(before.folder, before.start, before.rows)
        self._examples = parquet.rows(before.folder / before.shard.file)
        self._next = next(self._examples, None)
        self._known: deque[Entry] = deque()

    def marked(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows; those whose outcome stands are not to be fetched, others if they changed."""
        for row, entry in zip(rows, self._entries, strict=True):
            self._known.append(entry)
            if not self._again(entry):
                row.media = None
            elif row.fetch_request and entry.status == OK:
                row.fetch_request |= {"etag": entry.etag, "modified": entry.last_modified}
            yield row

    def take(self, row: Row, status: int | None) -> tuple[Entry, Examples] | None:
        """The entry and examples of the next row that `marked` gave; None if there are new ones.

        `status` is what the server said now, if it was asked.
        """
        entry, examples = self._known.popleft(), list[dict[str, Any]]()
        most = inf if entry.text_digests is None else len(entry.text_digests)
        while (
            entry.outcome == Outcome.KEPT
            and len(examples) < most
            and self._next
            and of(self._next["id"], row.id)
        ):
            examples.append(self._next)
            self._next = next(self._examples, None)
        if self._again(entry) and status != UNCHANGED:
            return None
        return entry, examples

    def _again(self, entry: Entry) -> bool:
        return entry.outcome in HEALS or (self._refresh and entry.url is not None)


def of(id: str, row: str) -> bool:
    """Whether an example with this id was made of this row."""
    return id == row or id.startswith(f"{row}#")


def entries(folder: Path, start: int, rows: int) -> Iterator[Entry]:
    """So many rows of the ledger of a build, one row group in memory."""
    with parquet.opened(folder / ledger.FILE) as file:
        there = file.schema_arrow.names  # earlier releases wrote fewer columns
        names = [field.name for field in fields(Entry) if field.name in there]
        for _, _, record in file.rows_at(range(start, start + rows), names):
            yield Entry(**record | {"outcome": Outcome(record["outcome"])})
