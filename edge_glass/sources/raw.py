"""Raw sources on disk, whatever way they came there: text files, and folders of media."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import JsonObject
from edge_glass.core.spec import SourceFacts
from edge_glass.sources import json_text, line_pieces
from edge_glass.sources.chunk_text import Text, opened
from edge_glass.sources.contents import Place
from edge_glass.sources.fields import Fields, Malformed
from edge_glass.sources.folder import Folder, inside, numbered, spelled
from edge_glass.sources.line_pieces import WHOLE, Span
from edge_glass.sources.parquet_folder import Tables
from edge_glass.sources.row_fetch import Remote
from edge_glass.sources.table_layout import named, renamed

MAX_FIELD = 2**24  # characters in one CSV field
Lines = Iterator[tuple[int, Any]]  # with numbers or positions
MAX_BYTES = 2**30  # of one media file: all of it is in memory at once


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
        """The files in an archive or folder; there are none of what is fetched row by row.

        Args:
            source: its name in the YAML.

        Returns:
            Paths in it with `/`, sorted folder by folder.
        """
        return iter(()) if source in self.remote else self._place(source).names()

    def folders(self, source: str) -> Iterator[tuple[str, list[str]]]:
        """The folders in an archive or folder that hold files.

        Args:
            source: its name in the YAML.

        Returns:
            Each with the names of its files, sorted.
        """
        return self._place(source).folders()

    def size(self, source: str, name: str) -> int | None:
        """Bytes of a file, None if it is not there; about as many of what is fetched row by row."""
        if source in self.remote:
            return self.remote[source].row_bytes
        return self._place(source).size(self.spelled(source, name))

    def spelled(self, source: str, name: str) -> str:
        """The name of a file in an archive or folder as it is spelled there."""
        place = self._place(source)
        return spelled(inside(source, name), lambda other: place.size(other) is not None)

    def read(self, source: str, name: str) -> bytes:
        """A file in an archive or folder.

        Args:
            source: its name in the YAML.
            name: of the file in it.

        Returns:
            Its bytes.

        Raises:
            Dropped: it is not there, or too large.
        """
        place, name = self._place(source), self.spelled(source, name)
        if (size := place.size(name)) is not None and size > MAX_BYTES:
            raise Dropped(Outcome.OVERSIZED_MEDIA, f"{size} bytes, the limit is {MAX_BYTES}")
        try:
            return place.read(name)
        except FileNotFoundError:
            raise Dropped(Outcome.MISSING_MEDIA, f"{name} is not in {source}") from None

    def record(self, source: str, name: str, kinds: Mapping[str, Any] | None = None) -> JsonObject:
        """The JSON object that is a row's own file; see `check_text` for bytes that are not UTF-8.

        Args:
            source: the name in the YAML of the archive or folder.
            name: of the file in it.
            kinds: name -> feature that its values fit, or are null.

        Returns:
            The object.

        Raises:
            Dropped: there is none, or a value does not fit.
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
        """A list of names in a JSON file.

        Args:
            source: the name in the YAML of the archive or folder.
            name: of the file in it.
            key: of the list.

        Returns:
            The names.

        Raises:
            SourceError: there is no such list; no single row can be dropped for it.
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
        """The lines of a text file; what is no UTF-8 is a lone surrogate (see `check_text`).

        Args:
            source: the name in the YAML of the archive or folder.
            name: of the file in it.

        Returns:
            Number and text of each line.
        """
        yield from numbered(self._whole(source, name).decode(errors="surrogateescape"))

    def beside(self, source: str, name: str) -> Iterator[tuple[int, str]]:
        """The lines of a text file that lies beside the folder of a source; none if it does not.

        A byte that is not UTF-8 is replaced: what lies beside is shared, no row can be dropped.
        """
        try:
            text = self._place(source).beside().read(inside(source, name))
        except FileNotFoundError:
            return
        yield from numbered(text.decode(errors="replace"))

    def table_beside(self, source: str, name: str, fields: int) -> Iterator[list[str]]:
        """The records of a text file beside the folder of a source, fields between `|`.

        Args:
            source: the name in the YAML.
            name: of the file.
            fields: of a record; the last may hold a `|` of its own.

        Returns:
            Stripped fields; comments (`;`) and lines with fewer fields are left out.
        """
        for _, line in self.beside(source, name):
            values = [field.strip() for field in line.split("|", fields - 1)]
            if len(values) == fields and not line.startswith(";"):
                yield values

    def records(
        self, source: str, columns: Mapping[str, Any], prefix: str = ""
    ) -> Iterator[tuple[str, JsonObject]]:
        """The rows of a folder's Parquet files; `read(source, f"{name}/image.bytes")` gives media.

        Args:
            source: its name in the YAML.
            columns: name -> feature that its values fit.
            prefix: that the names of the files begin with.

        Returns:
            Name and columns of each row; the record is `Malformed` where a value does not fit.
        """
        place, fields = self._place(source), Fields(columns)
        assert isinstance(place, Tables)
        pairs = place.records([*columns], prefix, self.renamed.setdefault(source, {}))
        return ((name, fields.read(record)) for name, record in pairs)

    def on_disk(self, source: str, name: str) -> Path | None:
        """A file of a folder as it lies on the disk; None of what is elsewhere."""
        if source in self.remote or not self.paths[source].is_dir():
            return None
        place = self._place(source)
        return place.path(self.spelled(source, name)) if isinstance(place, Folder) else None

    def value(self, source: str, name: str) -> Any:
        """A value in a folder of Parquet files.

        Args:
            source: its name in the YAML.
            name: `<row>/<column>`.

        Returns:
            The value; None if it is null.
        """
        place: Any = self._place(source)
        return place.value(inside(source, name))

    def named(self, source: str, stem: str, suffixes: Sequence[str]) -> str:
        """The file of a folder that has this stem.

        Args:
            source: its name in the YAML.
            stem: of the file, with its folder.
            suffixes: of which the first counts that is there.

        Returns:
            The name; just the stem if there is none, or the source is fetched row by row.
        """
        names = (f"{stem}{suffix}" for suffix in suffixes)
        there = (name for name in names if self.size(source, name) is not None)
        return stem if source in self.remote else next(there, stem)

    def csv(
        self,
        source: str,
        columns: list[str],
        encoding: str = "utf-8-sig",
        delimiter: str = ",",
        member: str = "",
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """The records of a CSV file with a header.

        Args:
            source: the file's name in the YAML, or that of an archive or folder that has it.
            columns: that must be there.
            encoding: a byte that is not in it is a lone surrogate (see `check_text`).
            delimiter: between fields.
            member: the name of the file in an archive or folder.

        Returns:
            Line number and record, `Malformed` if it is none.

        Raises:
            SourceError: a column is missing, or records are.
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
        """The lines of a text file, fields between tabs, without header and quotes.

        Args:
            source: as of `csv`.
            width: fields of a line.
            span: the bytes of the file that are read.
            member: as of `csv`.

        Returns:
            Position and fields of each line, or `Malformed`.
        """
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
    ) -> Iterator[tuple[int, JsonObject]]:
        """The objects of a JSON file: a list of them, or (`.jsonl`) one a line, of any length.

        Args:
            source: as of `csv`.
            name: of the file.
            kinds: name -> feature that its values fit or are null.
            required: names whose values are not null.
            span: the bytes of the file that are read, of lines.

        Returns:
            Position and object, `Malformed` for what is no such object.

        Raises:
            SourceError: the file is not there or not JSON, or items are missing.
        """
        number, fields = 0, Fields(kinds, required)
        with self.file(source, name) as path:
            lines = line_pieces.items(path, span) if name.endswith(".jsonl") else None
            for number, item in lines or enumerate(json_text.items(path), 1):
                yield number - 1, fields.read(item)
        self._check_count(source, number)

    @contextmanager
    def file(self, source: str, name: str = "") -> Iterator[Path]:
        """A source that is a file, or a file in it; out of a tar it is copied for a while.

        Args:
            source: the name in the YAML.
            name: of the file in it, at most two folders down.

        Returns:
            Its path, in a `with`.

        Raises:
            SourceError: there is no such file.
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
