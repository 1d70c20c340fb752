"""Tables record by record, whatever they are: those that are no JSON come out of batches."""

from collections.abc import Iterator
from pathlib import Path

from edge_glass.core.ledger import Outcome
from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.record import Files, Record


def read(path: Path, name: str) -> Iterator[Record]:
    """The records of one table, which is called `name` in its source.

    Raises EdgeGlassError if it cannot be read on.
    """
    if not tables.in_batches(name):
        yield from tables.items(path, name)
        return
    from edge_glass.corpora.layouts import (
        table_batches,  # with pyarrow, not wanted to tell of a corpus
    )

    for batch in table_batches.batches(path, name):
        yield from batch.records()


def records(files: Files) -> Iterator[Record]:
    """The records of all tables of a source."""
    for name in tables.names(files):
        with files.local(name) as path:
            yield from read(path, name)


def lines(files: Files) -> Iterator[Record]:
    """The lines of TSV files whose columns have no names: their keys are their numbers, from 0."""
    for name in tables.names(files):
        folder, base = tables.split_word(name), name.rpartition("/")[0]
        with files.local(name) as path:
            width = 0
            for number, fields in enumerate(tables.fields_of_lines(path), 1):
                width = width or len(fields)
                detail = f"{len(fields)} fields where the first line has {width}"
                why = None if len(fields) == width else (Outcome.MALFORMED_ROW, detail)
                said = {str(place): field for place, field in enumerate(fields)}
                yield Record(f"{name} line {number}", said, folder, base, why)
