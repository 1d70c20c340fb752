"""What does a shard cost beyond the Parquet writer itself?

    python benchmarks/shards.py [--rows 5000] [--rounds 7]

Rows with 80 kB of media that no compressor can shorten are written by
- pyarrow: batches of 100 rows, `Table.from_pylist` with the schema, `ParquetWriter`
- pyarrow + sha256: the same, then the finished file is read again for the digest that a publisher
  needs (the manifest has it, and so does an upload)
- Edge Glass: `write_shard`, which checks columns, bounds row groups by rows and bytes, hashes what
  it writes, fsyncs, and puts the shard in its place whole or not at all
- datasets: `GeneratorBasedBuilder.download_and_prepare(file_format="parquet")`

The first three write with the same settings, spelled out in SETTINGS, and the result is checked to
be the same: columns, encodings, compression, values. The builder keeps its own (snappy for text,
row groups of 100 MB). Rows are made as they are asked for, as decoders and archives make them; what
that takes alone is the first line of the table, and it is part of every other line. Everyone runs
in this process, warmed up, in turns; CPU seconds count, not the clock, so that a busy machine
disturbs all alike.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import arguments, compare, run_here, scratch, side_by_side

from edge_glass.core.shard_files import write_shard
from edge_glass.media.features import Features, Image, Sequence, Value, arrow_schema

MEDIA_BYTES = 80_000
BATCH = 100
POOL = np.random.default_rng(0).bytes(2**25)
FEATURES = Features(
    {
        "id": Value("string"),
        "image": Image(),
        "width": Value("int32"),
        "captions": Sequence(Value("string")),
    }
)
SCHEMA = arrow_schema(FEATURES)
CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}
TEXT = ["id", "image.path", "width", "captions.list.element"]
SETTINGS: dict[str, Any] = {
    "compression": dict.fromkeys(TEXT, "zstd") | {"image.bytes": "none"},
    "column_encoding": {"image.bytes": "PLAIN"},
    "use_dictionary": TEXT,
    "write_statistics": TEXT,
    "write_page_index": True,
    "use_content_defined_chunking": CHUNKING,
}


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows of a captioned picture; the bytes of each are new, as if they had just been read."""
    offsets = np.random.default_rng(1).integers(0, len(POOL) - MEDIA_BYTES, count)
    for number, start in enumerate(offsets.tolist()):
        yield {
            "id": f"train/{number:07d}",
            "image": {"bytes": POOL[start : start + MEDIA_BYTES], "path": f"{number:07d}.jpg"},
            "width": 512 + number % 512,
            "captions": [f"picture {number} in the words of person {n}" for n in range(5)],
        }


def bare(path: Path, count: int) -> None:
    with pq.ParquetWriter(path, SCHEMA, **SETTINGS) as writer:
        writer.add_key_value_metadata({"content_defined_chunking": json.dumps(CHUNKING)})
        source = rows(count)
        while batch := list(islice(source, BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))


def bare_and_digest(path: Path, count: int) -> None:
    bare(path, count)
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256").hexdigest()


def ours(path: Path, count: int) -> None:
    write_shard(path, rows(count), SCHEMA)


class Peer(datasets.GeneratorBasedBuilder):
    """What a builder of `datasets` is made of, and no more."""

    count = 0

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator(name="train")]

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        yield from enumerate(rows(self.count))


def peer(path: Path, count: int) -> None:
    Peer.count = count
    builder = Peer(cache_dir=str(path.parent / "cache"))
    builder.download_and_prepare(str(path), file_format="parquet", verification_mode="no_checks")


def exhaust(path: Path, count: int) -> None:
    deque(rows(count), maxlen=0)


CONTENDERS = {
    "rows alone": exhaust,
    "pyarrow": bare,
    "pyarrow + sha256": bare_and_digest,
    "Edge Glass": ours,
    "datasets builder": peer,
}


def check(folder: Path) -> None:
    """The files that are compared hold the same, stored the same way."""
    bare(folder / "bare", 1000)
    ours(folder / "ours", 1000)
    peer(folder / "peer", 1000)
    [built] = (folder / "peer").glob("*.parquet")
    theirs, mine, other = map(pq.ParquetFile, (folder / "bare", folder / "ours", built))
    assert mine.read().equals(theirs.read())
    assert mine.read().equals(other.read().cast(SCHEMA))
    groups = [file.metadata.row_group(0) for file in (mine, theirs)]
    for number in range(len(TEXT) + 1):
        a, b = (group.column(number) for group in groups)
        assert (a.compression, a.encodings) == (b.compression, b.encodings), a.path_in_schema
        assert a.has_offset_index == b.has_offset_index


def main() -> None:
    options = arguments("What does a shard cost beyond the Parquet writer?", rows=1000, rounds=3)
    datasets.disable_progress_bars()
    if options.contender:
        write = CONTENDERS[options.contender]
        write(options.out / "warm-up", BATCH)
        run_here(lambda: write(options.out / "out", options.rows))
        return
    with scratch(0) as folder:
        check(folder)
    size = options.rows * MEDIA_BYTES
    contenders = [[name, f"--rows={options.rows}"] for name in CONTENDERS]
    runs = side_by_side(contenders, options.rounds, len(CONTENDERS) * size)
    title = f"{options.rows} rows of {MEDIA_BYTES // 1000} kB, medians of {options.rounds} rounds"
    compare(title, runs, ["pyarrow", "pyarrow + sha256"])


if __name__ == "__main__":
    main()
