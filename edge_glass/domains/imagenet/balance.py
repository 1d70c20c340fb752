"""How a build's rows fall on classes: frequencies from head to tail, overlaps."""

from array import array
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from edge_glass.core import parquet, plots
from edge_glass.core.columns import ColumnRole
from edge_glass.core.key_digests import rank
from edge_glass.core.manifest import Manifest
from edge_glass.domains.imagenet.classes import imagenet, labels

SHOWN = 8  # classes of the head, and of the tail
BATCH = 50_000


class ClassRows(NamedTuple):
    """How many rows a class has."""

    wnid: str
    name: str
    rows: int


class Overlap(NamedTuple):
    """What two configs have in common."""

    configs: str
    rows: int
    share: float  # of the rows of the smaller one
    classes: int
    of: int  # classes


@dataclass
class Balance:
    """The classes and ids of one config."""

    config: str
    counts: Counter[str]  # wnid -> rows
    ids: np.ndarray[Any, Any]  # ranks of the ids, sorted: 8 bytes a row

    @property
    def total(self) -> int:
        """Rows that have a class."""
        return self.counts.total()

    def ends(self) -> list["ClassRows"]:
        """The largest classes and the smallest, those without a row last."""
        names = {each.wnid: each.name for each in imagenet()}
        ranked = sorted(names, key=lambda wnid: (-self.counts[wnid], wnid))
        listed = [*ranked[:SHOWN], *ranked[-SHOWN:]]
        return [ClassRows(wnid, names[wnid], self.counts[wnid]) for wnid in listed]

    def plot(self) -> Markup:
        """The rows of each class that has some, from head to tail."""
        title = "Rows of a class by its rank, both axes logarithmic"
        return plots.svg(plots.ranks(title, self.counts.values(), "rank of the class"))


def of(folder: Path, manifest: Manifest) -> Balance | None:
    """The balance of a build, None if its rows have no classes."""
    name = next((n for n in ("wnid", "wnids") if n in manifest.features), None)
    if name is None or not manifest.with_role(ColumnRole.CAPTION):
        return None
    counts, ids = Counter[str](), array("Q")
    for path in (folder / shard.file for shard in manifest.shards()):
        if not path.is_file():  # it was sent away
            continue
        with parquet.opened(path) as file:
            for batch in file.iter_batches(BATCH, columns=["id", name]):
                column = batch[name].flatten() if name == "wnids" else batch[name]
                counts.update(column.to_pylist())
                ids.extend(rank(0, id.partition("#")[0]) for id in batch["id"].to_pylist())
    return Balance(manifest.config, counts, np.unique(np.array(ids)))


def overlaps(balances: list[Balance]) -> list[Overlap]:
    """Of each two configs: the ids and the classes that both have."""
    return [
        Overlap(
            f"{one.config} and {other.config}",
            shared := len(np.intersect1d(one.ids, other.ids, assume_unique=True)),
            shared / max(1, min(len(one.ids), len(other.ids))),
            len((+one.counts).keys() & (+other.counts).keys()),
            len(labels()),
        )
        for one, other in combinations(balances, 2)
    ]
