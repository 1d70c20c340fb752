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
from typing import Any

from edge_glass.core.errors import SourceError, absent
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.corpora.layouts.record import Files
from edge_glass.sources import chunk_text, json_text, table_chunks
from edge_glass.sources.chunk_text import PACKED
from edge_glass.sources.fields import check_text, preview

PARQUET, ARROW, TEXT = ".parquet", ".arrow", ".txt"
DELIMITED, JSON = (".csv", ".tsv"), (".json", ".jsonl", ".ndjson")
ENDINGS = (PARQUET, ARROW, *DELIMITED, *JSON, TEXT)
DELIMITERS = (",", ";", "|", "\t")
SHOWN = 10  # names in a message
UNITS = {"table": "row", "tsv": "line"}  # layouts of tables, and what records are called
Lost = tuple[Outcome, str] | None
Said = tuple[int, dict[str, Any], Lost]
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


def place_of(name: str, layout: str = "table") -> tuple[str, str]:
    """Where names of files in a table begin, and the word for its split, or its first folder."""
    base = name.rpartition("/")[0]
    return base, split_word(name) or ("" if layout == "tsv" else base.partition("/")[0])


def texts(path: Path, name: str, layout: str = "table") -> Iterator[Said]:
    """What each record of JSON, or of lines of text, says, in how many characters; or why none.

    Raises EdgeGlassError if it cannot be read on.
    """
    with readable(path):
        if layout != "tsv" and ending(name) in JSON:
            for length, item in json_text.sized(path):
                if isinstance(item, dict):
                    yield length, item, None
                else:
                    why = f"expected an object, found {preview(item)}"
                    yield length, {}, (Outcome.MALFORMED_ROW, why)
            return
        lines, keys = chunk_text.lines(path), [] if layout == "tsv" else ["url"]
        for line in lines if layout == "tsv" else filter(None, map(str.strip, lines)):
            fields = line.rstrip("\r\n").split("\t") if layout == "tsv" else [line]
            keys = keys or [str(place) for place in range(len(fields))]
            plain = len(fields) == len(keys) and line.isascii() and "\0" not in line
            lost = None if plain else unfit(fields, len(keys))
            said = dict.fromkeys(keys) if lost else dict(zip(keys, fields, strict=True))
            yield len(line), said, lost


@contextmanager
def readable(path: Path, *others: type[Exception]) -> Iterator[None]:
    """What a damaged table ends in, and the others: raises SourceError."""
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


def unfit(fields: list[str], width: int) -> Lost:
    """Why a line of text cannot be a record; None if it can."""
    if len(fields) != width:
        return Outcome.MALFORMED_ROW, f"{len(fields)} fields where the first line has {width}"
    try:
        check_text(*fields)
    except Dropped as drop:
        return drop.outcome, drop.detail
    return None
