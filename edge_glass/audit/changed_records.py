"""The tables and JSON of a sample, each with records of which one field holds another value."""

import bz2
import csv
import gzip
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core.row import JsonObject

MARK = "of any type"  # in lists and objects, to be seen where they became text
ABSENT = object()
VALUES: JsonObject = {
    "null": None,
    "a number": 7,
    "a large number": 3e9,
    "a float": 1.5,
    "boolean": True,
    "list": [[MARK], 7],
    "object": {MARK: 7},
    "empty": "",
    "bytes": b"\xff\xfe of bytes",
    "long": " ".join(map(str, range(170_000))),  # a megabyte
    "absent": ABSENT,
}
DELIMITERS = "\t|;,"


@dataclass(frozen=True)
class Change:
    """One field of a record, and what becomes of it."""

    field: str
    kind: str

    def __str__(self) -> str:
        return f"{self.field} is {self.kind}"

    @property
    def value(self) -> Any:
        """What the field is given."""
        return VALUES[self.kind]


@dataclass(frozen=True)
class Table(ABC):
    """Records of one kind in a sample: those of a file, or the objects that are files of their own.

    The changed records are added to the others, and are rows of their own if the table's are.
    """

    paths: tuple[Path, ...]  # relative to the sample
    fields: tuple[str, ...]
    first: Any  # the record that is changed
    typed: ClassVar[bool] = True  # values have types, and are not all text
    added: ClassVar[bool] = True  # changed records are added, and do not replace the others

    @property
    def name(self) -> str:
        """Of its first file."""
        return self.paths[0].as_posix()

    @property
    def has_names(self) -> bool:
        """Whether fields have names, and not places alone."""
        return True

    def rounds(self) -> Iterator[list[Change]]:
        """What is changed together, so that all is changed once."""
        yield [Change(field, kind) for field in self.fields for kind in VALUES]

    @abstractmethod
    def write(self, sample: Path, changes: list[Change]) -> None:
        """Put the changed records into a copy of the sample."""

    def changed(self, change: Change) -> JsonObject:
        """The first record with a field of another value."""
        value = change.value
        if isinstance(value, bytes):
            value = value.decode(errors="surrogateescape")
        record = self.first | {change.field: value}
        return {name: record[name] for name in record if record[name] is not ABSENT}


class Items(Table):
    """JSON objects: lines of them, a list, or the one list in an object."""

    def write(self, sample: Path, changes: list[Change]) -> None:
        """Behind the others."""
        path, more = sample / self.paths[0], [self.changed(change) for change in changes]
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            _write(path, "\n".join([text.rstrip(), *map(_json, more)]))
        else:
            said = json.loads(text)
            _items(said).extend(more)
            _write(path, _json(said))


def _items(said: Any) -> list[Any]:
    """The objects of a JSON list, or of the only list of some in an object; else none."""
    lists = [said] if isinstance(said, list) else [v for v in said.values() if isinstance(v, list)]
    of_objects = [one for one in lists if one and isinstance(one[0], dict)]
    return of_objects[0] if len(of_objects) == 1 else []


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode(errors="surrogateescape"))


class Objects(Table):
    """Files of one JSON object each."""

    added: ClassVar[bool] = False

    def rounds(self) -> Iterator[list[Change]]:
        """As many as there are files."""
        [changes] = super().rounds()
        for start in range(0, len(changes), len(self.paths)):
            yield changes[start : start + len(self.paths)]

    def write(self, sample: Path, changes: list[Change]) -> None:
        """A file each, in the place of the others."""
        for path, change in zip(self.paths, changes, strict=False):
            first = json.loads((sample / path).read_text(encoding="utf-8"))
            _write(sample / path, _json(replace(self, first=first).changed(change)))


class Lines(Table):
    """Text between delimiters, in a header's columns or without one."""

    typed: ClassVar[bool] = False

    def write(self, sample: Path, changes: list[Change]) -> None:
        """Behind the others."""
        path = sample / self.paths[0]
        with _opened(path, "ab") as file:
            for change in changes:
                file.write(self._line(change, _delimiter(path)))

    def _line(self, change: Change, delimiter: str) -> bytes:
        texts = [text.encode() for text in self.first]
        at, value = self.fields.index(change.field), change.value
        if value is ABSENT:
            del texts[at]
        elif isinstance(value, bytes):
            texts[at] = value
        else:
            texts[at] = ("" if value is None else str(value)).replace(delimiter, " ").encode()
        return delimiter.encode().join(texts) + b"\n"

    @property
    def has_names(self) -> bool:
        """A header has them."""
        return self.paths[0].suffix == ".csv"


class Columns(Table):
    """A Parquet file; what is changed gets a file of its own, for a column has one type."""

    def rounds(self) -> Iterator[list[Change]]:
        """Those that are absent by themselves."""
        [changes] = super().rounds()
        yield [change for change in changes if change.value is not ABSENT]
        yield from ([change] for change in changes if change.value is ABSENT)

    def write(self, sample: Path, changes: list[Change]) -> None:
        """A file each."""
        path = sample / self.paths[0]
        row = pq.read_table(path).slice(0, 1)
        for number, change in enumerate(changes):
            at = row.column_names.index(change.field)
            if change.value is ABSENT:
                table = row.remove_column(at)
            else:
                value = [[MARK]] if isinstance(change.value, list) else change.value
                table = row.set_column(at, change.field, pa.array([value]))
            pq.write_table(table, path.with_name(f"{path.stem}-{number:04d}.parquet"))


def tables(sample: Path) -> list[Table]:
    """The tables of a sample; of several with the same fields the first, but of objects all."""
    distinct: list[Table] = []
    for path in sorted(path for path in sample.rglob("*") if path.is_file()):
        table = _table(path, path.relative_to(sample))
        alike = [other for other in distinct if table and _alike(table, other)]
        if alike and isinstance(table, Objects):
            fields = tuple(dict.fromkeys(alike[0].fields + table.fields))
            paths = (*alike[0].paths, *table.paths)
            distinct[distinct.index(alike[0])] = Objects(paths, fields, table.first)
        elif table and not alike:
            distinct.append(table)
    return distinct


def _alike(one: Table, other: Table) -> bool:
    shared = len({*one.fields} & {*other.fields})
    same = (
        shared > len(other.fields) / 2 if isinstance(one, Objects) else one.fields == other.fields
    )
    return type(one) is type(other) and one.paths[0].suffix == other.paths[0].suffix and same


def _table(path: Path, name: Path) -> Table | None:
    if path.suffix == ".parquet":
        return Columns((name,), tuple(pq.read_schema(path).names), None)
    if path.suffix in (".json", ".jsonl"):
        text = path.read_text(encoding="utf-8")
        lines = path.suffix == ".jsonl"
        said = [json.loads(text.partition("\n")[0])] if lines else json.loads(text)
        items = _items(said)
        first = items[0] if items else said
        return (Items if items else Objects)((name,), tuple(first), first)
    if {".csv", ".tsv", ".txt", ".TXT", ".bz2"} & {*path.suffixes}:
        with _opened(path, "rb") as file:
            head, *more = (line.decode(errors="replace").rstrip() for line in file)
        delimiter = _delimiter(path)
        cells = head.split(delimiter)
        if path.suffix != ".csv":  # no header
            return Lines((name,), tuple(f"field {n}" for n in range(len(cells))), cells)
        return Lines((name,), tuple(cells), next(csv.reader(more, delimiter=delimiter)))
    return None


def _delimiter(path: Path) -> str:
    with _opened(path, "rb") as file:
        head = file.readline().decode(errors="replace")
    return max(DELIMITERS, key=head.count) if any(d in head for d in DELIMITERS) else " "


def _opened(path: Path, mode: str) -> Any:
    openers: JsonObject = {".gz": gzip.open, ".bz2": bz2.open}
    return openers.get(path.suffix, open)(path, mode)
