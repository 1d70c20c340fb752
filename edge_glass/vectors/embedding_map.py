"""A map of embeddings: some rows as points of a plane, which lie near where they are alike.

The plane is that of the two directions in which these vectors differ most (their first principal
components), each turned so that its largest number is positive: the same map for the same vectors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from edge_glass.core import columns, plots
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.row import Example
from edge_glass.vectors.numbered_rows import SPLIT, Table, caption
from edge_glass.vectors.stored_vectors import Stored, Tokens, stored
from edge_glass.vectors.text_encoders import normal

POINTS = 400
LETTERS = 160  # of what a point says of its row
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class EmbeddingMap:
    """What a page needs to show a map."""

    title: str
    note: str
    svg: Markup


def of(folder: Path, root: Path | None = None) -> list[EmbeddingMap]:
    """A map of each column of a build that is embedded, none if no embeddings are whole.

    Args:
        folder: the build.
        root: where its embeddings are; beside it if that is None.

    Returns:
        Maps of the same rows, drawn with a seed; rows that may not be safe for work are left out.
    """
    try:
        all_ = [one for one in stored(folder, root) if not isinstance(one, Tokens)]
        for one in all_:
            one.check()
    except EdgeGlassError:
        return []
    table = Table(folder)
    passing = table.passing((), unsafe=False)
    safe = np.arange(table.rows) if passing is None else np.flatnonzero(passing)
    draw = np.random.default_rng(0)
    numbers = np.sort(draw.choice(safe, min(POINTS, len(safe)), replace=False))
    return [projection for one in all_ if (projection := _map(one, table, numbers))]


def _map(one: Stored, table: Table, numbers: Array) -> EmbeddingMap | None:
    vectors = one.some(numbers)
    there = vectors.any(axis=1)
    if there.sum() < 3 or one.dim < 2:
        return None
    places, share = _plane(normal(vectors[there]).astype(np.float64))
    name, labels = _groups(table)
    rows = table.some(numbers[there].tolist(), list({"id", table.caption, name} - {SPLIT}))
    points = [
        plots.Dot(x, y, labels.get(row[name], str(row[name])), _text(row, table.caption), number)
        for (x, y), row, number in zip(places.tolist(), rows, numbers[there].tolist(), strict=True)
    ]
    title = f"Map of {one.name}, {len(points):,} of {table.rows:,} rows by {name}"
    note = f"Near points are alike. The plane holds {share:.0%} of how the vectors differ."
    return EmbeddingMap(title, note, plots.svg(plots.scatter(title, points)))


def _plane(vectors: Array) -> tuple[Array, float]:
    """Places from 0 to 1 along both directions, and the share of all variance that these have."""
    centred = vectors - vectors.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    two = directions[:2]
    largest = np.take_along_axis(two, np.abs(two).argmax(axis=1)[:, None], axis=1)
    places = centred @ (two * np.where(largest < 0, -1, 1)).T
    low = places.min(axis=0)
    places = (places - low) / np.maximum(places.max(axis=0) - low, 1e-9)
    return places.round(3), float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-12))


def _groups(table: Table) -> tuple[str, dict[Any, str]]:
    """The column that colours points, a label's if there is one, and what its numbers mean."""
    for name in table.manifest.with_role(ColumnRole.LABEL):
        feature = table.manifest.features[name]
        if not columns.is_list(feature):
            return name, dict(enumerate(feature.get("names", [])))
    return SPLIT, {}


def _text(row: Example, column: str) -> str:
    return f"{row[SPLIT]} · {row['id']}: {caption(row[column])[:LETTERS]}"
