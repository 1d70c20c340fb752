"""The examples of a build in one order for all splits: sorted by id, as the paper's arrays are."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from edge_glass.core import manifest, parquet
from edge_glass.core.errors import DataError

UPSTREAM = {"validation": "dev"}  # our names of splits -> those of split.json


@dataclass
class Originals:
    """Ids in order, with the split of each, and the way to their columns."""

    folder: Path
    ids: list[str]
    splits: list[str]

    @staticmethod
    def of(folder: Path) -> "Originals":
        """Those of the config that is built in `folder`. Raises EdgeGlassError if it has none."""
        build = manifest.read(folder)
        rows: list[tuple[str, str]] = []
        for split, shard in build.shards_by_split():
            ids = parquet.table(folder / shard.file, ["id"])["id"].to_pylist()
            rows += [(id, split) for id in ids]
        if not rows:
            raise DataError(f"{folder}: no rows: nothing can be written")
        rows.sort()
        return Originals(folder, [id for id, _ in rows], [split for _, split in rows])

    def __len__(self) -> int:
        return len(self.ids)

    def by_split(self) -> dict[str, list[str]]:
        """The ids of each split, under the names that upstream gives them, as in split.json."""
        ids: dict[str, list[str]] = {}
        for id, split in zip(self.ids, self.splits, strict=True):
            ids.setdefault(UPSTREAM.get(split, split), []).append(id)
        return ids

    def paths(self, column: str) -> list[str]:
        """The file names in a column of media, in order."""
        cells = {place: row[column] or {} for place, row in self.rows([f"{column}.path"])}
        return [cells[place].get("path") or "" for place in range(len(self))]

    def rows(
        self, columns: list[str], done: np.ndarray[Any, Any] | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Place and columns of every original that is not `done`, in the order of the shards."""
        places = {id: place for place, id in enumerate(self.ids)}
        build = manifest.read(self.folder)
        for shard in build.shards():
            with parquet.opened(self.folder / shard.file) as file:
                for group in range(file.num_row_groups):
                    yield from self._group(file, group, columns, places, done)

    def _group(
        self,
        file: pq.ParquetFile,
        group: int,
        columns: list[str],
        places: dict[str, int],
        done: np.ndarray[Any, Any] | None,
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        ids = file.read_row_group(group, columns=["id"])["id"].to_pylist()
        if done is not None and all(done[places[id]] for id in ids):
            return
        for id, row in zip(ids, file.read_row_group(group, columns).to_pylist(), strict=True):
            if done is None or not done[places[id]]:
                yield places[id], row
