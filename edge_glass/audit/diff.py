"""What changed between two builds: rows added and removed, columns changed, reasons that moved."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from edge_glass import ledger, manifest
from edge_glass.errors import EdgeGlassError
from edge_glass.manifest import Manifest

BUCKET = 500_000  # rows compared at a time

Key = tuple[str, str]  # split, id


@dataclass
class Difference:
    """One config in two builds."""

    config: str
    identical: bool = False
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)  # column -> ids
    moved: dict[str, list[str]] = field(default_factory=dict)  # "kept -> missing_media" -> ids
    parameters: dict[str, list[Any]] = field(default_factory=dict)  # name -> old and new value

    @property
    def rows(self) -> int:
        """How many rows differ, one that differs in several ways counted once for each."""
        groups = [self.added, self.removed, *self.changed.values(), *self.moved.values()]
        return sum(map(len, groups))


def diff(old: Path, new: Path) -> Iterator[Difference]:
    """Compare every config that is in both builds; one that is in one of them alone is an error."""
    before, after = manifest.built(old), manifest.built(new)
    if len(before) == len(after) == 1:
        after = dict(zip(before, after.values(), strict=True))
    if alone := sorted(before.keys() ^ after.keys()):
        raise EdgeGlassError(f"{old} and {new} do not both have {', '.join(alone)}")
    for config, folder in before.items():
        yield _compare(config, folder, after[config])


def _compare(config: str, old: Path, new: Path) -> Difference:
    before, after = manifest.read(old), manifest.read(new)
    found = Difference(config, identical=_same(before, after))
    names = [
        *before["parameters"],
        *(n for n in after["parameters"] if n not in before["parameters"]),
    ]
    pairs = {n: [before["parameters"].get(n), after["parameters"].get(n)] for n in names}
    found.parameters = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not found.identical:
        buckets = max(before["ledger"]["rows"], after["ledger"]["rows"]) // BUCKET + 1
        for bucket in range(buckets):
            _compare_ledgers(found, old, new, bucket, buckets)
            _compare_rows(found, (old, before), (new, after), bucket, buckets)
    return found


def _same(before: Manifest, after: Manifest) -> bool:
    """Whether all the bytes of data are equal."""
    return all(before[key] == after[key] for key in ("splits", "ledger", "features"))


def _compare_ledgers(found: Difference, old: Path, new: Path, bucket: int, buckets: int) -> None:
    before, after = (_outcomes(folder, bucket, buckets) for folder in (old, new))
    for key in before.keys() & after.keys():
        if before[key] != after[key]:
            found.moved.setdefault(f"{before[key]} -> {after[key]}", []).append(key[1])
    for ids in found.moved.values():
        ids.sort()


def _outcomes(folder: Path, bucket: int, buckets: int) -> dict[Key, str]:
    rows = ledger.read(folder / ledger.FILE, ["split", "id", "outcome"])
    return {
        (row["split"], row["id"]): row["outcome"]
        for row in rows
        if _bucket(row["id"], buckets) == bucket
    }


def _compare_rows(
    found: Difference,
    old: tuple[Path, Manifest],
    new: tuple[Path, Manifest],
    bucket: int,
    buckets: int,
) -> None:
    before, after = (_digests(*side, bucket, buckets) for side in (old, new))
    found.removed += sorted(key[1] for key in before.keys() - after.keys())
    found.added += sorted(key[1] for key in after.keys() - before.keys())
    for key in sorted(before.keys() & after.keys()):
        for column in sorted(before[key].keys() | after[key].keys()):
            if before[key].get(column) != after[key].get(column):
                found.changed.setdefault(column, []).append(key[1])


def _digests(
    folder: Path, made: Manifest, bucket: int, buckets: int
) -> dict[Key, dict[str, bytes]]:
    digests = {}
    for split, facts in made["splits"].items():
        for shard in facts["shards"]:
            with pq.ParquetFile(folder / shard["file"]) as file:
                for group in range(file.num_row_groups):
                    for row in file.read_row_group(group).to_pylist():
                        if _bucket(row["id"], buckets) == bucket:
                            digests[split, row["id"]] = {k: _digest(v) for k, v in row.items()}
    return digests


def _digest(value: Any) -> bytes:
    return hashlib.sha256(repr(value).encode()).digest()[:8]


def _bucket(key: str, buckets: int) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % buckets if buckets > 1 else 0


def summary(found: Difference) -> dict[str, int]:
    """Numbers of rows by kind of difference."""
    counts = Counter({"added": len(found.added), "removed": len(found.removed)})
    counts.update({f"changed {column}": len(ids) for column, ids in found.changed.items()})
    counts.update({move: len(ids) for move, ids in found.moved.items()})
    return {kind: n for kind, n in counts.items() if n}
