"""Raw sources on disk, whatever way they came there: text files, and folders of media."""

import ast
import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from edge_glass.errors import EdgeGlassError
from edge_glass.fetch.remote import Remote
from edge_glass.ledger import Dropped, Outcome

MAX_FIELD = 2**20  # characters in one CSV field
MAX_LITERAL = 10_000  # characters of a Python literal, for its parser is not made for strangers


@dataclass(frozen=True)
class Raw:
    """The local paths of a corpus's sources, by the names that the YAML gives them."""

    corpus: str
    paths: dict[str, Path]
    facts: dict[str, dict[str, str | int]] = field(default_factory=dict)  # for the manifest
    remote: dict[str, Remote] = field(default_factory=dict)  # what is fetched row by row
    records: dict[str, int] = field(default_factory=dict)  # how many a text file must have

    def names(self, source: str) -> Iterator[str]:
        """The files in an archive or folder, relative to it with `/`, sorted."""
        root = self.paths[source]
        for folder, folders, files in os.walk(root):
            folders.sort()
            base = Path(folder).relative_to(root)
            for name in sorted(files):
                yield (base / name).as_posix()

    def size(self, source: str, name: str) -> int | None:
        """Bytes of a file in an archive or folder, None if it is not there.

        About as many where it is fetched row by row, whether it is here already or not.
        """
        if source in self.remote:
            return self.remote[source].row_bytes
        try:
            return self._member(source, name).stat().st_size
        except OSError:
            return None

    def read(self, source: str, name: str) -> bytes:
        """The bytes of a file in an archive or folder."""
        try:
            return self._member(source, name).read_bytes()
        except FileNotFoundError:
            raise Dropped(Outcome.MISSING_MEDIA, f"{name} is not in {source}") from None

    def named(self, source: str, stem: str, suffixes: Sequence[str]) -> str:
        """The file of a folder that has this stem, the first of `suffixes` that is there.

        Just the stem if there is none, or if the source is fetched row by row.
        """
        if source not in self.remote:
            for suffix in suffixes:
                if self.size(source, f"{stem}{suffix}") is not None:
                    return f"{stem}{suffix}"
        return stem

    def csv(
        self, source: str, columns: list[str], encoding: str = "utf-8", delimiter: str = ","
    ) -> Iterator[tuple[int, dict[str, str] | None]]:
        """Line number and record of a CSV file with a header; None for a malformed record.

        A byte that is not in `encoding` stays in the text as a lone surrogate, for the row to be
        dropped by (`check_text`). Raises EdgeGlassError if a column is missing, or records are.
        """
        csv.field_size_limit(MAX_FIELD)
        with self.paths[source].open("rb") as file:
            text = io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            header = [name.removeprefix("\ufeff") for name in next(reader, [])]
            if missing := [name for name in columns if name not in header]:
                raise EdgeGlassError(
                    f"{self.corpus}: {self.paths[source]}: no column {', '.join(missing)}; "
                    f"found {', '.join(header) or 'an empty file'}. Is it the file that upstream "
                    f"publishes as {source}?"
                )
            count = 0
            for record in self._records(reader, header, source):
                count += 1
                yield record
            self._check_count(source, count)

    def _records(
        self, reader: Any, header: list[str], source: str
    ) -> Iterator[tuple[int, dict[str, str] | None]]:
        try:
            for fields in reader:
                whole = len(fields) == len(header)
                yield reader.line_num, dict(zip(header, fields, strict=True)) if whole else None
        except csv.Error as error:
            raise EdgeGlassError(
                f"{self.corpus}: {self.paths[source]}, line {reader.line_num}: {error}. "
                "Get the file again from upstream."
            ) from None

    def _check_count(self, source: str, count: int) -> None:
        wanted = self.records.get(source, count)
        if count != wanted:
            raise EdgeGlassError(
                f"{self.corpus}: {self.paths[source]}: {count} records, upstream publishes "
                f"{wanted}. Get the file again, or pass --unverified if you changed it on purpose."
            )

    def _member(self, source: str, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or name.startswith("/") or "\0" in name:
            raise Dropped(Outcome.MALFORMED_ROW, f"{name!r} is no file name inside {source}")
        return self.paths[source].joinpath(*parts)


def check_text(*texts: str) -> None:
    """Raise Dropped if a text holds bytes that its encoding could not explain."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            found = text[error.start].encode(errors="surrogateescape")
            raise Dropped(Outcome.BAD_ENCODING, f"byte {found!r} in {text[:40]!a}") from None


def strings(text: str) -> list[str]:
    """A list of strings that is written as Python would write it. Raises Dropped if it is none."""
    try:
        found = ast.literal_eval(text) if len(text) <= MAX_LITERAL else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Dropped(Outcome.MALFORMED_ROW, f"no list of strings: {text[:60]!a}")
    return found
