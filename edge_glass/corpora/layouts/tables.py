"""Tables: which there are, and their records one by one; see `table_batches` for many at a time.

Values are text in CSV, what JSON says in JSON. Of a Parquet column that holds files the value is
the name under which its bytes are read (see `parquet_folder`).
"""

import csv
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path, PurePosixPath

from edge_glass.core.errors import SourceError, absent
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.sources import chunk_text, json_text, table_chunks
from edge_glass.sources.chunk_text import PACKED
from edge_glass.sources.fields import check_text, preview

PARQUET, ARROW, LINES, DELIMITED = ".parquet", ".arrow", (".jsonl", ".ndjson"), (".csv", ".tsv")
JSON = (".json", *LINES)
TEXT = ".txt"
ENDINGS = (PARQUET, ARROW, *DELIMITED, *JSON, TEXT)
DELIMITERS = (",", ";", "|", "\t")
SHOWN = 10  # names in a message
BATCHED = ("table", "tsv")  # layouts
NO_TABLES = ("readme.txt", "license.txt", "licence.txt", "dataset_info.json", "state.json")
WORDS = {  # what splits are called in names of files and folders, as `datasets` reads them
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SPLIT = re.compile(rf"(?<![a-z])({'|'.join(sum(WORDS.values(), ()))})(?![a-z])")


def ending(name: str) -> str:
    """The suffix of a table, without that of its packing; empty if it is none."""
    name = name.lower()
    suffix = PurePosixPath(name.removesuffix(next(filter(name.endswith, PACKED), ""))).suffix
    return suffix if suffix in ENDINGS else ""


def split_word(name: str) -> str:
    """The word for a split in a file's folders or, of a table, in its own name; else empty."""
    *folders, stem = PurePosixPath(name.lower()).parts
    word = next((f for f in folders if SPLIT.fullmatch(f)), None)
    named = SPLIT.search(stem) if ending(name) else None
    return word or (named[1] if named else "")


def place_of(name: str) -> tuple[str, str]:
    """Where names of files in a table begin, and the word for its split, or its first folder."""
    base = name.rpartition("/")[0]
    return base, split_word(name) or base.partition("/")[0]


def objects(path: Path, name: str) -> Iterator[tuple[int, Record]]:
    """The records of a table of JSON, each with how many characters it is written in.

    Raises EdgeGlassError if it cannot be read on.
    """
    base, folder = place_of(name)
    with readable(path):
        for number, (length, item) in enumerate(json_text.sized(path), 1):
            record = Record(f"{name} row {number}", item, folder, base)
            if not isinstance(item, dict):
                why = f"expected an object, found {preview(item)}"
                record.values, record.dropped = {}, (Outcome.MALFORMED_ROW, why)
            yield length, record


def read(path: Path, name: str, layout: str = "table") -> Iterator[Record]:
    """The records of one table; `name`: what its source calls it.

    Raises EdgeGlassError if it cannot be read on.
    """
    if layout == "tsv":
        yield from lines(path, name)
    elif ending(name) in JSON:
        yield from (record for _, record in objects(path, name))
    else:
        # with pyarrow, not wanted to tell of a corpus
        from edge_glass.corpora.layouts import table_batches

        for batch in table_batches.batches(path, name):
            yield from batch.records()


def lines(path: Path, name: str) -> Iterator[Record]:
    """The records of `table_batches.without_header`, read without pyarrow."""
    folder, base = split_word(name), name.rpartition("/")[0]
    keys: list[str] = []
    with readable(path):
        for number, line in enumerate(chunk_text.lines(path), 1):
            fields = line.rstrip("\r\n").split("\t")
            keys = keys or [str(place) for place in range(len(fields))]
            lost = unfit(fields, len(keys))
            said = dict.fromkeys(keys) if lost else dict(zip(keys, fields, strict=True))
            yield Record(f"{name} line {number}", said, folder, base, lost)


def of_file(files: Files, name: str, layout: str = "table") -> Iterator[Record]:
    """The records of one table of a source."""
    with files.local(name) as path:
        yield from read(path, name, layout)


def records(files: Files, layout: str = "table") -> Iterator[Record]:
    """The records of all tables of a source."""
    for name in names(files):
        yield from of_file(files, name, layout)


@contextmanager
def readable(path: Path, *others: type[Exception]) -> Iterator[None]:
    """What a damaged table ends in, and the others, as a SourceError."""
    kinds: tuple[type[Exception], ...] = (csv.Error, OSError, EOFError, zlib.error, *others)
    try:
        yield
    except kinds as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the file
            raise
        raise SourceError(f"{path}: damaged ({error}). {table_chunks.REMEDY}") from None


def of_sources(every: list[Files]) -> list[Files]:
    """These sources. Raises SourceError if no table of any is called as the patterns say."""
    patterns = {pattern: None for files in every for pattern in files.tables}
    if patterns and not any(name for files in every for name in names(files)):
        there = (name for files in every for name in names(replace(files, tables=())))
        said = absent("table", ", ".join(patterns), [*islice(there, SHOWN)] or ["none"])
        raise SourceError(f"{every[0].raw.corpus}: {said}")
    return every


def names(files: Files) -> Iterator[str]:
    """The tables of a source that are read, in the order of their names."""
    for name in files.names():
        wanted = not files.tables or any(fnmatch(name, pattern) for pattern in files.tables)
        if ending(name) and wanted and name.rpartition("/")[2].lower() not in NO_TABLES:
            yield name


def unfit(fields: list[str], width: int) -> tuple[Outcome, str] | None:
    """Why a line of text cannot be a record; None if it can."""
    if len(fields) != width:
        return Outcome.MALFORMED_ROW, f"{len(fields)} fields where the first line has {width}"
    try:
        check_text(*fields)
    except Dropped as drop:
        return drop.outcome, drop.detail
    return None
