"""Raw sources on disk, whatever way they came there: text files, and folders of media."""

import csv
import io
import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.spec import SourceFacts
from edge_glass.sources import json_text, line_pieces
from edge_glass.sources.chunk_text import Text, opened
from edge_glass.sources.contents import Place
from edge_glass.sources.fields import Fields, Malformed
from edge_glass.sources.line_pieces import WHOLE, Span
from edge_glass.sources.parquet_folder import SUFFIX, Tables
from edge_glass.sources.row_fetch import Remote
from edge_glass.sources.table_layout import named, renamed

MAX_FIELD = 2**24  # characters in one CSV field
Lines = Iterator[tuple[int, Any]]  # with numbers or positions
MAX_BYTES = 2**30  # of one media file: all of it is in memory at once


@dataclass(frozen=True)
class Folder(Place):
    """A folder on disk; names are relative to it, with `/`."""

    root: Path

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder that holds files with their names, sorted; the folder itself is ``""``."""
        for folder, folders, files in os.walk(self.root):
            folders.sort()
            base = Path(folder).relative_to(self.root)
            if files:
                names = [(base / name).as_posix() for name in sorted(files)]
                yield "" if base == Path() else base.as_posix(), names

    def size(self, name: str) -> int | None:
        """Bytes of a file, or of a value in a Parquet file; None if it is not there."""
        if f"{SUFFIX}/" in name:
            return Tables(self.root).size(name)
        try:
            stat = self.root.joinpath(name).stat()
        except OSError:
            return None
        return stat.st_size if S_ISREG(stat.st_mode) else None

    def read(self, name: str) -> bytes:
        """The bytes of such. Raises FileNotFoundError if it is not there."""
        if f"{SUFFIX}/" in name:
            return Tables(self.root).read(name)
        return self.root.joinpath(name).read_bytes()

    def beside(self) -> "Folder":
        """The folder around this one."""
        return Folder(self.root.parent)


@dataclass(frozen=True)
class Raw:
    """The local paths of a corpus's sources, by the names that the YAML gives them."""

    corpus: str
    paths: dict[str, Path]
    facts: dict[str, SourceFacts] = field(default_factory=dict)  # for the manifest
    places: dict[str, Place] = field(default_factory=dict)  # of sources that are no plain folder
    remote: dict[str, Remote] = field(default_factory=dict)  # what is fetched row by row
    expected: dict[str, int] = field(default_factory=dict)  # how many a text file must have
    # of tables that were read: columns that have another name there (our name -> theirs)
    renamed: dict[str, dict[str, str]] = field(default_factory=dict)

    def names(self, source: str) -> Iterator[str]:
        """The files in an archive or folder, relative to it with `/`, sorted folder by folder.

        There are none of what is fetched row by row.
        """
        return iter(()) if source in self.remote else self._place(source).names()

    def folders(self, source: str) -> Iterator[tuple[str, list[str]]]:
        """Each folder in an archive or folder that holds files, with their names, sorted."""
        return self._place(source).folders()

    def size(self, source: str, name: str) -> int | None:
        """Bytes of a file in an archive or folder, None if it is not there.

        About as many where it is fetched row by row, whether it is here already or not.
        """
        if source in self.remote:
            return self.remote[source].row_bytes
        return self._place(source).size(self.spelled(source, name))

    def spelled(self, source: str, name: str) -> str:
        """The name of a file in an archive or folder as it is spelled there; see `spelled`."""
        place = self._place(source)
        return spelled(_inside(source, name), lambda other: place.size(other) is not None)

    def read(self, source: str, name: str) -> bytes:
        """The bytes of a file in an archive or folder."""
        place, name = self._place(source), self.spelled(source, name)
        if (size := place.size(name)) is not None and size > MAX_BYTES:
            raise Dropped(Outcome.OVERSIZED_MEDIA, f"{size} bytes, the limit is {MAX_BYTES}")
        try:
            return place.read(name)
        except FileNotFoundError:
            raise Dropped(Outcome.MISSING_MEDIA, f"{name} is not in {source}") from None

    def record(
        self, source: str, name: str, kinds: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The JSON object that a file of an archive or folder holds. Raises Dropped if it is none.

        `kinds`: name -> feature that its values fit, or are null; Dropped names one that does not.
        A byte that is not UTF-8 stays in the text as a lone surrogate (see `check_text`).
        """
        try:
            text = self.read(source, name)
        except Dropped as drop:
            raise Dropped(Outcome.MISSING_CAPTION, drop.detail) from None
        try:
            value = json.loads(text.decode(errors="surrogateescape"))
        except (ValueError, RecursionError) as error:
            raise Dropped(Outcome.MALFORMED_ROW, f"{name}: {error}") from None
        if not isinstance(value, dict):
            raise Dropped(Outcome.MALFORMED_ROW, f"{name}: a {type(value).__name__}, no object")
        Fields(kinds or {}).check(value)
        return value

    def listed(self, source: str, name: str, key: str) -> list[str]:
        """The list of names under `key` of a JSON file in an archive or folder.

        Raises EdgeGlassError if there is none: no single row can be dropped for it.
        """
        try:
            names = self.record(source, name).get(key)
        except Dropped as drop:
            names = drop.detail
        if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
            what = names if isinstance(names, str) else f"a {type(names).__name__}"
            raise SourceError(
                f"{self.corpus}: {self.paths[source]}: {name} should list names under {key!r}, "
                f"found: {what}. Pass the folder or archive that holds {name}."
            )
        return names

    def lines(self, source: str, name: str) -> Iterator[tuple[int, str]]:
        """Number and text of each line of a text file in an archive or folder.

        A byte that is not UTF-8 stays in the text as a lone surrogate (see `check_text`).
        """
        yield from _numbered(self._whole(source, name).decode(errors="surrogateescape"))

    def beside(self, source: str, name: str) -> Iterator[tuple[int, str]]:
        """The lines of a text file that lies beside the folder of a source; none if it does not.

        A byte that is not UTF-8 is replaced: what lies beside is shared, no row can be dropped.
        """
        try:
            text = self._place(source).beside().read(_inside(source, name))
        except FileNotFoundError:
            return
        yield from _numbered(text.decode(errors="replace"))

    def table_beside(self, source: str, name: str, fields: int) -> Iterator[list[str]]:
        """The records of a text file beside the folder of a source, stripped fields between `|`.

        The last field may hold a `|` of its own; comments (`;`) and lines with fewer fields are
        left out.
        """
        for _, line in self.beside(source, name):
            values = [field.strip() for field in line.split("|", fields - 1)]
            if len(values) == fields and not line.startswith(";"):
                yield values

    def records(
        self, source: str, columns: Mapping[str, Any], prefix: str = ""
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and columns of each row of those Parquet files of a folder that begin with `prefix`.

        `columns`: name -> feature that its values fit; the record is `Malformed` where one does
        not. `read(source, f"{name}/image.bytes")` gives the media in one of its columns.
        """
        place, fields = self._place(source), Fields(columns)
        assert isinstance(place, Tables)
        pairs = place.records([*columns], prefix, self.renamed.setdefault(source, {}))
        return ((name, fields.read(record)) for name, record in pairs)

    def on_disk(self, source: str, name: str) -> Path | None:
        """A file of a folder as it lies on the disk; None of what is elsewhere."""
        if source in self.places or source in self.remote or not self.paths[source].is_dir():
            return None
        return self.paths[source] / self.spelled(source, name)

    def value(self, source: str, name: str) -> Any:
        """A value in a folder of Parquet files or shards, `<row>/<column>`; None if null."""
        place: Any = self._place(source)
        return place.value(_inside(source, name))

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
        self,
        source: str,
        columns: list[str],
        encoding: str = "utf-8-sig",
        delimiter: str = ",",
        member: str = "",
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Line number and record of a CSV file with a header, `Malformed` if it is none.

        `member`: the file of this name in an archive or a folder.
        A byte that is not in `encoding` stays in the text as a lone surrogate, for the row to be
        dropped by (`check_text`). Raises EdgeGlassError if a column is missing, or records are.
        """
        csv.field_size_limit(MAX_FIELD)
        with self.file(source, member) as path, Text(path, opened(path, delimiter)[1]) as file:
            bytes_ = cast("IO[bytes]", file)
            text = io.TextIOWrapper(bytes_, encoding, errors="surrogateescape", newline="")
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            count = 0
            try:
                header = self._header(source, columns, next(reader, []))
                for fields in filter(None, reader):  # an empty line is no record
                    count += 1
                    whole = len(fields) == len(header)
                    differ = Malformed(f"{len(fields)} fields where the header has {len(header)}")
                    record = dict(zip(header, fields, strict=True)) if whole else differ
                    yield reader.line_num, record
            except csv.Error as error:
                raise SourceError(
                    f"{self.corpus}: {self.paths[source]}, line {reader.line_num}: {error}. "
                    "Get the file again from upstream."
                ) from None
            self._check_count(source, count)

    def _header(self, source: str, columns: list[str], there: list[str]) -> list[str]:
        """The names of the columns that are there, as ours where they are wanted."""
        names = named(columns, there)
        if missing := [name for name in columns if name not in names]:
            raise SourceError(
                f"{self.corpus}: {self.paths[source]}: no column {', '.join(missing)}; "
                f"found {', '.join(there) or 'an empty file'}. Is it the file that upstream "
                f"publishes as {source}?"
            )
        self.renamed[source] = renamed(names)
        ours = {theirs: name for name, theirs in names.items()}
        return [ours.get(name, name) for name in there]

    def tsv(self, source: str, width: int, span: Span = WHOLE, member: str = "") -> Lines:
        """Position and fields of each line between tabs, or `Malformed`; without header, quotes."""
        number = 0
        with self.file(source, member) as path:
            for number, line in line_pieces.lines(path, span, True):
                fields = line.rstrip("\r\n").split("\t")
                many = f"{len(fields)} fields between tabs" if len(fields) != width else ""
                yield number - 1, Malformed(f"{many}, expected {width}") if many else fields
        self._check_count(source, number)

    def objects(
        self,
        source: str,
        name: str,
        kinds: Mapping[str, Any],
        required: Sequence[str] = (),
        span: Span = WHOLE,
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Position and object of each item of JSON in a source that is a file or has it inside.

        A list of objects, or (`.jsonl`) one a line, of any length. `kinds`: name -> feature that
        its values fit or are null, but for `required`; `Malformed` for what is no such object.
        Raises EdgeGlassError if the file is not there or not JSON, or items are missing.
        """
        number, fields = 0, Fields(kinds, required)
        with self.file(source, name) as path:
            lines = line_pieces.items(path, span) if name.endswith(".jsonl") else None
            for number, item in lines or enumerate(json_text.items(path), 1):
                yield number - 1, fields.read(item)
        self._check_count(source, number)

    @contextmanager
    def file(self, source: str, name: str = "") -> Iterator[Path]:
        """A source that is a file, or the file of this name in it, at most two folders down.

        What is in a tar is copied out of it for a while.
        """
        root, place = self.paths[source], self.places.get(source)
        if root.is_dir():
            patterns = (name, f"*/{name}", f"*/*/{name}") if name else ()
            path = next((path for p in patterns for path in sorted(root.glob(p))), None)
            if path is None:
                raise SourceError(f"{self.corpus}: no {name} in {root}. Get it from upstream.")
            yield path
        elif place and name:
            if place.size(name) is None:
                below = [other for other in place.names() if f"/{other}".endswith(f"/{name}")]
                name = min(below, key=lambda other: (other.count("/"), other), default=name)
            with TemporaryDirectory() as folder:
                path = Path(folder, PurePosixPath(name).name)
                path.write_bytes(self._whole(source, name))
                yield path
        else:
            yield root

    def _whole(self, source: str, name: str) -> bytes:
        """A file of many rows: no single one can be dropped for it."""
        try:
            return self.read(source, name)
        except Dropped as drop:
            raise SourceError(f"{self.corpus}: {source}: {name}: {drop.detail}") from None

    def _check_count(self, source: str, count: int) -> None:
        wanted = self.expected.get(source, count)
        if count != wanted:
            raise SourceError(
                f"{self.corpus}: {self.paths[source]}: {count} records, upstream publishes "
                f"{wanted}. Get the file again, or pass --unverified if you changed it on purpose."
            )

    def _place(self, source: str) -> Place:
        return self.places.get(source) or Folder(self.paths[source])


def nfc(text: str) -> str:
    """Text in Unicode's composed spelling: that of records, and of most disks but a Mac's."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spelled(name: str, there: Callable[[str], bool]) -> str:
    """A file's name, composed (NFC) or decomposed (NFD) as the one that is there; else as it is.

    Folder and file may be spelled differently: one was made here, the other came out of an archive.
    """
    if name.isascii() or there(name):
        return name
    folder, slash, file = name.rpartition("/")
    folders, files = (
        dict.fromkeys([part, nfc(part), unicodedata.normalize("NFD", part)])
        for part in (folder + slash, file)
    )
    return next((one + other for one in folders for other in files if there(one + other)), name)


def _inside(source: str, name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\0" in name:
        raise Dropped(Outcome.MALFORMED_ROW, f"{name!r} is no file name inside {source}")
    return "/".join(parts)


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    lines = text.removeprefix("\ufeff").split("\n")
    if not lines[-1]:
        lines.pop()
    yield from ((number, line.removesuffix("\r")) for number, line in enumerate(lines, 1))
