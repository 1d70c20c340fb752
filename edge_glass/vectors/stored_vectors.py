"""What `edge-glass embed` wrote, read again: vectors with the numbers of their rows, in pieces.

Rows are counted from 0 over all shards of a build, in the order of its manifest.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import manifest, parquet, schema
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.vectors import arrays
from edge_glass.vectors.embed import FILE, REMEDY, SETTINGS
from edge_glass.vectors.embedding_files import ROWS, Target, targets

Array = np.ndarray[Any, Any]
SHARED = {"clip", "auto", "multimodal"}  # kinds of models whose modalities have one space


@dataclass(frozen=True)
class Part:
    """Some shards of a split, one after another: what a part of an index is made of."""

    label: str  # such as train-00000
    files: slice  # of a column's files
    start: int  # the number of its first row
    rows: int
    state: str  # a digest of what its vectors were made of


@dataclass(frozen=True)
class Stored:
    """The embeddings of one column by one encoder."""

    folder: Path  # that has embeddings.json
    column: str
    settings: dict[str, Any]  # what embeddings.json says
    shards: tuple[Path, ...]  # of the data

    @property
    def name(self) -> str:
        """`column:encoder`."""
        return f"{self.column}:{self.folder.name}"

    @property
    def modality(self) -> str:
        """What was encoded: image, text or audio."""
        return str(self.settings["encoded"][self.column]["modality"])

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return int(self.settings["encoded"][self.column]["dim"])

    @property
    def rows(self) -> int:
        """Of the data, with or without a vector."""
        return sum(map(parquet.count, self.shards))

    @property
    def model(self) -> dict[str, str]:
        """`name`, `revision` and `kind`."""
        described: dict[str, str] = self.settings["model"]
        return described

    @property
    def shares(self) -> bool:
        """Whether what the model takes has one space in it."""
        return self.model["kind"] in SHARED

    def is_near(self, other: "Stored") -> bool:
        """Whether the vectors of another column lie in the same space."""
        same = self.dim == other.dim and (self.modality == other.modality or self.shares)
        return self.folder == other.folder and same

    def parts(self, step: int) -> list[Part]:
        """All shards, `step` shards of a split in a part."""
        made_of = {name: value for name, value in self.settings.items() if name != "data"}
        shards, files, start = self.settings["data"], self.files(), 0
        groups: dict[str, list[int]] = {}
        for number, shard in enumerate(self.shards):
            split, place, *_ = shard.name.rsplit("-", 3)
            groups.setdefault(f"{split}-{int(place) // step:05d}", []).append(number)
        parts = []
        for label, numbers in groups.items():
            one, after = numbers[0], numbers[-1] + 1
            said = [[shards[self.shards[n].name], _size(files[n])] for n in numbers]
            state = hashlib.sha256(json.dumps([made_of, self.column, said]).encode()).hexdigest()
            rows = sum(map(parquet.count, self.shards[one:after]))
            parts.append(Part(label, slice(one, after), start, rows, state))
            start += rows
        return parts

    def blocks(self, files: slice | None = None) -> Iterator[tuple[Array, Array]]:
        """Numbers of rows, int64 (n,), and their vectors as stored, float32 (n, dim).

        With `files` of some shards alone, whose rows are counted from 0. Rows without a vector are
        left out.
        """
        for first, vectors, there in self._read(files):
            kept = there & np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
            yield first + np.flatnonzero(kept), vectors[kept]

    def some(self, rows: Array) -> Array:
        """The vectors of some rows, float32 (n, dim); zeros where there is none."""
        vectors = np.zeros((len(rows), self.dim), np.float32)
        for first, block, there in self._read(None, rows):
            inside = np.flatnonzero((rows >= first) & (rows < first + len(there)))
            inside = inside[there[rows[inside] - first]]
            vectors[inside] = block[rows[inside] - first]
        vectors[~np.isfinite(vectors).all(axis=1)] = 0
        return vectors

    def vector(self, row: int) -> Array:
        """The vector of a row, float32 (dim,). Raises EdgeGlassError if it has none."""
        if not 0 <= row < self.rows:
            raise DataError(f"{self.folder}: no row {row}; they go from 0 to {self.rows - 1}")
        vector: Array = self.some(np.array([row]))[0]
        if not vector.any():
            raise DataError(f"{self.folder}: row {row} has no {self.column} embedding")
        return vector

    def files(self) -> list[Path]:
        """The files that hold the vectors, one a shard."""
        return [target.vectors(self.modality) for target in self._targets()]

    def _targets(self) -> Iterator[Target]:
        return targets(self.settings["layout"], self.folder, self.shards)

    def check(self) -> None:
        """Raise EdgeGlassError if a part of the embeddings is not there."""
        absent = [target.last.name for target in self._targets() if not target.is_whole()]
        if absent:
            raise DataError(
                f"{self.folder}: {len(absent)} of {len(self.shards)} shards are not embedded yet "
                f"({absent[0]} is the first): run the same `edge-glass embed` again"
            )

    def _read(
        self, files: slice | None, wanted: Array | None = None
    ) -> Iterator[tuple[int, Array, Array]]:
        """First row of each piece, its vectors (n, dim), and which of them there are (n,)."""
        for first, piece in self._pieces(files, wanted):
            if isinstance(piece, np.ndarray):
                yield first, piece.astype(np.float32), np.ones(len(piece), dtype=bool)
            else:
                yield first, *_listed(piece[0], self.dim)

    def _pieces(self, files: slice | None, wanted: Array | None) -> Iterator[tuple[int, Any]]:
        """First row and content of each row group or part of an array that has a `wanted` row."""
        start, name = 0, f"{self.column}_embedding"
        for path in self.files()[files or slice(None)]:
            sized = _parts_of_array(path) if path.suffix == ".npy" else _row_groups(path, name)
            for count, load in sized:
                first, start = start, start + count
                if wanted is None or ((wanted >= first) & (wanted < start)).any():
                    yield first, load()


def _parts_of_array(path: Path) -> Iterator[tuple[int, Callable[[], Any]]]:
    array = arrays.loaded(path)
    for at in range(0, len(array), ROWS):
        yield min(ROWS, len(array) - at), partial(array.__getitem__, slice(at, at + ROWS))


def _row_groups(path: Path, name: str) -> Iterator[tuple[int, Callable[[], Any]]]:
    with parquet.opened(path) as file:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            yield count, partial(file.read_row_group, group, [name])


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


class Tokens(Stored):
    """A column of late interaction: a vector for each token, counted from 0 over all rows."""

    @cached_property
    def starts(self) -> Array:
        """The first token of each row, and of one behind the last: int64 (rows + 1,)."""
        sizes = [sizes for _, sizes, _ in self.groups()]
        return np.append(0, np.cumsum(np.concatenate([np.zeros(0, np.int64), *sizes])))

    @property
    def rows(self) -> int:
        """The tokens of all rows."""
        return int(self.starts[-1])

    def is_near(self, other: Stored) -> bool:
        """Never: no token of another column is looked for."""
        return False

    def parts(self, step: int) -> list[Part]:
        """All shards, `step` shards of a split in a part, counted by their tokens."""
        at = self.starts
        return [
            replace(
                one, start=int(at[one.start]), rows=int(at[one.start + one.rows] - at[one.start])
            )
            for one in super().parts(step)
        ]

    def blocks(self, files: slice | None = None) -> Iterator[tuple[Array, Array]]:
        """Numbers of tokens and their vectors, a row group at a time."""
        start = 0
        for *_, vectors in self.groups(files=files):
            yield np.arange(start, start + len(vectors)), vectors
            start += len(vectors)

    def groups(
        self, wanted: Array | None = None, files: slice | None = None
    ) -> Iterator[tuple[int, Array, Array]]:
        """The first row of each row group, how many tokens its rows have, and their vectors.

        With `wanted`, numbers of rows, only row groups that have one of these are given.
        """
        for first, table in self._pieces(files, wanted):
            column = table[0]
            sizes = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
            flat = pc.list_flatten(pc.list_flatten(column)).to_numpy()
            yield first, sizes.astype(np.int64), flat.reshape(-1, self.dim)


def _listed(column: pa.ChunkedArray, dim: int) -> tuple[Array, Array]:
    """A column of lists as an array; rows that are null are zeros."""
    there = column.is_valid().to_numpy()
    array = np.zeros((len(there), dim), dtype=np.float32)
    flat = [chunk.flatten().to_numpy() for chunk in column.chunks]
    array[there] = np.concatenate([np.empty(0, np.float32), *flat]).reshape(-1, dim)
    return array, there


def stored(folder: Path, root: Path | None = None) -> list[Stored]:
    """All embeddings of the build in `folder`, those under `root` (default: beside it).

    Raises EdgeGlassError if there are none, or if they were made of another build.
    """
    build, where = manifest.read(folder), (root or folder.parent / "embeddings") / folder.name
    shards = build.shards()
    paths = tuple(folder / shard.file for shard in shards)
    columns = []
    for file in sorted(where.glob(f"*/{FILE}")):
        settings = schema.read(file, SETTINGS, REMEDY)
        if settings["data"] != {shard.file: shard.sha256 for shard in shards}:
            raise DataError(
                f"{file.parent}: made of another build than the one in {folder}: delete it and run "
                "`edge-glass embed` again"
            )
        columns += [
            (Tokens if facts.get("late") else Stored)(file.parent, column, settings, paths)
            for column, facts in settings["encoded"].items()
        ]
    if not columns:
        raise DataError(
            f"{where}: no embeddings: make them with `edge-glass embed {folder} --encoder … "
            "--columns …`, or say where they are with --embeddings"
        )
    return columns


def chosen(stored: list[Stored], name: str, late: bool = False) -> Stored:
    """The one that is called `column:encoder`, or `column` if there is but one encoder.

    Raises EdgeGlassError if there is none, or if it is of late interaction, but `late` is not set.
    """
    fits = [one for one in stored if name in (one.name, one.column)]
    if not late and any(isinstance(one, Tokens) for one in fits):
        raise ConfigError(f"{name}: a vector for each token: it is for `search` and `eval`")
    if len(fits) != 1:
        raise ConfigError(
            f"{name}: {'several' if fits else 'no'} such embeddings; there are "
            f"{', '.join(one.name for one in stored)}"
        )
    return fits[0]
