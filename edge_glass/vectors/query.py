"""Queries: a text, an image, a sound or a row of the data -> the rows that are nearest."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np

from edge_glass.core.errors import ConfigError, DataError, EdgeGlassError
from edge_glass.core.ledger import Dropped
from edge_glass.vectors.embed import fingerprint
from edge_glass.vectors.encoder import Encoder, of_model
from edge_glass.vectors.late_search import Late
from edge_glass.vectors.models import Modality, locate
from edge_glass.vectors.numbered_rows import Filter, Table
from edge_glass.vectors.stored_vectors import Stored, Tokens, stored
from edge_glass.vectors.text_encoders import normal
from edge_glass.vectors.vector_index import Neighbours, opened

Array = np.ndarray[Any, Any]
Kind = Literal["text", "image", "audio", "row"]
ALIKE = 0.02  # of the distance of any two rows; rows that are nearer to one another are doubles
MORE = 4  # times the hits that are asked for: doubles among them go
FOLDED = 500  # hits, beyond which no more are asked for because of doubles


@dataclass(frozen=True)
class Hit:
    """A row that was found."""

    row: int
    score: float  # cosine similarity
    like_it: tuple[int, ...]  # rows further down that are nearly the same


@dataclass(frozen=True)
class Query:
    """What is looked for: a text, the bytes of an image or sound file, or the number of a row."""

    kind: Kind
    value: Any


def takes(stored: Stored, kind: str) -> bool:
    """Whether a text, an image or a sound has a place in the space of a column."""
    if isinstance(stored, Tokens):
        return kind == "text"
    return kind == stored.modality or (kind in ("text", "image") and stored.shares)


def encoder_of(stored: Stored, modality: Modality) -> Encoder:
    """The encoder that a column was embedded with. Raises EdgeGlassError if it is another now."""
    name, revision = stored.model["name"], stored.model["revision"]
    if not Path(name).exists():
        return of_model(locate(f"{name}@{revision}"), modality)
    model = locate(name)
    if (model.revision or fingerprint(model)) != revision:
        raise DataError(f"{name}: its weights are not those that made {stored.folder}")
    return of_model(model, modality)


class Column:
    """An indexed column, and the encoder that it was made with."""

    def __init__(self, stored: Stored) -> None:
        self.stored, index = stored, opened(stored)
        self.index = Late(stored, index) if isinstance(stored, Tokens) else index
        self._encoders: dict[Modality, Encoder] = {}

    def takes(self, kind: Kind) -> bool:
        """Whether a query of this kind has a place in the column's space."""
        return takes(self.stored, self.stored.modality if kind == "row" else kind)

    def encoder(self, modality: Modality) -> Encoder:
        """What turns queries of a modality into vectors."""
        if modality not in self._encoders:
            self._encoders[modality] = encoder_of(self.stored, modality)
        return self._encoders[modality]

    def vector(self, query: Query) -> Array:
        """The query in the column's space, of length 1: float32 (dim,), or late (tokens, dim).

        Raises ConfigError if it is damaged.
        """
        if query.kind == "row":
            vectors = self.stored.vector(query.value)[None]
        else:
            encoder = self.encoder(query.kind)
            try:
                vectors = encoder.encode([encoder.prepare(query.value)])
            except Dropped as drop:
                raise ConfigError(
                    f"the {query.kind} cannot be read: {drop.outcome} {drop.detail}"
                ) from None
        late = isinstance(self.stored, Tokens)
        return np.asarray(normal(vectors[0]) if late else normal(vectors)[0])


class Finder:
    """All indexes of a config, and its rows."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.table, self.root = Table(folder), root
        all_ = stored(folder, root)
        self.columns = {one.name: Column(one) for one in all_}
        self.passing = lru_cache(maxsize=16)(self.table.passing)
        self._encoding = Lock()

    def column(self, query: Query, name: str | None = None) -> Column:
        """The column to look in: the one that is named, or the first that takes the query.

        Raises ConfigError if there is none.
        """
        fits = [
            column
            for column in self.columns.values()
            if name in (None, column.stored.name, column.stored.column) and column.takes(query.kind)
        ]
        if not fits:
            raise ConfigError(
                f"no index takes {query.kind} as a query{f' in {name}' if name else ''}; there are "
                f"{', '.join(self.columns)}"
            )
        return fits[0]

    def find(
        self,
        query: Query,
        name: str | None = None,
        k: int = 10,
        filters: Sequence[Filter] = (),
        unsafe: bool = False,
        fold: bool = True,
    ) -> list[Hit]:
        """The `k` nearest rows that pass the filters; with `fold`, rows nearly the same are one."""
        column, among = self.column(query, name), self.passing(tuple(filters), unsafe)
        fold = fold and not isinstance(column.index, Late)  # nobody says how alike doubles are
        wanted = max(k, min(FOLDED, MORE * k)) if fold else k
        neighbours = column.index.find(self._vector(column, query), wanted, among)
        alike = 1 - ALIKE * (1 - column.index.facts["similarity"])
        return (_folded(neighbours, alike) if fold else _each(neighbours))[:k]

    def warm(self) -> None:
        """Read the weights that the first query by a text needs, if there are any."""
        with suppress(EdgeGlassError):
            query = Query("text", "warm")
            self._vector(self.column(query), query)

    def _vector(self, column: Column, query: Query) -> Array:
        if query.kind == "row":
            return column.vector(query)
        with self._encoding:  # transformers fails where two threads import it at once
            return column.vector(query)


def _each(neighbours: Neighbours) -> list[Hit]:
    pairs = zip(neighbours.rows.tolist(), neighbours.scores.tolist(), strict=True)
    return [Hit(row, round(score, 4), ()) for row, score in pairs]


def _folded(neighbours: Neighbours, alike: float) -> list[Hit]:
    """Each row whose cosine to one before it is `alike` or more stands with that one."""
    units, first, like = normal(neighbours.vectors), list[int](), dict[int, list[int]]()
    for place in range(len(units)):
        near = [at for at in first if units[at] @ units[place] >= alike]
        if near:
            like[near[0]].append(int(neighbours.rows[place]))
        else:
            first.append(place)
            like[place] = []
    hits = _each(neighbours)
    return [Hit(hits[at].row, hits[at].score, tuple(like[at])) for at in first]
