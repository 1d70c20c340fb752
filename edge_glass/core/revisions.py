"""What was done to a build's rows after it was made: some withdrawn, texts of others corrected.

Both are tables that travel with a build, and its manifest names them among its inputs: whoever
builds it again, refreshes or reproduces it obeys them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core import parquet, records
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.columns import is_list
from edge_glass.core.errors import DataError
from edge_glass.core.ledger import Entry, Outcome
from edge_glass.core.manifest import EDITS, WITHDRAWN, File, Inputs
from edge_glass.core.row import Example, JsonObject, Row, source_id

SCHEMAS = {
    WITHDRAWN: pa.schema([(name, pa.string()) for name in ("kind", "digest", "reason")]),
    EDITS: pa.schema([(name, pa.string()) for name in ("id", "column", "value", "who", "why")]),
}
KINDS = ("id", "sha256", "url")  # what a row can be withdrawn by, as the ledger calls it


def digest(corpus: str, kind: str, value: str) -> str:
    """What is kept of something withdrawn: it is known again, and cannot be read back.

    The corpus is the salt: all its configs and versions know the same rows by it, no other does.
    """
    text = f"edge-glass withdrawn\0{corpus}\0{kind}\0{value}"
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class Edit:
    """A text that was corrected: of a list of texts `value` is JSON. The last of a cell holds."""

    id: str
    column: str
    value: str
    who: str
    why: str


@dataclass(frozen=True)
class Revisions:
    """The rows of a corpus that were withdrawn, and the edits of a config of it."""

    corpus: str
    withdrawn: Mapping[tuple[str, str], str] = field(default_factory=dict)  # kind, digest: reason
    edits: Mapping[str, tuple[Edit, ...]] = field(default_factory=dict)  # by id
    several: bool = False  # whether a source row is several examples in the config
    lists: frozenset[str] = frozenset()  # columns of lists

    @classmethod
    def none(cls, build: Inputs) -> "Revisions":
        """Those of a build that has none."""
        lists = {name for name, feature in build.features.items() if is_list(feature)}
        return cls(build.corpus, several=build.each_example, lists=frozenset(lists))

    @classmethod
    def of(cls, build: Inputs, folder: Path) -> "Revisions":
        """Those of a build, which lie in its folder."""
        there = {each.file: _rows(folder, each) for each in build.tables}
        rows = there.get(WITHDRAWN, [])
        withdrawn = {(row["kind"], row["digest"]): row["reason"] for row in rows}
        known = replace(cls.none(build), withdrawn=withdrawn)
        return known.amended(Edit(**row) for row in there.get(EDITS, []))

    def __or__(self, other: "Revisions") -> "Revisions":
        """With those of an earlier build; edits that both have stand once."""
        known = {edit for edits in self.edits.values() for edit in edits}
        more = (edit for edits in other.edits.values() for edit in edits if edit not in known)
        withdrawn = {**other.withdrawn, **self.withdrawn}
        return replace(self, withdrawn=withdrawn).amended(more)

    def without(self, rows: Iterable[tuple[str, str]], reason: str) -> "Revisions":
        """With what these kinds and values name withdrawn; edits of such rows are forgotten."""
        more = {(kind, digest(self.corpus, kind, value)): reason for kind, value in rows}
        return replace(self, withdrawn=more | dict(self.withdrawn)).amended([])

    def amended(self, edits: Iterable[Edit]) -> "Revisions":
        """With these edits behind those that are known; none of a row that is withdrawn."""
        every = {id: list(known) for id, known in self.edits.items()}
        for edit in edits:
            every.setdefault(edit.id, []).append(edit)
        return replace(self, edits={id: (*own,) for id, own in every.items() if self._stays(id)})

    def _stays(self, id: str) -> bool:
        ids = (id, source_id(id, self.several))
        return all(self.reason("id", one) is None for one in ids)

    def reason(self, kind: str, value: str | None) -> str | None:
        """Why the source row that has this was withdrawn, None if it was not."""
        if not (value and self.withdrawn):
            return None
        return self.withdrawn.get((kind, digest(self.corpus, kind, value)))

    def reason_of(self, row: Mapping[str, Any]) -> str | None:
        """The same of a row of the ledger, by all that a row can be withdrawn by."""
        reasons = (self.reason(kind, row.get(kind)) for kind in KINDS)
        return next((reason for reason in reasons if reason is not None), None)

    def marked(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows of a source; nothing is fetched of those that are withdrawn."""
        for row in rows:
            url = (row.fetch_request or {}).get("url")
            reason = self.reason("id", row.id)
            reason = self.reason("url", url) if reason is None else reason
            if reason is not None:
                row.dropped = str(Outcome.WITHDRAWN), reason
                row.media = row.fetch_request = None
            yield row

    def applied(self, entry: Entry, examples: list[Example]) -> list[Example]:
        """The examples of a row as they are now; its entry is changed with them."""
        if self.withdrawn:
            reason = self.reason_of({kind: getattr(entry, kind) for kind in KINDS})
            if reason is not None:  # a tombstone of before has no id that would be known
                for name, value in self.tombstone(asdict(entry), reason).items():
                    setattr(entry, name, value)
            if entry.outcome == Outcome.WITHDRAWN:
                return []
        done = [self.corrected(example) for example in examples] if self.edits else examples
        if done != examples:
            entry.text_digests = entry.media_digests = None  # they are taken anew
        return done

    def tombstone(self, row: Mapping[str, Any], reason: str) -> JsonObject:
        """What the ledger keeps of a row: its place, its source and why it was withdrawn."""
        place = digest(self.corpus, "row", f"{row['id']}\0{row['row']}")
        id = digest(self.corpus, "id", row["id"])
        return asdict(Entry(row["source"], place, id, row["split"], Outcome.WITHDRAWN, reason))

    def corrected(self, example: Example) -> Example:
        """An example with its edits."""
        for edit in self.edits.get(example["id"], ()):
            texts = edit.column in self.lists
            example = example | {edit.column: json.loads(edit.value) if texts else edit.value}
        return example

    def files(self) -> dict[str, bytes]:
        """What is to lie beside the shards, by name."""
        keys = sorted(self.withdrawn.items())
        rows = [{"kind": kind, "digest": key, "reason": why} for (kind, key), why in keys]
        edits = [asdict(edit) for id in sorted(self.edits) for edit in self.edits[id]]
        tables = {WITHDRAWN: rows, EDITS: edits}
        return {name: _parquet(rows, SCHEMAS[name]) for name, rows in tables.items() if rows}

    def described(self, inputs: Inputs) -> Inputs:
        """The inputs of a build that obeys these."""
        rows = {WITHDRAWN: len(self.withdrawn), EDITS: sum(map(len, self.edits.values()))}
        files = self.files().items()
        tables = (File(rows[n], len(data), sha256(data).hexdigest(), n) for n, data in files)
        return replace(inputs, tables=(*tables,))

    def write(self, folder: Path) -> None:
        """Write the tables into the folder of a build."""
        for name, data in self.files().items():
            with AtomicFile(folder / name) as file:
                file.write(data)


def _parquet(rows: list[dict[str, str]], schema: pa.Schema) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), out, compression="zstd")
    return bytes(out.getvalue())


def _rows(folder: Path, file: File) -> list[Example]:
    fault = records.fault(folder / file.file, file.bytes, file.sha256)
    if fault:
        raise DataError(
            f"{folder / file.file}: {fault}: restore it, for example from a published version: "
            "only this file says which rows were withdrawn or corrected"
        )
    table = parquet.table(folder / file.file)
    if not table.schema.equals(SCHEMAS[file.file]):
        raise DataError(f"{folder / file.file}: not a table that Edge Glass wrote: get it again")
    rows: list[Example] = table.to_pylist()
    return rows
