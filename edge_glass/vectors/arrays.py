"""Memory-mapped arrays that are filled in any order, and their z-scores.

A z-score is fitted in two passes of fixed pieces, so that it is the same whatever order the rows
came in; an array gets its name when all of it is normalised and on disk.
"""

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from edge_glass.core.atomic_files import AtomicFile, sync_folder
from edge_glass.core.errors import DataError

Array = np.ndarray[Any, Any]
PIECE = 4096  # rows that are summed or written at a time
EPSILON = 1e-6  # added to sigma, as the paper's pipeline does


def opened(path: Path, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """A memory-mapped array at `path` for reading and writing; zeros where it is new."""
    if path.exists():
        return open_memmap(path, mode="r+")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.tmp")
    open_memmap(aside, mode="w+", dtype=dtype, shape=shape).flush()
    aside.replace(path)
    return open_memmap(path, mode="r+")


def loaded(path: Path) -> Array:
    """A memory-mapped array at `path` for reading. Raises EdgeGlassError if it is damaged."""
    try:
        return np.asarray(np.load(path, mmap_mode="r"))
    except (ValueError, EOFError, SyntaxError) as error:
        raise DataError(f"{path}: a damaged array ({error}): make it again") from None


def save(path: Path, array: Array) -> tuple[int, str]:
    """Write an array to `path`, whole or not at all; gives its bytes and sha256."""
    with AtomicFile(path) as file:
        np.save(file, array)
    return file.size, file.sha256


def joined(blocks: Iterable[tuple[Array, Array]], dim: int) -> tuple[Array, Array]:
    """Numbers of rows and their vectors out of blocks, of which there may be none."""
    none = [(np.empty(0, np.int64), np.empty((0, dim), np.float32))]
    rows, vectors = (np.concatenate(some) for some in zip(*none, *blocks, strict=True))
    return rows, vectors


def flush(*mapped: Array) -> None:
    """Put what was written to memory-mapped arrays on disk."""
    for array in mapped:
        array.flush()  # type: ignore[attr-defined]


def moments(rows: Array, fitted: Array) -> tuple[Array, Array]:
    """Mean and population standard deviation, float32 (dim,), of the rows where `fitted` is set."""
    count = int(fitted.sum())
    total = sum((p.sum(0) for p in _pieces(rows, fitted)), np.zeros(rows.shape[1]))
    mu = total / max(count, 1)
    squares = sum((((p - mu) ** 2).sum(0) for p in _pieces(rows, fitted)), np.zeros(rows.shape[1]))
    return mu.astype(np.float32), np.sqrt(squares / max(count, 1)).astype(np.float32)


def _pieces(rows: Array, fitted: Array) -> Iterator[Array]:
    for start in range(0, len(rows), PIECE):
        chosen = fitted[start : start + PIECE]
        yield rows[start : start + PIECE][chosen].astype(np.float64)


def normalised(raw: Array, path: Path, mu: Array, sigma: Array) -> None:
    """Write `(raw - mu) / (sigma + 1e-6)` to `path`, whole or not at all."""
    aside = path.with_name(f"{path.name}.tmp")
    out = open_memmap(aside, mode="w+", dtype=np.float32, shape=raw.shape)
    for start in range(0, len(raw), PIECE):
        out[start : start + PIECE] = (raw[start : start + PIECE] - mu) / (sigma + EPSILON)
    out.flush()
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)
    sync_folder(path.parent)


def save_stats(path: Path, mu: Array, sigma: Array) -> None:
    """`mu` and `sigma` as an .npz, whole or not at all."""
    data = io.BytesIO()
    np.savez(data, mu=mu, sigma=sigma)
    with AtomicFile(path) as file:
        file.write(data.getbuffer())
