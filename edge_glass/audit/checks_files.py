"""Checks of files: those of a folder against its manifest, and that against itself."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from edge_glass.audit.checked_build import CheckedBuild, Finding
from edge_glass.core import ledger, manifest, parquet
from edge_glass.core.manifest import File
from edge_glass.core.revisions import SCHEMAS
from edge_glass.media.shard_columns import difference

FEWER = (1, 3)  # columns of ledgers of earlier releases: without media, and digests of rows


def stray_file(build: CheckedBuild) -> Iterator[Finding]:
    """A file is in the folder that the manifest does not know."""
    promised = {manifest.FILE, *(file.file for file in build.manifest.files())}
    for extra in sorted({path.name for path in build.folder.iterdir()} - promised):
        yield build.error(extra, "is in the folder but not in the manifest: delete it")


def damaged_file(build: CheckedBuild) -> Iterator[Finding]:
    """A file is missing, or its bytes are not those that were written."""
    for file in build.manifest.files():
        path = build.folder / file.file
        fault = None if path.is_file() else "is missing"
        if fault is None and (digest := _sha256(path)) != file.sha256:
            fault = f"sha256 is {digest}, the manifest says {file.sha256}"
        if fault:
            build.damaged.add(file.file)
            yield build.error(file.file, f"{fault}: build again")


def other_count(build: CheckedBuild) -> Iterator[Finding]:
    """A file has another number of rows or bytes than the manifest says."""
    for file, path in _readable(build):
        if (rows := parquet.count(path)) != file.rows:
            yield build.error(file.file, f"has {rows} rows, the manifest says {file.rows}")
        if (size := path.stat().st_size) != file.bytes:
            yield build.error(file.file, f"has {size} bytes, the manifest says {file.bytes}")


def other_columns(build: CheckedBuild) -> Iterator[Finding]:
    """A file's columns, their types or their Hugging Face metadata are not the manifest's."""
    for file, path in _readable(build):
        schema, wanted = parquet.schema(path), SCHEMAS.get(file.file, build.schema)
        if file.file == ledger.FILE:
            wanted = ledger.schema()
            fewer = len(wanted.names) - len(schema.names)
            wanted = pa.schema(list(wanted)[: -fewer if fewer in FEWER else None])
        if what := difference(schema, wanted) or _other_metadata(schema, wanted):
            build.damaged.add(file.file)
            yield build.error(file.file, f"{what}: build again")


def _other_metadata(there: pa.Schema, wanted: pa.Schema) -> str | None:
    stated, promised = ((each.metadata or {}).get(b"huggingface") for each in (there, wanted))
    if stated == promised:
        return None
    return "its Hugging Face metadata are not the manifest's features"


def other_sums(build: CheckedBuild) -> Iterator[Finding]:
    """Rows, bytes or the number of the shards of a split are not the sum of its shards."""
    for name, split in build.manifest.splits.items():
        sums = {
            "rows": (split.rows, sum(shard.rows for shard in split.shards)),
            "bytes": (split.bytes, sum(shard.bytes for shard in split.shards)),
        }
        for what, (promised, total) in sums.items():
            if promised != total:
                yield build.error(name, f"the manifest says {promised} {what}, its shards {total}")
        count = len(split.shards)
        wanted = [f"{name}-{n:05d}-of-{count:05d}.parquet" for n in range(count)]
        if [shard.file for shard in split.shards] != wanted:
            yield build.error(name, f"its shards are not {wanted[0]} to {wanted[-1]}")


def _readable(build: CheckedBuild) -> Iterator[tuple[File, Path]]:
    for file in build.manifest.files():
        if file.file not in build.damaged:
            yield file, build.folder / file.file


def _sha256(path: Path) -> str:
    """Of the bytes as they come, wherever they are kept."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
