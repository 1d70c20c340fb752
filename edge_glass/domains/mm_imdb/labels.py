"""Multi-hot labels of a build: `labels_all_<n>.npy`, `ids_all.txt`, `class_names_<n>.json`."""

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from edge_glass.core import manifest, outputs
from edge_glass.core.atomic_files import Whole, write_json
from edge_glass.core.errors import DataError
from edge_glass.domains.mm_imdb.originals import Originals

COLUMN = "labels"


def names(folder: Path) -> list[str]:
    """The classes of a build's column `labels`. Raises EdgeGlassError if it has none."""
    build = manifest.read(folder)
    feature: Any = datasets.Features.from_dict(build.features).get(COLUMN)
    inner = getattr(feature, "feature", None)
    if not isinstance(inner, datasets.ClassLabel):
        raise DataError(f"{build.config}: no column {COLUMN} of classes: none to export")
    return list(inner.names)


def multi_hot(folder: Path, originals: Originals) -> np.ndarray[Any, Any]:
    """float32 (rows, classes), rows in the order of `originals`."""
    encoded = np.zeros((len(originals), len(names(folder))), dtype=np.float32)
    for place, row in originals.rows([COLUMN]):
        encoded[place, row[COLUMN]] = 1
    return encoded


def export(folder: Path, out: Path) -> None:
    """Write the labels of all splits, sorted by id, and `split.json` with the ids of each split."""
    classes, originals = names(folder), Originals.of(folder)
    files = (f"labels_all_{len(classes)}.npy", "ids_all.txt", f"class_names_{len(classes)}.json")
    outputs.claim(out, [*files, "split.json"])
    data = io.BytesIO()
    np.save(data, multi_hot(folder, originals))
    with Whole(out / files[0]) as file:
        file.write(data.getbuffer())
    with Whole(out / files[1]) as file:
        file.write("".join(f"{id}\n" for id in originals.ids).encode())
    write_json(out / files[2], classes)
    write_json(out / "split.json", originals.by_split())
