"""Digests of keys on disk: duplicates and the n smallest of any number of rows, in flat memory."""

import os
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from edge_glass.core.atomic_files import FULL
from edge_glass.core.libraries import np, pa, pc

KEY = "row.key"  # the column of a batch that holds the digest of each id
_BLOCK = 2**20  # digests read at a time
_BUCKET = 2**22  # digests sorted at a time: 100 MB
_TOP = 2**16


def rank(seed: int, key: str) -> int:
    """A number of 64 bits that depends on nothing but `seed` and `key`."""
    return int.from_bytes(digest(seed, key)[:8])


def second_rank(seed: int, key: str) -> int:
    """Another one, which tells nothing of the first."""
    return int.from_bytes(digest(seed, key)[8:])


def digest(seed: int, key: str) -> bytes:
    """16 bytes that depend on nothing but `seed` and `key`."""
    return sha256(f"{seed}\0{key}".encode(errors="surrogatepass")).digest()[:16]


def digests(seed: int, keys: "pa.Array") -> "pa.Array":
    """The digest of each of many keys."""
    halves = pa.py_buffer(_halves(pc.binary_join_element_wise(f"{seed}\0", keys, "")))
    return pa.Array.from_buffers(pa.binary(16), len(keys), [None, halves])


def digits(texts: "pa.Array") -> "pa.Array":
    """The first 32 hexadecimal digits of the sha256 of each text.

    Args:
        texts: in UTF-8, none null.

    Returns:
        The digits, as text.
    """
    written = _halves(texts).hex().encode()
    ends = pa.py_buffer(np.arange(0, len(written) + 1, 32, dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), len(texts), [None, ends, pa.py_buffer(written)])


def _halves(texts: "pa.Array") -> bytes:
    """The first 16 bytes of the sha256 of each text, one after another."""
    hashes = b"".join([sha256(text).digest() for text in texts.cast("binary").to_pylist()])
    return np.frombuffer(hashes, "V16")[::2].tobytes()


def text_digests(texts: Iterable[str]) -> list[str]:
    """An id out of each text.

    Args:
        texts: what tells rows apart; what is not UTF-8 in them counts as `?`.

    Returns:
        Of each the first 32 hexadecimal digits of its sha256.
    """
    return [sha256(text.encode(errors="replace")).hexdigest()[:32] for text in texts]


def ranks(digests: "pa.Array") -> "np.ndarray":
    """The rank of each key, out of its digest."""
    return _pairs(_whole(digests))[:, 0]


def second_ranks(digests: "pa.Array") -> "np.ndarray":
    """The second rank of each key, out of its digest."""
    return _pairs(_whole(digests))[:, 1]


def _whole(digests: "pa.Array") -> memoryview:
    start = 16 * digests.offset
    return memoryview(digests.buffers()[1])[start : start + 16 * len(digests)]


def _pairs(data: bytes | memoryview) -> "np.ndarray":
    return np.frombuffer(data, dtype=">u8").reshape(-1, 2).astype(np.uint64)


@dataclass(frozen=True)
class KeySet:
    """Keys by their digests, in order in a file: in flat memory. It pickles."""

    path: Path

    @classmethod
    def of(cls, path: Path, keys: Iterable[str]) -> "KeySet":
        """Write the set to a file."""
        with path.open("wb", buffering=_BLOCK) as file:
            file.writelines(digest(0, key) for key in keys)
        if path.stat().st_size:
            np.memmap(path, "S16", "r+").sort()
        return cls(path)

    def __len__(self) -> int:
        return self.path.stat().st_size // 16

    def __contains__(self, key: object) -> bool:
        wanted, digests = digest(0, str(key)), _mapped(self.path)
        at = int(np.searchsorted(digests, np.bytes_(wanted)))
        return at < len(digests) and digests[at].ljust(16, b"\0") == wanted  # NumPy strips these


Ids = AbstractSet[str] | KeySet


@lru_cache(4)
def _mapped(path: Path) -> "np.ndarray":
    return np.memmap(path, "S16", "r") if path.stat().st_size else np.empty(0, "S16")


class Keys:
    """The digests of keys in the order in which they were added, 16 bytes each, in a file.

    The file has no name once it is open, so that a killed process leaves nothing behind.
    """

    def __init__(self, path: Path, seed: int = 0) -> None:
        self._path, self._seed = path, seed
        self._file = path.open("w+b", buffering=_BLOCK)
        path.unlink()
        self.count = 0

    def __enter__(self) -> "Keys":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError) and error.errno in FULL:
            error.filename = str(self._path)
        with suppress(OSError):
            self._file.close()

    def add(self, key: str) -> None:
        """Append a key; its position is the number of keys before it."""
        self._file.write(digest(self._seed, key))
        self.count += 1

    def extend(self, digests: "pa.Array") -> None:
        """Append many keys by their digests, made with the same seed."""
        self._file.write(_whole(digests))
        self.count += len(digests)

    def groups(self) -> Iterator[list[int]]:
        """Positions of keys that occur more than once, a list for each such key, ascending."""
        buckets = self.count // _BUCKET + 1
        for bucket in range(buckets):
            positions, digests = self._repeated(bucket, buckets)
            order = np.lexsort((positions, digests[:, 1], digests[:, 0]))
            positions, digests = positions[order], digests[order]
            same = np.flatnonzero((digests[1:] == digests[:-1]).all(axis=1))
            runs = np.split(same, np.flatnonzero(np.diff(same) > 1) + 1)
            for run in runs if len(same) else []:
                yield positions[run[0] : run[-1] + 2].tolist()

    def _repeated(self, bucket: int, buckets: int) -> "tuple[np.ndarray, np.ndarray]":
        """Positions and digests of the keys of a bucket whose rank another has, too: mostly none.

        Only the ranks of a bucket are in memory together.
        """
        ranks = np.concatenate(
            [block[block[:, 1] % buckets == bucket, 0] for _, block in self._blocks()]
        )
        ranks.sort()
        twice = np.unique(ranks[1:][ranks[1:] == ranks[:-1]])
        positions, digests = [np.empty(0, np.int64)], [np.empty((0, 2), np.uint64)]
        for start, block in self._blocks() if len(twice) else ():
            inside = np.isin(block[:, 0], twice) & (block[:, 1] % buckets == bucket)
            positions.append(np.flatnonzero(inside) + start)
            digests.append(block[inside])
        return np.concatenate(positions), np.concatenate(digests)

    def threshold(self, n: int) -> int:
        """The n-th smallest rank (64 bits): exactly n keys have it or a smaller one.

        Keys that occur more than once share a rank.
        """
        if n >= self.count:
            return 2**64 - 1
        histogram = np.zeros(_TOP, dtype=np.int64)
        for _, block in self._blocks():
            histogram += np.bincount((block[:, 0] >> 48).astype(np.int64), minlength=_TOP)
        below = np.cumsum(histogram)
        top = int(np.searchsorted(below, n))
        inside = [block[block[:, 0] >> 48 == top, 0] for _, block in self._blocks()]
        left = n - int(below[top] - histogram[top])
        return int(np.sort(np.concatenate(inside))[left - 1])

    def _blocks(self) -> "Iterator[tuple[int, np.ndarray]]":
        self._file.flush()
        for start in range(0, max(1, self.count), _BLOCK):
            data = os.pread(self._file.fileno(), _BLOCK * 16, start * 16)
            yield start, _pairs(data)
