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
from pathlib import Path
from typing import Any

from typing_extensions import override

from edge_glass.core.errors import SourceError, absent
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import JsonObject
from edge_glass.corpora.layouts.record import Files
from edge_glass.sources import chunk_text, json_text
from edge_glass.sources.chunk_text import PACKED, TAB
from edge_glass.sources.fields import check_text, is_text, preview
from edge_glass.sources.table_layout import Layout, Type

PARQUET, ARROW, TEXT = ".parquet", ".arrow", ".txt"
DELIMITED, JSON = (".csv", ".tsv"), (".json", ".jsonl", ".ndjson")
ENDINGS = (PARQUET, ARROW, *DELIMITED, *JSON, TEXT)
DELIMITERS = (",", ";", "|", "\t")
SHOWN, LONGEST = 10, 512  # names in a message, letters in the name of a column
UNITS = {"table": "row", "tsv": "line"}  # layouts of tables, and what records are called
Lost = tuple[Outcome, str] | None
Broken = dict[int, tuple[Outcome, str]]  # which are no records, by their place, and why
Said = tuple[list[JsonObject], Broken]
NO_TABLES = ("readme.txt", "license.txt", "licence.txt", "dataset_info.json", "state.json")
WORDS = {  # what splits are called in names of files and folders, as `datasets` reads them
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
ANY_WORD = "|".join(sum(WORDS.values(), ()))
SPLIT = re.compile(rf"(?<![a-z])({ANY_WORD})(?![a-z])")
OF_FOLDER = re.compile(rf"(?:^|/)({ANY_WORD})(?:\.(?:tar|tgz)(?:\.gz)?)?(?:/|\Z)")  # or of a tar


def ending(name: str) -> str:
    """The suffix of a table, without that of its packing; empty if it is none."""
    name = name.lower().rpartition("/")[2]
    stem, dot, suffix = name.removesuffix(next(filter(name.endswith, PACKED), "")).rpartition(".")
    return dot + suffix if stem and dot + suffix in ENDINGS else ""


def split_word(name: str) -> str:
    """The word for a split in a file's folders or, of a table, in its own name; else empty."""
    folder, _, file = name.lower().rpartition("/")
    word = OF_FOLDER.search(folder) or (SPLIT.search(file) if ending(file) else None)
    return word[1] if word else ""


def place_of(name: str, layout: str = "table") -> tuple[str, str]:
    """Where names of files in a table begin, and the word for its split, or its first folder."""
    base = name.rpartition("/")[0]
    return base, split_word(name) or ("" if layout == "tsv" else base.partition("/")[0])


def texts(path: Path, name: str, layout: str = "table") -> Iterator[Said]:
    """What records of JSON, or of lines of text, say, and why some are none; many at a time.

    Raises EdgeGlassError if it cannot be read on.
    """
    with readable(path):
        if is_json(name, layout):
            yield from map(objects, json_text.blocks(path))
            return
        keys: list[str] = []
        for text in chunk_text.whole_lines(path):
            keys, rows, lost = lines(text, layout, keys)
            yield [dict(zip(keys, fields, strict=True)) for fields in rows], lost


def is_json(name: str, layout: str) -> bool:
    """Whether a table is read as JSON."""
    return layout != "tsv" and ending(name) in JSON


def objects(items: list[Any]) -> Said:
    """Values of JSON as records; what is no object is none."""
    wrong = [at for at, item in enumerate(items) if not isinstance(item, dict)]
    kinds = ((at, f"expected an object, found {preview(items[at])}") for at in wrong)
    lost = {at: (Outcome.MALFORMED_ROW, why) for at, why in kinds}
    return [{} if at in lost else item for at, item in enumerate(items)] if lost else items, lost


def lines(text: str, layout: str, keys: list[str]) -> tuple[list[str], list[list[Any]], Broken]:
    """The keys of fields (these, if there are any), and the fields of lines, null in no records."""
    every = text.removesuffix("\n").split("\n")
    if layout == "tsv":
        rows: list[list[Any]] = [line.rstrip("\r").split(TAB) for line in every]
        keys = keys or [*map(str, range(len(rows[0])))]
    else:
        rows, keys = [[line] for line in map(str.strip, every) if line], ["url"]
    if {*map(len, rows)} <= {len(keys)} and is_text(text):
        return keys, rows, {}
    whys = ((at, unfit(fields, len(keys))) for at, fields in enumerate(rows))
    lost = {at: why for at, why in whys if why}
    none = [None] * len(keys)
    return keys, [none if at in lost else fields for at, fields in enumerate(rows)], lost


class _ByPlace(Layout):
    """A table whose columns have numbers here, for they may be called as marks of rows are."""

    @override
    def named(self, there: list[str]) -> dict[str, str]:
        return dict(zip(self.columns, there, strict=False))


def delimited(path: Path) -> tuple[list[str], Layout]:
    """How a CSV or TSV is read, whatever its delimiter.

    Args:
        path: of the table.

    Returns:
        The names of its columns, and their layout by places.

    Raises:
        SourceError: two columns have one name, or the first line is none of names.
    """
    headers = {each: chunk_text.opened(path, each)[0] for each in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda each: len(headers[each]))
    names = chunk_text.labelled([name.strip() for name in headers[delimiter]])
    if longest := next((each for each in names if len(each) > LONGEST), None):
        raise SourceError(
            f"{path}: its first line has values ({len(longest):,} letters), not names of columns: "
            "add such a line, or read text between tabs by --layout tsv"
        )
    if repeated := {each for each in names if names.count(each) > 1}:
        raise SourceError(f"{path}: two columns are called {min(repeated)!r}: rename one")
    columns: dict[str, Type] = {str(place): "VARCHAR" for place in range(len(names))}
    return names, _ByPlace("", columns, (), delimiter)


@contextmanager
def readable(path: Path, *others: type[Exception]) -> Iterator[None]:
    """What a damaged table ends in, and the others: raises SourceError."""
    kinds: tuple[type[Exception], ...] = (csv.Error, OSError, EOFError, zlib.error, *others)
    try:
        yield
    except kinds as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the file
            raise
        raise SourceError(f"{path}: damaged ({error}). {chunk_text.REMEDY}") from None


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
