"""Tables record by record, whatever they are: those that are no JSON come out of batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.sources import chunk_text

if TYPE_CHECKING:
    from edge_glass.corpora.layouts.table_batches import Batch


def scan(path: Path, name: str, layout: str = "table") -> "Iterator[Record | Batch]":
    """The records of one table, in batches if it is no JSON; `name`: what its source calls it.

    Raises EdgeGlassError if it cannot be read on.
    """
    if not tables.in_batches(name):
        return tables.items(path, name)
    # with pyarrow, not wanted to tell of a corpus
    from edge_glass.corpora.layouts import table_batches

    return table_batches.READERS[layout](path, name)


def read(path: Path, name: str, layout: str = "table") -> Iterator[Record]:
    """The records of one table, one at a time; see `scan`."""
    if layout == "tsv":
        yield from lines(path, name)
        return
    for each in scan(path, name, layout):
        yield from (each,) if isinstance(each, Record) else each.records()


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
