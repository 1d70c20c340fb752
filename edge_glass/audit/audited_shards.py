"""The shards that an audit reads, of one corpus or of several, and how their rows are numbered."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from edge_glass.core import manifest
from edge_glass.core.errors import DataError
from edge_glass.core.row import Features

BITS = 32  # of a row's number inside its shard: position = shard * 2**BITS + row


@dataclass(frozen=True)
class Shard:
    """A shard to be read; it pickles."""

    number: int  # among all shards of an audit
    corpus: int  # 0 is the one that is audited, others are held against it
    config: str
    split: str
    domain: int  # the number of its split among all splits of an audit
    path: Path
    sha256: str
    rows: int
    features: Features
    several: bool  # rows of one source row have ids that end in #1, #2, …

    def __str__(self) -> str:
        return f"{self.config}/{self.path.name}"


def shards(folders: Sequence[Path]) -> list[Shard]:
    """All shards of some builds, those of the first one first.

    Raises DataError where they are elsewhere.
    """
    listed: list[Shard] = []
    domain = 0
    for corpus, folder in enumerate(folders):
        build = manifest.read(folder)
        names = [shard.file for shard in build.shards()]
        if names and not (folder / names[0]).is_file():
            raise DataError(f"{folder}: no {names[0]}: give the folder that holds the shards")
        for split, facts in build.splits.items():
            for shard in facts.shards:
                path, known = folder / shard.file, (shard.sha256, shard.rows)
                place = (len(listed), corpus, build.config, split, domain)
                listed.append(Shard(*place, path, *known, build.features, build.each_example))
            domain += 1
    return listed


def table(shards: Sequence[Shard], paths: Sequence[Path]) -> pa.Table:
    """What SQL knows of shards; `paths` are their traces."""
    rows = Counter[int]()
    for shard in shards:
        rows[shard.domain] += shard.rows
    return pa.table(
        {
            "filename": [str(path) for path in paths],
            "number": pa.array([shard.number for shard in shards], pa.int64()),
            "corpus": pa.array([shard.corpus for shard in shards], pa.int32()),
            "config": [shard.config for shard in shards],
            "split": [shard.split for shard in shards],
            "domain": pa.array([shard.domain for shard in shards], pa.int32()),
            "rows_of_split": pa.array([rows[shard.domain] for shard in shards], pa.int64()),
            "several": [shard.several for shard in shards],
        }
    )
