"""An index over one column of embeddings, memory-mapped: the nearest rows by cosine similarity.

It is in parts, each of some shards of a split, so that a change of the data stays in its part. Few
vectors are kept as they are and compared one by one; of many there are codes in the lists of
inverted files, of which a query reads some.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_glass.core import names, records, schema
from edge_glass.core.errors import DataError
from edge_glass.core.extras import needs
from edge_glass.vectors import arrays
from edge_glass.vectors.exact_search import merged, top
from edge_glass.vectors.stored_vectors import Part, Stored

FILE = "index.json"
LISTS = "lists.faiss"  # the middles of the lists and how codes are made, with no vectors
REMEDY = "delete it and run `edge-glass index` again"
DESCRIBED = schema.shape(
    kind=Literal["exact", "inverted"], column=str, dim=int, step=int, parts=dict[str, str],
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


class Exact:
    """Compares a query with every vector. Needs nothing but NumPy."""

    def __init__(self, folder: Path, facts: dict[str, Any], parts: list[Part]) -> None:
        self.facts = facts
        files = [(folder / f"{part.label}.rows.npy", part.start) for part in parts]
        self._rows = np.concatenate([arrays.loaded(path) + start for path, start in files])
        self._vectors = [arrays.loaded(folder / f"{part.label}.npy") for part in parts]
        self._starts = np.cumsum([0, *map(len, self._vectors)])

    def search(self, queries: Array, k: int) -> tuple[Array, Array]:
        """Rows and similarities of the k nearest of each query."""
        return top(queries, self._blocks(None), k)

    def find(self, query: Array, k: int, among: Array | None = None) -> Neighbours:
        """The k nearest of one query, of those `among` if that is given."""
        wanted = None if among is None else np.flatnonzero(among[self._rows])
        most = len(self._rows) if wanted is None else len(wanted)
        [rows], [scores] = top(query[None], self._blocks(wanted), min(k, max(1, most)))
        rows, scores = rows[rows >= 0], scores[rows >= 0]
        places = np.searchsorted(self._rows, rows)
        parts = np.searchsorted(self._starts, places, "right") - 1
        pairs = zip(parts.tolist(), (places - self._starts[parts]).tolist(), strict=True)
        vectors = [np.empty((0, len(query)), np.float32)]
        vectors += [self._vectors[part][at][None] for part, at in pairs]
        return Neighbours(rows, scores, np.concatenate(vectors))

    def _blocks(self, wanted: Array | None) -> Iterator[tuple[Array, Array]]:
        """Rows and their vectors, of all or of the `wanted` places."""
        for start, vectors in zip(self._starts.tolist(), self._vectors, strict=False):
            own = np.arange(len(vectors))
            if wanted is not None:
                own = wanted[slice(*np.searchsorted(wanted, [start, start + len(own)]))] - start
            for piece in (own[at : at + PIECE] for at in range(0, len(own), PIECE)):
                some = vectors[piece] if wanted is not None else vectors[piece[0] : piece[-1] + 1]
                yield self._rows[piece + start], some


class Inverted:
    """Reads the lists that are nearest to a query. Needs faiss."""

    def __init__(self, folder: Path, facts: dict[str, Any], parts: list[Part]) -> None:
        self.facts, self.probes = facts, facts.get("probes", 1)
        try:
            self._trained = library().read_index(str(folder / LISTS))
            self._parts = [(part, self._part(folder / f"{part.label}.faiss")) for part in parts]
        except RuntimeError as error:
            said = " ".join(str(error).split())[:200]
            raise DataError(f"{folder}: damaged ({said}): {REMEDY}") from None

    def _part(self, path: Path) -> Any:
        """An index of the lists in a file, with the middles of all."""
        faiss, one = library(), self._trained
        part = faiss.IndexIVFScalarQuantizer(
            one.quantizer, one.d, one.nlist, one.sq.qtype, one.metric_type, one.by_residual
        )
        part.sq, part.is_trained = one.sq, True
        part.replace_invlists(mapped(path), True)
        return part

    @cached_property
    def lists(self) -> int:
        """The lists that there are."""
        return int(self._trained.nlist)

    def search(self, queries: Array, k: int) -> tuple[Array, Array]:
        """Rows and similarities of the k nearest of each query."""
        return self._nearest(queries, k, self._near(queries, self.probes), None)

    def find(self, query: Array, k: int, among: Array | None = None) -> Neighbours:
        """The k nearest of one query, of those `among` if that is given."""
        probes = self.probes
        if among is not None:
            share = max(1, among.sum()) / len(among)
            probes = min(self.lists, int(np.ceil(probes / share)))  # fewer fit in each list
        near = self._near(query[None], probes)
        [rows], [scores] = self._nearest(query[None], k, near, among)
        rows, scores = rows[rows >= 0], scores[rows >= 0]
        return Neighbours(rows, scores, self._vectors(near[1][0].tolist(), rows, len(query)))

    def _near(self, queries: Array, probes: int) -> tuple[Array, Array]:
        """How near the nearest lists are to each query, and which they are."""
        near: tuple[Array, Array] = self._trained.quantizer.search(queries, probes)
        return near

    def _nearest(
        self, queries: Array, k: int, near: tuple[Array, Array], among: Array | None
    ) -> tuple[Array, Array]:
        faiss, most = library(), near[1].shape[1]
        best = np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, np.float32)
        for part, index in self._parts:
            more, bits = {}, None
            if among is not None:
                own = among[part.start : part.start + part.rows]
                bits = np.packbits(own, bitorder="little")
                more = {"sel": faiss.IDSelectorBitmap(bits)}
            rows, scores = np.empty_like(best[0]), np.empty_like(best[1])
            arguments = [faiss.swig_ptr(np.ascontiguousarray(each)) for each in near[::-1]]
            index.search_preassigned_c(  # the method without `_c` takes no parameters
                len(queries), faiss.swig_ptr(queries), k, *arguments, faiss.swig_ptr(scores),
                faiss.swig_ptr(rows), False, faiss.SearchParametersIVF(nprobe=most, **more),
            )  # fmt: skip
            there = rows >= 0
            rows[there] += part.start
            scores[~there] = -np.inf
            best = merged(best, (rows, scores), k)
        return best

    def _vectors(self, lists: list[int], rows: Array, dim: int) -> Array:
        """What the codes of rows say that were found in some lists."""
        faiss, vectors = library(), np.zeros((len(rows), dim), np.float32)
        for part, index in self._parts:
            own = np.flatnonzero((rows >= part.start) & (rows < part.start + part.rows))
            places = dict(zip((rows[own] - part.start).tolist(), own.tolist(), strict=True))
            for number in lists if places else ():
                for at, row in enumerate(listed_ids(index.invlists, number).tolist()):
                    if (place := places.get(row)) is not None:
                        index.reconstruct_from_offset(number, at, faiss.swig_ptr(vectors[place]))
        return vectors


Index = Exact | Inverted


def mapped(path: Path) -> Any:
    """The lists in a file, mapped into memory."""
    faiss = library()
    lists = faiss.read_InvertedLists(faiss.FileIOReader(str(path)), faiss.IO_FLAG_MMAP)
    lists = faiss.downcast_InvertedLists(lists)
    # by itself faiss starts 32 threads a query, which cost more than the lists that they fetch
    lists.prefetch_nthread = 0
    return lists


def listed_ids(lists: Any, number: int) -> Array:
    """The numbers of the rows in a list."""
    return np.asarray(library().rev_swig_ptr(lists.get_ids(number), lists.list_size(number)))


def library() -> Any:
    """Faiss. Raises EdgeGlassError if it is not installed."""
    needs("An index of many vectors", "search", "faiss")
    import faiss

    return faiss


def place(stored: Stored) -> Path:
    """Where the index of a column lies."""
    return names.below(stored.folder, "index", names.file_name(stored.column))


def read(folder: Path) -> dict[str, Any]:
    """What an index says of itself. Raises EdgeGlassError if a file is not what was written."""
    written = schema.read(folder / FILE, DESCRIBED, REMEDY)["files"]
    record = records.read(folder / FILE)
    if record is None or any(records.fault(folder / name, *written[name]) for name in written):
        raise DataError(f"{folder}: a file in it was changed: {REMEDY}")
    return record


def opened(stored: Stored) -> Index:
    """The index of a column. Raises EdgeGlassError if there is none, or one of other embeddings."""
    folder = place(stored)
    if not (folder / FILE).is_file():
        raise DataError(f"{stored.name}: no index in {folder}: run `edge-glass index`")
    facts = read(folder)
    parts = stored.parts(facts["step"])
    if facts["parts"] != {part.label: part.state for part in parts}:
        raise DataError(
            f"{folder}: the embeddings have changed since: run `edge-glass index` again"
        )
    return searched(folder, facts, parts)


def searched(folder: Path, facts: dict[str, Any], parts: list[Part]) -> Index:
    """The index in a folder whose files are whole."""
    kind = Exact if facts["kind"] == "exact" else Inverted
    return kind(folder, facts, parts)
