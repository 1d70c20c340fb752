"""A record of a source, as plain data; and many at a time, as Arrow batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from edge_glass.core.libraries import pa

# what a batch of rows says of each beside its columns; no column of a corpus has such a name
SOURCE, PLACE, OUTCOME, DETAIL = "row.source", "row.place", "row.outcome", "row.detail"
MEDIA = "row.media"  # of rows with media: their URL, or file
MARKS = (SOURCE, PLACE, OUTCOME, DETAIL)


# dictionaries whose keys corpora, users and upstreams choose
Example: TypeAlias = dict[str, Any]  # a row of a shard, by column
Features: TypeAlias = dict[str, Any]  # of columns, as `datasets` writes them
JsonObject: TypeAlias = dict[str, Any]  # a record of a source, or what a program says
Parameters: TypeAlias = dict[str, Any]  # of a config

Batches: TypeAlias = "Callable[[], Iterator[pa.RecordBatch]]"


@dataclass(slots=True)
class Row:
    """A record of a source, before its media is read; everything in it is plain JSON."""

    id: str
    source: str
    row: str
    media: tuple[str, str] | None = None  # archive or folder, member
    fields: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, str] | None = None  # outcome, detail
    fetch_request: JsonObject | None = None  # what a fetcher is asked for
    extra_members: list[str] = field(default_factory=list)  # files that are read after its media


def source_id(id: str, several: bool) -> str:
    """The id of the source row of an example; if a row is `several`, that of `12#1` is `12`."""
    return (several and id.rpartition("#")[0]) or id


class Part(Protocol):
    """A piece of a source, such as a chunk of a table, that one process reads."""

    def batches(self) -> "Iterator[pa.RecordBatch]":
        """Its rows: `MARKS` (text; the outcome null where nothing is wrong), `id` and columns.

        And as `MEDIA` the URL that a row fetches, or its file, where the config has media.
        """


def rows_of_batch(batch: "pa.RecordBatch", archive: str, *, asked: bool = True) -> Iterator[Row]:
    """The rows of a batch, one at a time; media are of `archive`, and `asked` for by URL or not."""
    for fields in batch.to_pylist():
        source, place, outcome, detail = (fields.pop(mark) for mark in MARKS)
        row = Row(fields.pop("id"), source, place, None, fields)
        name = fields.pop(MEDIA, None)
        row.dropped = (outcome, detail) if outcome else None
        if name is not None and not (outcome and asked):
            row.media, row.fetch_request = (archive, name), {"url": name} if asked else None
        yield row
