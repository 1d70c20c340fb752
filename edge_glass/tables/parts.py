"""Parts of a table, each with a ledger of the rows it was made of, and what says they are whole.

A run writes pairs of a part and its ledger, each with a record, and once all are there the summary.
What the summary was made of stands beside it in the hidden folder: it changes with the times of the
chunks, and the output must not.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import TypedDict

from edge_glass.core import outputs, records, row_counts, schema
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Outcome
from edge_glass.core.names import HIDDEN
from edge_glass.core.shard_files import CHUNKING, TableFile, table_file

FOLDER, BOOKS = "metadata", "ledger"  # of the parts, and of their ledgers
PART = re.compile(r"part-\d{5,}-of-\d{5,}\.parquet")
REMEDY = "Make room and run the same command again: it goes on where it stopped."
LEDGER = pa.schema(
    [
        ("source", pa.string()),
        ("row", pa.int64()),  # in its chunk, from 0, without the header
        ("outcome", pa.string()),
        ("detail", pa.string()),
    ]
)


class FileRecord(TypedDict):
    """A part, or its ledger."""

    file: str  # below the output
    rows: int
    bytes: int
    sha256: str


class PartRecord(TypedDict):
    """What the record of a part says; a kind of run may say more."""

    outcomes: dict[str, int]
    part: FileRecord
    ledger: FileRecord


class Summary(TypedDict):
    """What is said of all parts once they are there; a kind of run says more."""

    outcomes: dict[str, int]
    parts: list[FileRecord]
    ledger: list[FileRecord]


AnyRecord = TypeVar("AnyRecord", bound=PartRecord)
AnySummary = TypeVar("AnySummary", bound=Summary)


def name(number: int, of: int) -> str:
    """`part-00000-of-00032.parquet`."""
    return f"part-{number:05d}-of-{of:05d}.parquet"


def recorded(record: Path, out: Path, make: Callable[[], AnyRecord]) -> AnyRecord:
    """What the record of a part says; it is made if it has none, or is not what was written."""
    known = records.read(record)
    if known is None or not _are_whole(out, [known["part"], known["ledger"]]):
        records.write(record, known := dict(make()))
    return cast("AnyRecord", known)


class Pair:
    """A part and its ledger, written a batch of rows at a time."""

    def __init__(self, part: TableFile, ledger: TableFile) -> None:
        self._part, self._ledger = part, ledger
        self._outcomes = Counter[str]()

    def write(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows into the ledger, those that are kept into the part; returns the latter."""
        kept = batch.filter(pc.equal(batch["outcome"], Outcome.KEPT))
        _write(self._part, kept)
        _write(self._ledger, batch)
        counts = batch["outcome"].value_counts().to_pylist()
        self._outcomes += Counter({item["values"]: item["counts"] for item in counts})
        row_counts.count(batch.num_rows, batch.num_rows - kept.num_rows)
        return kept

    def written(self) -> PartRecord:
        """Outcomes and both files, once they are whole."""
        part, ledger = _record(self._part, FOLDER), _record(self._ledger, BOOKS)
        return {"outcomes": dict(sorted(self._outcomes.items())), "part": part, "ledger": ledger}


@contextmanager
def pair(out: Path, name: str, schema: pa.Schema) -> Iterator[Pair]:
    """A part and its ledger, whole or absent once the block ends."""
    chunked = {"use_content_defined_chunking": CHUNKING}
    with (
        table_file(out / FOLDER / name, schema, **chunked) as part,
        table_file(out / BOOKS / name, LEDGER, **chunked) as rows,
    ):
        yield Pair(part, rows)


def _write(file: TableFile, batch: pa.RecordBatch) -> None:
    """Those columns of a batch that the file has."""
    schema = file.writer.schema
    file.write(pa.Table.from_batches([batch.select(schema.names).cast(schema)]))


def _record(file: TableFile, folder: str) -> FileRecord:
    name, one = f"{folder}/{file.path.name}", file.record()
    return {"file": name, "rows": one.rows, "bytes": one.bytes, "sha256": one.sha256}


def summary(records: Sequence[PartRecord]) -> Summary:
    """What the records of all parts say together."""
    outcomes = sum((Counter(record["outcomes"]) for record in records), Counter[str]())
    return {
        "outcomes": dict(sorted(outcomes.items())),
        "parts": [record["part"] for record in records],
        "ledger": [record["ledger"] for record in records],
    }


def finished(out: Path, file: str, state: str, kind: type[AnySummary]) -> AnySummary | None:
    """The summary `file` of a finished run that had the same inputs."""
    try:
        summary: AnySummary = schema.read(out / file, kind, "")
        known, stamps = json.loads(_state(out, file).read_text())
        files = summary["parts"] + summary["ledger"]
        same = known == state and (stamps == _stamps(out, files) or _are_whole(out, files))
    except (FileNotFoundError, TypeError, ValueError, RecursionError, EdgeGlassError):
        return None
    return summary if same else None


def _are_whole(out: Path, files: list[FileRecord]) -> bool:
    return not any(records.fault(out / f["file"], f["bytes"], f["sha256"]) for f in files)


def _stamps(out: Path, files: list[FileRecord]) -> list[list[int]]:
    return [records.stamp(out / file["file"]) for file in files]


def claim(raw: Path, out: Path, *files: str) -> None:
    """Raise EdgeGlassError if `out` is where the chunks are, or somebody's files are in the way."""
    outputs.check_apart(raw, out)
    outputs.claim(out, [FOLDER, BOOKS, *files])


def finish(out: Path, file: str, state: str, summary: Summary) -> None:
    """Remove the parts of an earlier run that were more, or others; write the summary."""
    for files in (summary["parts"], summary["ledger"]):
        wanted = {Path(part["file"]).name for part in files}
        for path in (out / files[0]["file"]).parent.glob("part-*"):
            if path.name not in wanted and PART.fullmatch(path.name):
                path.unlink()
    write_json(out / file, summary)
    write_json(_state(out, file), [state, _stamps(out, summary["parts"] + summary["ledger"])])


def _state(out: Path, file: str) -> Path:
    return out / HIDDEN / f"{Path(file).stem}.state"
