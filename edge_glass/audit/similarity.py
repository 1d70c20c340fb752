"""How well two columns of a row fit: the cosine of what one model made of both (see `embed`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edge_glass.audit import findings
from edge_glass.audit.audited_shards import Shard
from edge_glass.core import parquet
from edge_glass.core.errors import ConfigError
from edge_glass.vectors.stored_vectors import Stored, chosen, stored

CHECK = "similarity"
BINS = np.linspace(-1, 1, 41)  # of the figures


@dataclass(frozen=True)
class Fit:
    """Two columns that are embedded (`image`, or `image:clip`), and the least cosine of a row."""

    columns: tuple[str, str]
    least: float

    @classmethod
    def checked(cls, columns: Sequence[str], least: float | None) -> "Fit":
        """What a user asks for. Raises ConfigError if that is not two columns and a cosine."""
        if len(columns) != 2 or least is None or not -1 <= least <= 1:
            raise ConfigError(
                "--check similarity wants --fit with two embedded columns (image,caption), and "
                "--least with a cosine from -1 to 1"
            )
        return cls((columns[0], columns[1]), least)

    def of(self, folder: Path) -> tuple[Stored, Stored]:
        """Their embeddings, beside the build. Raises ConfigError if no one model made both."""
        known = stored(folder)
        left, right = (chosen(known, name) for name in self.columns)
        if not left.is_near(right):
            raise ConfigError(
                f"{left.name} and {right.name} have no space in common: embed both columns in one "
                "run, with a model of images and texts or of sounds and texts"
            )
        left.check()
        right.check()
        return left, right


class Similarity:
    """The rows of a build that fit less well than `fit` asks, and how well all of them do."""

    def __init__(self, fit: Fit, folder: Path, shards: Sequence[Shard]) -> None:
        self._fit, self._shards = fit, shards
        self._left, self._right = fit.of(folder)
        self._counts = np.zeros(len(BINS) - 1, dtype=np.int64)
        self._sum = 0.0

    def flagged(self) -> Iterator[pa.RecordBatch]:
        """The findings, a block of rows at a time; rows that lack a vector are passed over."""
        rows, (here, split, id) = _rows(self._shards), (-1, "", "")
        least, columns = self._fit.least, ",".join(self._fit.columns)
        for numbers, cosines in self._cosines():
            self._counts += np.histogram(cosines, BINS)[0]
            self._sum += float(cosines.sum())
            entries: list[dict[str, Any]] = []
            for number, cosine in zip(numbers.tolist(), cosines.tolist(), strict=True):
                if cosine >= least:
                    continue
                while here < number:
                    here, split, id = next(rows)
                about = {"check": CHECK, "split": split, "id": id, "column": columns}
                entries.append(about | {"score": cosine, "threshold": least, "scope": "row"})
            yield pa.RecordBatch.from_pylist(entries, findings.SCHEMA)

    @property
    def figures(self) -> dict[str, Any]:
        """Rows that have a cosine, its mean, and how many of them are below which."""
        rows = int(self._counts.sum())
        below = np.cumsum(self._counts).tolist()
        edges = (f"{edge:.2f}" for edge in BINS[1:])
        return {
            "rows": rows,
            "mean": self._sum / max(1, rows),
            "below": dict(zip(edges, below, strict=True)),
        }

    def _cosines(self) -> Iterator[tuple[Any, Any]]:
        for (at, left), (beside, right) in zip(
            self._left.blocks(), self._right.blocks(), strict=True
        ):
            both, here, there = np.intersect1d(at, beside, True, return_indices=True)
            one, other = left[here].astype(np.float64), right[there].astype(np.float64)
            lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
            yield both, np.clip((one * other).sum(axis=1) / lengths, -1, 1)


def _rows(shards: Sequence[Shard]) -> Iterator[tuple[int, str, str]]:
    """Number, split and id of each row, over all shards."""
    ids = ((s.split, row["id"]) for s in shards for row in parquet.rows(s.path, ["id"]))
    return ((number, split, id) for number, (split, id) in enumerate(ids))
