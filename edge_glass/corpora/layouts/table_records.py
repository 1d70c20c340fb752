"""Tables record by record: out of batches, but for what is read without pyarrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.sources import chunk_text

if TYPE_CHECKING:
    from edge_glass.corpora.layouts.table_batches import Batch


def scan(path: Path, name: str, layout: str = "table") -> "Iterator[Batch]":
    """The records of one table, in batches; `name`: what its source calls it.

    Raises EdgeGlassError if it cannot be read on.
    """
    # with pyarrow, not wanted to tell of a corpus
    from edge_glass.corpora.layouts import table_batches

    return table_batches.READERS[layout](path, name)


def read(path: Path, name: str, layout: str = "table") -> Iterator[Record]:
    """The records of one table, one at a time; see `scan`."""
    if layout == "tsv":
        yield from lines(path, name)
    elif tables.ending(name) in tables.JSON:
        yield from (record for _, record in tables.objects(path, name))
    else:
        for batch in scan(path, name, layout):
            yield from batch.records()


def lines(path: Path, name: str) -> Iterator[Record]:
    """The records of `table_batches.without_header`, read without pyarrow."""
    folder, base = tables.split_word(name), name.rpartition("/")[0]
    keys: list[str] = []
    with tables.readable(path):
        for number, line in enumerate(chunk_text.lines(path), 1):
            fields = line.rstrip("\r\n").split("\t")
            keys = keys or [str(place) for place in range(len(fields))]
            lost = tables.unfit(fields, len(keys))
            said = dict.fromkeys(keys) if lost else dict(zip(keys, fields, strict=True))
            yield Record(f"{name} line {number}", said, folder, base, lost)


def records(files: Files, layout: str = "table") -> Iterator[Record]:
    """The records of all tables of a source."""
    for name in tables.names(files):
        with files.local(name) as path:
            yield from read(path, name, layout)
