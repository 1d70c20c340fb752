"""MinHash of texts (Broder, "On the Resemblance and Containment of Documents", 1997).

A text is the set of its pieces of five bytes, without case and punctuation. The smallest of 64
hashes of them, four to a band, are the same for two texts that have four fifths in common, in one
band at least, with a probability of 0.9998.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WIDTH = 5  # bytes
BANDS, ROWS = 16, 4
Array = np.ndarray[Any, Any]


def _odd(count: int) -> Array:
    draw = np.random.Generator(np.random.PCG64(8))
    return draw.integers(2**63, size=count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


MULTIPLIERS = _odd(BANDS * ROWS)
MIX = _odd(ROWS)


def plain(texts: pa.Array) -> pa.Array:
    """Texts without case, punctuation and double spaces, at least five bytes long."""
    lower = pc.utf8_lower(texts.fill_null(""))
    words = pc.replace_substring_regex(lower, r"[^\p{L}\p{N}]+", " ")
    return pc.utf8_rpad(pc.utf8_trim_whitespace(words), WIDTH)


def bands(texts: pa.Array) -> Array:
    """For plain texts, int64 of shape (texts, 16): texts that are alike share a column's value."""
    if not len(texts):
        return np.empty((0, BANDS), dtype=np.int64)
    pieces, starts = _pieces(texts)
    smallest = np.empty((len(texts), BANDS * ROWS), dtype=np.uint64)
    for number, multiplier in enumerate(MULTIPLIERS):
        smallest[:, number] = np.minimum.reduceat((pieces * multiplier) >> np.uint64(32), starts)
    mixed = (smallest.reshape(-1, BANDS, ROWS) * MIX).sum(axis=2, dtype=np.uint64)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed * MIX[0]).view(np.int64))


def _pieces(texts: pa.Array) -> tuple[Array, Array]:
    """Hashes of all pieces of all texts, and where each text's begin."""
    texts = pa.concat_arrays([texts.cast(pa.large_string())])
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)[: len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2], dtype=np.uint8)[: offsets[-1]].astype(np.uint64)
    hashes = np.zeros(len(data) - WIDTH + 1, dtype=np.uint64)
    for place in range(WIDTH):
        hashes = hashes * np.uint64(0x100000001B3) + data[place : len(data) - WIDTH + 1 + place]
    inside = np.ones(len(hashes), dtype=bool)
    for end in range(1, WIDTH):
        inside[offsets[1:-1] - end] = False  # pieces that would reach into the next text
    hashes = hashes[inside]
    hashes ^= hashes >> np.uint64(33)
    hashes *= np.uint64(0xFF51AFD7ED558CCD)
    hashes ^= hashes >> np.uint64(33)
    return hashes, offsets[:-1] - np.arange(len(texts)) * (WIDTH - 1)


def distance(one: str, other: str) -> float:
    """1 less what two plain texts have in common, of all that they have (Jaccard)."""
    first, second = _cut(one.encode()), _cut(other.encode())
    common = len(first & second)
    return 1 - common / (len(first) + len(second) - common)


def _cut(data: bytes) -> set[bytes]:
    return {data[at : at + WIDTH] for at in range(len(data) - WIDTH + 1)}
