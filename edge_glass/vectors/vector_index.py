"""An index over one column of embeddings, memory-mapped: the nearest rows by cosine similarity.

Few vectors are kept as they are and compared one by one (`vectors.npy`); of many there are codes in
the lists of an inverted file (`vectors.faiss` and `vectors.ivfdata`), of which a query reads some.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from edge_glass.core import names, records, schema
from edge_glass.core.errors import DataError
from edge_glass.core.extras import needs
from edge_glass.vectors import arrays
from edge_glass.vectors.embed import FILE as EMBEDDINGS
from edge_glass.vectors.exact_search import top
from edge_glass.vectors.stored_vectors import Stored

FILE = "index.json"
FILES = ("rows.npy", "vectors.npy", "vectors.faiss", "vectors.ivfdata")  # of any kind of index
REMEDY = "delete it and run `edge-glass index` again"
DESCRIBED = schema.shape(
    made_of=str, kind=Literal["exact", "inverted"], column=str, dim=int,
    files=dict[str, tuple[int, str]],
)  # fmt: skip
MEASURED = "measured.json"
PIECE = 65_536  # vectors that are compared at a time
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of one query, the nearest first."""

    rows: Array  # int64 (n,)
    scores: Array  # cosine similarities, float32 (n,)
    vectors: Array  # as the index knows them, float32 (n, dim)


class Index(Protocol):
    """Finds the nearest rows of vectors of length 1."""

    facts: dict[str, Any]  # what index.json says

    def search(self, queries: Array, k: int) -> tuple[Array, Array]:
        """Rows, int64 (queries, k), -1 where there are fewer, and their similarities."""

    def find(self, query: Array, k: int, among: Array | None = None) -> Neighbours:
        """The nearest of one query (dim,); with `among`, bool over all rows, of those only."""


class Exact:
    """Compares a query with every vector. Needs nothing but NumPy."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.facts = facts
        self._rows = arrays.loaded(folder / "rows.npy")
        self._vectors = arrays.loaded(folder / "vectors.npy")

    def search(self, queries: Array, k: int) -> tuple[Array, Array]:
        """Rows and similarities of the k nearest of each query."""
        return self._top(queries, k, np.arange(len(self._rows)))

    def find(self, query: Array, k: int, among: Array | None = None) -> Neighbours:
        """The k nearest of one query, of those `among` if that is given."""
        wanted = np.arange(len(self._rows)) if among is None else np.flatnonzero(among[self._rows])
        [rows], [scores] = self._top(query[None], min(k, max(1, len(wanted))), wanted)
        rows, scores = rows[rows >= 0], scores[rows >= 0]
        vectors: Array = self._vectors[np.searchsorted(self._rows, rows)]
        return Neighbours(rows, scores, vectors)

    def _top(self, queries: Array, k: int, wanted: Array) -> tuple[Array, Array]:
        all_ = len(wanted) == len(self._rows)
        pieces = (wanted[at : at + PIECE] for at in range(0, len(wanted), PIECE))
        blocks = (
            (self._rows[p], self._vectors[p[0] : p[-1] + 1] if all_ else self._vectors[p])
            for p in pieces
        )
        return top(queries, blocks, k)


class Inverted:
    """Reads the lists that are nearest to a query. Needs faiss."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.facts = facts
        faiss = library()
        flags = faiss.IO_FLAG_READ_ONLY | faiss.IO_FLAG_ONDISK_SAME_DIR
        with hushed():
            try:
                self._index = faiss.read_index(str(folder / "vectors.faiss"), flags)
            except RuntimeError as error:
                said = " ".join(str(error).split())[:200]
                raise DataError(f"{folder}: damaged ({said}): {REMEDY}") from None
        # by itself faiss starts 32 threads a query, which cost more than the lists that they fetch
        faiss.downcast_InvertedLists(self._index.invlists).prefetch_nthread = 0
        self.probes = facts.get("probes", 1)

    @cached_property
    def lists(self) -> int:
        """The lists that there are."""
        return int(self._index.nlist)

    def search(self, queries: Array, k: int) -> tuple[Array, Array]:
        """Rows and similarities of the k nearest of each query."""
        scores, rows = self._index.search(queries, k, params=self._parameters(self.probes))
        return rows, scores

    def find(self, query: Array, k: int, among: Array | None = None) -> Neighbours:
        """The k nearest of one query, of those `among` if that is given."""
        probes, more = self.probes, {}
        if among is not None:
            share = max(1, among.sum()) / len(among)
            probes = min(self.lists, int(np.ceil(probes / share)))  # fewer fit in each list
            bits = np.packbits(among, bitorder="little")
            more = {"sel": library().IDSelectorBitmap(bits)}
        parameters = self._parameters(probes, **more)
        [scores], [rows] = self._index.search(query[None], k, params=parameters)
        rows, scores = rows[rows >= 0], scores[rows >= 0]
        return Neighbours(rows, scores, self._vectors(query, probes, rows))

    def _vectors(self, query: Array, probes: int, rows: Array) -> Array:
        """What the codes of rows say that were found in the lists of a query."""
        faiss, lists = library(), self._index.invlists
        vectors, left = np.zeros((len(rows), len(query)), np.float32), len(rows)
        places = {row: place for place, row in enumerate(rows.tolist())}
        for number in self._index.quantizer.search(query[None], probes)[1][0].tolist():
            if not left:
                break
            ids = faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number))
            for at in np.flatnonzero(np.isin(ids, rows)).tolist():
                vector = faiss.swig_ptr(vectors[places[int(ids[at])]])
                self._index.reconstruct_from_offset(number, at, vector)
                left -= 1
        return vectors

    def _parameters(self, probes: int, **more: Any) -> Any:
        return library().SearchParametersIVF(nprobe=probes, **more)


def library() -> Any:
    """Faiss. Raises EdgeGlassError if it is not installed."""
    needs("An index of many vectors", "search", "faiss")
    import faiss

    return faiss


@contextmanager
def hushed() -> Iterator[None]:
    """Without what faiss prints of lists on disk: standard output may be somebody's JSON."""
    sys.stdout.flush()
    libc, before = ctypes.CDLL(None), os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    try:
        yield
    finally:
        libc.fflush(None)
        os.dup2(before, 1)
        os.close(before)
        os.close(silence)


def place(stored: Stored) -> Path:
    """Where the index of a column lies."""
    return names.below(stored.folder, "index", names.file_name(stored.column))


def state(stored: Stored) -> str:
    """A digest of what an index is made of."""
    digest = sha256((stored.folder / EMBEDDINGS).read_bytes())
    for path in stored.files():
        digest.update(f"{path.name} {path.stat().st_size}\0".encode())
    return digest.hexdigest()


def read(folder: Path) -> dict[str, Any]:
    """What an index says of itself. Raises EdgeGlassError if a file is not what was written."""
    written = schema.read(folder / FILE, DESCRIBED, REMEDY)["files"]
    record = records.read(folder / FILE)
    if record is None or any(records.fault(folder / name, *written[name]) for name in written):
        raise DataError(f"{folder}: a file of it is not what was written: {REMEDY}")
    return record


def opened(stored: Stored) -> Index:
    """The index of a column. Raises EdgeGlassError if there is none, or one of other embeddings."""
    folder = place(stored)
    if not (folder / FILE).is_file():
        raise DataError(f"{stored.name}: no index in {folder}: run `edge-glass index`")
    facts = read(folder)
    if facts["made_of"] != state(stored):
        raise DataError(
            f"{folder}: the embeddings have changed since: run `edge-glass index` again"
        )
    return Exact(folder, facts) if facts["kind"] == "exact" else Inverted(folder, facts)
