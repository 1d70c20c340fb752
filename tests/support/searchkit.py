"""Builds with vectors that are planted, in the files that `build` and `embed` write."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from edge_glass.core import ledger, manifest
from edge_glass.core.atomic_files import write_json
from edge_glass.core.ledger import Entry, Outcome
from edge_glass.core.progress import Progress
from edge_glass.core.shard_files import write_table
from edge_glass.vectors import embed, index_build, vector_index
from edge_glass.vectors.embed import Layout
from edge_glass.vectors.embedding_files import Target
from edge_glass.vectors.stored_vectors import Stored, stored
from edge_glass.vectors.text_encoders import normal

TEXT = {"dtype": "string", "_type": "Value"}
KINDS = {
    "image": {"_type": "Image"},
    "audio": {"_type": "Audio"},
    "kind": {"_type": "ClassLabel", "names": ["a", "b"]},
}
GROUP = 1000  # rows
MEMORY = 10**9


def clustered(rows: int, dim: int = 32, clusters: int = 40, seed: int = 0) -> np.ndarray:
    """Vectors with near neighbours, as embeddings have them."""
    draw = np.random.default_rng(seed)
    middles = draw.standard_normal((clusters, dim))
    found = middles[draw.integers(clusters, size=rows)] + 0.4 * draw.standard_normal((rows, dim))
    return found.astype(np.float32)


def write(
    out: Path,
    embedded: dict[str, np.ndarray],
    splits: dict[str, int] | None = None,
    shard_rows: int = 20_000,
    layout: Layout = "parquet",
    modality: str = "text",
    **columns: list[Any],
) -> Path:
    """A config in `out/data`, its embeddings (NaN: none) beside it by an encoder `planted`."""
    rows = len(next(iter({**embedded, **columns}.values())))
    columns = {"id": [f"row {n}" for n in range(rows)]} | columns
    columns.setdefault("caption", [f"caption {n}" for n in range(rows)])
    folder, table, start = out / "data", pa.table(columns), 0
    folder.mkdir(parents=True)
    made: dict[str, Any] = {}
    for split, count in (splits or {"train": rows}).items():
        starts = range(start, start + count, shard_rows)
        files = [f"{split}-{n:05d}-of-{len(starts):05d}.parquet" for n in range(len(starts))]
        shards = []
        for at, file in zip(starts, files, strict=True):
            part = table.slice(at, min(shard_rows, start + count - at))
            plain = {"compression": "none", "use_dictionary": False}  # as media stand in a build
            pq.write_table(part, folder / file, row_group_size=GROUP, **plain)
            digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
            shards.append({"rows": len(part), "bytes": 1, "sha256": digest, "file": file})
        made[split] = {
            "rows": count, "bytes": 1, "shards": shards, "outcomes": {"kept": count},
            "warnings": {}, "figures": {},
        }  # fmt: skip
        start += count
    features = {field.name: KINDS.get(field.name) or _feature(field.type) for field in table.schema}
    described = {
        "manifest_version": 1, "config": "data", "corpus": "planted", "version": "1.0.0",
        "parameters": {}, "limit": None, "builder": "", "made_with": {}, "sources": [],
        "features": features, "splits": made,
    }  # fmt: skip
    entries = [
        Entry("planted", str(n), i, "train", Outcome.KEPT) for n, i in enumerate(columns["id"])
    ]
    written = write_table(folder / ledger.FILE, [ledger.to_table(entries)], ledger.schema())
    write_json(folder / manifest.FILE, described | {"ledger": asdict(written)})
    if embedded:
        plant(folder, embedded, layout, modality)
    return folder


def _feature(type_: pa.DataType) -> dict[str, str]:
    known = {pa.int64(): "int64", pa.float64(): "float64"}
    return {**TEXT, "dtype": known.get(type_, "string")}


def plant(folder: Path, embedded: Any, layout: Layout = "parquet", modality: str = "text") -> None:
    """Embeddings beside a build, of all of its rows."""
    target = folder.parent / "embeddings" / folder.name / "planted"
    shards = manifest.read(folder).shards()
    encoded = {c: {"modality": modality, "dim": v.shape[1]} for c, v in embedded.items()}
    settings = {"config": folder.name, "data": {s.file: s.sha256 for s in shards}}
    settings |= {"model": {"name": "planted", "revision": "0", "kind": "sentence"}}
    write_json(target / embed.FILE, settings | {"layout": layout, "encoded": encoded})
    start = 0
    for number, shard in enumerate(shards):
        part = slice(start, start := start + shard.rows)
        one = Target(layout, target, number, len(shards), folder / shard.file)
        one.write({column: iter([vectors[part]]) for column, vectors in embedded.items()}, encoded)


def only(folder: Path) -> Stored:
    """The embeddings of a build that has but one column of them."""
    [one] = stored(folder)
    return one


def made(folder: Path, memory: int = MEMORY) -> Path:
    return index_build.build(only(folder), [], memory, Progress())


def files(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file() and p.name != vector_index.MEASURED)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def nearest(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    alike = normal(vectors) @ normal(query[None])[0]
    return np.argsort(-np.nan_to_num(alike, nan=-2), kind="stable")[:k].tolist()
