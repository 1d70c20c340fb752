"""The examples of a build in one order for all splits: sorted by id, as the paper's arrays are.

Their labels in that order are `labels_all_<n>.npy`, `ids_all.txt` and `class_names_<n>.json`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from edge_glass.core import manifest, outputs, parquet
from edge_glass.core.atomic_files import AtomicFile, write_json
from edge_glass.core.errors import DataError
from edge_glass.core.row import Example
from edge_glass.vectors import arrays

LABELS = "labels"  # the column
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
    ) -> Iterator[tuple[int, Example]]:
        """Place and columns of every original that is not `done`, in the order of the shards."""
        places = {id: place for place, id in enumerate(self.ids)}
        for shard in manifest.read(self.folder).shards():
            with parquet.opened(self.folder / shard.file) as file:
                for group in range(file.num_row_groups):
                    ids = file.read_row_group(group, ["id"])["id"].to_pylist()
                    numbers = [places[id] for id in ids]
                    left = {n for n in numbers if done is None or not done[n]}
                    if left:
                        rows = file.read_row_group(group, columns).to_pylist()
                        pairs = zip(numbers, rows, strict=True)
                        yield from ((number, row) for number, row in pairs if number in left)


def label_names(folder: Path) -> list[str]:
    """The classes of a build's column `labels`. Raises EdgeGlassError if it has none."""
    build = manifest.read(folder)
    feature: Any = datasets.Features.from_dict(build.features).get(LABELS)
    inner = getattr(feature, "feature", None)
    if not isinstance(inner, datasets.ClassLabel):
        raise DataError(f"{build.config}: no column {LABELS} of classes: none to export")
    return list(inner.names)


def multi_hot(folder: Path, originals: Originals) -> np.ndarray[Any, Any]:
    """float32 (rows, classes), rows in the order of `originals`."""
    encoded = np.zeros((len(originals), len(label_names(folder))), dtype=np.float32)
    for place, row in originals.rows([LABELS]):
        encoded[place, row[LABELS]] = 1
    return encoded


def export_labels(folder: Path, out: Path) -> None:
    """Write the labels of all splits, sorted by id, and `split.json` with the ids of each split."""
    classes, originals = label_names(folder), Originals.of(folder)
    files = (f"labels_all_{len(classes)}.npy", "ids_all.txt", f"class_names_{len(classes)}.json")
    outputs.claim(out, [*files, "split.json"])
    arrays.save(out / files[0], multi_hot(folder, originals))
    with AtomicFile(out / files[1]) as file:
        file.write("".join(f"{id}\n" for id in originals.ids).encode())
    write_json(out / files[2], classes)
    write_json(out / "split.json", originals.by_split())
