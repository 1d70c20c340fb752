"""Rows that come as Arrow batches, on disk: every part of a source is read in a process of its own.

Beside its columns a row has its marks (`core.row`), and until shards are cut the digest of its id.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import records, row_counts
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.errors import DataError
from edge_glass.core.key_digests import KEY, digests
from edge_glass.core.ledger import Outcome
from edge_glass.core.row import MARKS, PLACE, Part
from edge_glass.core.row_marks import marked
from edge_glass.corpora.corpus import Corpus
from edge_glass.media.features import arrow_schema
from edge_glass.sources.raw import Raw

BUFFER = 2**20  # bytes
# half the bytes; one thread, so that they are the same everywhere
PACKED = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)


@dataclass(frozen=True)
class Reading:
    """A part of a split, and the file that its rows are written to."""

    part: Part
    split: str
    seed: int
    schema: pa.Schema | None  # of the columns, if they are those of examples
    file: Path

    def __str__(self) -> str:
        return f"{self.split}: {self.file.name}"


def readings(corpus: Corpus, raw: Raw, folder: Path) -> list[Reading]:
    """All parts, in source order."""
    schema = arrow_schema(corpus.row_features).remove_metadata() if corpus.whole else None
    seed = corpus.config.seed
    return [
        Reading(part, split, seed, schema, folder / f"{split}-{number:05d}.part")
        for split in corpus.chosen_splits()
        for number, part in enumerate(corpus.parts(split, raw))
    ]


def write_part(reading: Reading) -> None:
    """Read a part and write down its rows; nobody goes on with it after a stop."""
    with AtomicFile(reading.file) as file:  # on a cluster two nodes may be at it
        write(file, (_keyed(batch, reading) for batch in reading.part.batches() if batch.num_rows))


def write(file: AtomicFile, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches of one schema; returns the number of rows."""
    rows, writer = 0, None
    # Arrow writes a few bytes at a time
    with pa.BufferedOutputStream(pa.PythonFile(file, "w"), BUFFER) as sink:
        for batch in batches:
            writer = writer or pa.ipc.new_stream(sink, batch.schema, options=PACKED)
            writer.write_batch(batch)
            rows += batch.num_rows
        if writer:
            writer.close()
    return rows


def read(
    path: Path, sha256: str | None = None, only: Collection[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The batches in a file, or some columns of them.

    Raises EdgeGlassError if its digest is another.
    """
    if sha256 and records.sha256(path) != sha256:
        raise damaged(path, "its sha256 is another")
    if path.stat().st_size:
        with pa.OSFile(str(path)) as file:
            schema = pa.ipc.read_schema(file)
            wanted = [schema.get_field_index(name) for name in only or schema.names]
            file.seek(0)  # others are not even unpacked
            with pa.ipc.open_stream(
                file, options=pa.ipc.IpcReadOptions(included_fields=wanted)
            ) as stream:
                yield from stream


def damaged(path: Path, why: object) -> DataError:
    """What is said of a damaged file of a plan."""
    return DataError(f"{path}: damaged ({why}): run the same command again, it is made anew")


def _keyed(batch: pa.RecordBatch, reading: Reading) -> pa.RecordBatch:
    """With the digest of each id, and columns of the types that are promised."""
    if reading.schema:
        names = [*MARKS, *reading.schema.names]
        if {*names} != {*batch.schema.names}:
            raise ValueError(f"columns {batch.schema.names} where {names} are promised")
        texts = pa.schema([(mark, pa.string()) for mark in MARKS])
        batch = batch.select(names).cast(pa.schema([*texts, *reading.schema]))
    batch = _with_ids(batch, reading)
    row_counts.count(batch.num_rows, 0)
    return batch.append_column(KEY, digests(reading.seed, batch["id"]))


def _with_ids(batch: pa.RecordBatch, reading: Reading) -> pa.RecordBatch:
    """A row without an id, or with a blank one, is malformed."""
    blank = pc.equal(pc.utf8_trim_whitespace(batch["id"]), "")
    lack, at = pc.fill_null(blank, True), batch.schema.get_field_index("id")
    if lack.true_count == 0:
        return batch
    place = pc.binary_join_element_wise(reading.split, batch[PLACE], "/")
    batch = batch.set_column(at, "id", pc.if_else(lack, place, batch["id"]))
    return marked(batch, lack, Outcome.MALFORMED_ROW, "id: expected text, found nothing")
