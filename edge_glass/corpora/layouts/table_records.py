"""Tables record by record: read as they are, or out of batches where that takes pyarrow."""

from collections.abc import Iterator
from pathlib import Path

from edge_glass.core.ledger import Outcome
from edge_glass.core.libraries import pa
from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.record import Files, Record


def read(path: Path, name: str, layout: str = "table") -> Iterator[Record]:
    """The records of one table; `name`: what its source calls it.

    Raises EdgeGlassError if it cannot be read on.
    """
    if layout == "tsv" or tables.ending(name) in (*tables.JSON, tables.TEXT):
        base, folder = tables.place_of(name, layout)
        unit, start = f"{name} {tables.UNITS[layout]}", 1
        for block, lost in tables.texts(path, name, layout):
            for at, said in enumerate(block):
                yield Record(f"{unit} {start + at}", said, folder, base, lost.get(at))
            start += len(block)
        return
    # with pyarrow, not wanted to tell of a corpus
    if tables.ending(name) in tables.DELIMITED:
        from edge_glass.sources import chunk_rows

        (base, folder), (names, places) = tables.place_of(name), tables.delimited(path)
        with tables.readable(path, pa.ArrowException):
            for row, texts, why in chunk_rows.records(path, places):
                said = dict(zip(names, texts, strict=True))
                dropped = why and (Outcome(why[0]), why[1])
                yield Record(f"{name} row {row + 1}", said, folder, base, dropped)
        return
    from edge_glass.corpora.layouts import table_batches

    for batch in table_batches.batches(path, name):
        yield from batch.records()


def of_file(files: Files, name: str, layout: str = "table") -> Iterator[Record]:
    """The records of one table of a source."""
    with files.local(name) as path:
        yield from read(path, name, layout)


def records(files: Files, layout: str = "table") -> Iterator[Record]:
    """The records of all tables of a source."""
    for name in tables.names(files):
        yield from of_file(files, name, layout)
