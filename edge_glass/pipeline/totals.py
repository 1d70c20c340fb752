"""A manifest out of the records of all shards."""

from collections import Counter
from collections.abc import Iterable, Mapping

from edge_glass.core.manifest import Figures, File, Inputs, Manifest, ShardRecord, Split, counted


def complete(
    described: Inputs,
    records: Iterable[ShardRecord],
    ledger: File,
    planned: Mapping[str, int | None],
) -> Manifest:
    """The whole manifest, out of the records of all shards and the rows of the splits' sources."""
    by_split: dict[str, list[ShardRecord]] = {}
    for record in records:
        by_split.setdefault(record.split, []).append(record)
    splits = {name: _split(of_split, planned[name]) for name, of_split in by_split.items()}
    return Manifest(**vars(described.inputs), splits=splits, ledger=ledger)


def _split(records: list[ShardRecord], planned: int | None) -> Split:
    shards = tuple(record.shard for record in records)
    seconds = sum(record.figures.seconds or 0 for record in records)
    licences = counted(record.figures.licences for record in records)
    return Split(
        rows=sum(shard.rows for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        shards=shards,
        outcomes=_by_name(counted(record.outcomes for record in records)),
        warnings=_by_name(counted(record.warnings for record in records)),
        figures=Figures(round(seconds, 3) if seconds else None, _by_name(licences)),
        planned=planned,
    )


def _by_name(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
