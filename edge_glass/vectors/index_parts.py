"""The parts of an index, written one by one; each is whole or absent, and may follow another.

A part of the same shards keeps its files. Of another one vectors that were there keep their codes,
which are known again by a digest of the vector; those that came are encoded.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from edge_glass.core import records
from edge_glass.core.atomic_files import AtomicFile, link
from edge_glass.core.progress import Progress, Tally
from edge_glass.core.schema import Plain
from edge_glass.vectors import arrays, recall
from edge_glass.vectors.stored_vectors import Part, Stored
from edge_glass.vectors.text_encoders import normal
from edge_glass.vectors.vector_index import FILE, LISTS, library, listed_ids, mapped

PER_LIST = 40  # vectors that a list is found from; faiss warns below 39
Array = np.ndarray[Any, Any]
Facts = dict[str, Any]  # what index.json says
File = tuple[int, str]  # bytes and sha256


@dataclass(frozen=True)
class Step(Plain):
    """What was written of a part, or of the lists: files by name, and counts of vectors."""

    files: dict[str, File]
    rows: int
    changed: int  # that came or went


def _unit(stored: Stored, files: slice | None = None) -> Iterator[tuple[Array, Array]]:
    for rows, vectors in stored.blocks(files):
        yield rows, normal(vectors)


class Work:
    """The folder of an index that is not whole yet: what is done is not done again."""

    def __init__(self, stored: Stored, facts: Facts, there: Path, earlier: Facts | None) -> None:
        self._stored, self._facts, self._there, self._earlier = stored, dict(facts), there, earlier
        self.folder = there.with_name(f".{there.name}.tmp")
        self.final = self.folder / "final"
        if records.read(self.folder / FILE) != facts:
            shutil.rmtree(self.folder, ignore_errors=True)
            records.write(self.folder / FILE, facts)
        self.final.mkdir(exist_ok=True)

    def steps(self, parts: list[Part], progress: Progress) -> dict[str, Step]:
        """What was done for each part, and for the lists, if there are any."""
        steps, name, rows = dict[str, Step](), self._stored.name, self._stored.rows
        if lists := self._facts.get("lists"):
            tally = Tally()
            with progress.rows(f"{name}: find {lists} lists", rows, tally):
                same = self._earlier is not None
                steps[LISTS] = self._step(LISTS, [LISTS], same, partial(self._train, tally))
        tally = Tally()
        with progress.rows(f"{name}: encode", rows, tally):
            for part in parts:
                before = self._earlier["parts"] if self._earlier else {}
                same = before.get(part.label) == part.state
                kinds = ("faiss", "keys.npy") if lists else ("npy", "rows.npy")
                files = [f"{part.label}.{kind}" for kind in kinds]
                write = self._encode if lists else self._copy
                steps[part.label] = self._step(part.label, files, same, partial(write, part, tally))
        return steps

    def _step(self, name: str, files: list[str], same: bool, write: Callable[[], Step]) -> Step:
        """Write the files of a part, or take those that are there if they are the same."""
        step = records.parsed(self.folder / f"{name}.json", Step)
        if step and not any(records.fault(self.final / n, *step.files[n]) for n in files):
            return step
        if same and self._earlier:
            for file in files:
                (self.final / file).unlink(missing_ok=True)
                link(self._there / file, self.final / file)
            known = {file: self._earlier["files"][file] for file in files}
            step = Step(known, self._earlier["vectors"].get(name, 0), 0)
        else:
            step = write()
        records.write(self.folder / f"{name}.json", step.plain())
        return step

    def _copy(self, part: Part, tally: Tally) -> Step:
        """Vectors as they are, of length 1."""
        blocks = tally.over(_unit(self._stored, part.files))
        rows, vectors = arrays.joined(blocks, self._stored.dim)
        named = {f"{part.label}.rows.npy": rows, f"{part.label}.npy": vectors}
        files = {name: arrays.save(self.final / name, array) for name, array in named.items()}
        return Step(files, len(rows), 0)

    def _train(self, tally: Tally) -> Step:
        faiss, facts, stored = library(), self._facts, self._stored
        draw = np.random.default_rng(0)
        held_out = set(recall.sample_rows(stored.rows).tolist())
        numbers = draw.choice(stored.rows, min(stored.rows, facts["sample"] + len(held_out)), False)
        wanted = np.zeros(stored.rows, dtype=bool)
        wanted[numbers] = True
        wanted[list(held_out)] = False
        sample = np.concatenate([v[wanted[rows]] for rows, v in tally.over(_unit(stored))])
        factory = f"IVF{facts['lists']},{facts['code']}"
        index = faiss.index_factory(stored.dim, factory, faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = 2 * PER_LIST  # all of them: they are a sample already
        index.train(sample)
        return Step({LISTS: self._faiss(LISTS, faiss.write_index, index)}, 0, 0)

    def _encode(self, part: Part, tally: Tally) -> Step:
        """Codes, each behind the number of its list; of vectors that were there those they had."""
        faiss, index = library(), library().read_index(str(self.final / LISTS))
        known = _Known(self._there if self._earlier else None, part.label, index)
        keys, new = np.zeros(part.rows, np.uint64), 0
        for rows, vectors in tally.over(_unit(self._stored, part.files)):
            keys[rows] = _keys(vectors)
            codes, lacking = known.codes_of(keys[rows])
            codes[lacking] = index.sa_encode(vectors[lacking])
            index.add_sa_codes(codes, rows)
            new += int(lacking.sum())
        count = int(index.ntotal)
        own, coded = f"{part.label}.keys.npy", f"{part.label}.faiss"
        lists = self._faiss(coded, faiss.write_InvertedLists, index.invlists)
        gone = len(known) - (count - new)
        changed = new + gone if self._earlier else 0
        return Step({own: arrays.save(self.final / own, keys), coded: lists}, count, changed)

    def _faiss(self, name: str, write: Callable[[Any, Any], None], what: Any) -> File:
        with AtomicFile(self.final / name) as file:
            write(what, library().PyCallbackIOWriter(file.write))
        return file.size, file.sha256


def _keys(vectors: Array) -> Array:
    """What vectors are known again by, uint64."""
    digests = b"".join(blake2b(one, digest_size=8).digest() for one in vectors)
    return np.frombuffer(digests, np.uint64)


class _Known:
    """The codes of the vectors of a part as it was; of none without a folder."""

    def __init__(self, folder: Path | None, label: str, index: Any) -> None:
        number = index.coarse_code_size()
        self._keys, self._codes = np.empty(0, np.uint64), np.empty((0, index.sa_code_size()), "u1")
        if folder is None or not (folder / f"{label}.faiss").is_file():
            return
        keys, lists = arrays.loaded(folder / f"{label}.keys.npy"), mapped(folder / f"{label}.faiss")
        codes = np.zeros((len(keys), index.sa_code_size()), "u1")
        for list_ in range(lists.nlist):
            if len(ids := listed_ids(lists, list_)):
                size = len(ids) * lists.code_size
                some = library().rev_swig_ptr(lists.get_codes(list_), size)
                codes[ids, number:] = some.reshape(len(ids), -1)
                codes[ids, :number] = np.array([list_], "<u8").view("u1")[:number]
        order = np.argsort(keys)
        order = order[keys[order] != 0]  # of rows without a vector
        self._keys, self._codes = keys[order], codes[order]

    def __len__(self) -> int:
        return len(self._keys)

    def codes_of(self, keys: Array) -> tuple[Array, Array]:
        """Codes of vectors by their keys, and which of them are not known."""
        codes, lacking = np.zeros((len(keys), self._codes.shape[1]), "u1"), np.ones(len(keys), bool)
        if len(self):
            at = np.minimum(np.searchsorted(self._keys, keys), len(self) - 1)
            lacking = self._keys[at] != keys
            codes[~lacking] = self._codes[at[~lacking]]
        return codes, lacking
