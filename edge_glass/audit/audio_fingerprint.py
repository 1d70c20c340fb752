"""Fingerprints of sounds that survive other rates, gains, encodings, and a beginning cut off.

The method is Haitsma and Kalker's ("A Highly Robust Audio Fingerprinting System", ISMIR 2002): of
frames of 0.37 s the energies in 33 bands between 300 and 2,000 Hz, and of each word of 32 bits a
bit says whether the difference of neighbouring bands grew since the last frame. Equal words
in two sounds name candidates; the share of bits that differ, at the best shift, decides.
"""

from typing import Any

import numpy as np
import soxr

RATE = 5500  # Hz
FRAME, HOP = 2048, 64  # samples: 0.37 s, 12 ms
BANDS = 33
EVERY = 4  # words of which one is kept for the comparison: one each 47 ms
POSTINGS = 256  # words of a sound that others are found by: those with the smallest hashes
FAINT = 1e-6  # of the loudest frame: words of such frames are noise
BLOCK = 16  # frames worked on at a time: they stay in the processor's cache
SHORTEST = 8  # words; less of a sound cannot be told from others
Array = np.ndarray[Any, Any]


def _bands() -> tuple[slice, Array]:
    """The frequencies of a frame that are in any band, and which is in which."""
    edges = np.geomspace(300, 2000, BANDS + 1)
    of = np.fft.rfftfreq(FRAME, 1 / RATE)[:, None]
    inside = ((of >= edges[:-1]) & (of < edges[1:])).astype(np.float32)
    first, *_, last = np.flatnonzero(inside.any(axis=1))
    return slice(first, last + 1), inside[first : last + 1]


HEARD, MATRIX = _bands()
WINDOW = np.hanning(FRAME).astype(np.float32)
BITS = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)


def words(samples: Array, rate: int) -> tuple[Array, Array]:
    """Words of a mono sound, uint32, one each 12 ms, and whether each can be relied on."""
    heard = soxr.resample(samples.astype(np.float32), rate, RATE, quality="HQ")
    if len(heard) < FRAME + HOP:
        heard = np.pad(heard, (0, FRAME + HOP - len(heard)))
    frames = np.lib.stride_tricks.sliding_window_view(heard, FRAME)[::HOP]
    energies = np.concatenate(
        [_energies(frames[at : at + BLOCK]) for at in range(0, len(frames), BLOCK)]
    )
    slopes = energies[:, :-1] - energies[:, 1:]
    bits = slopes[1:] > slopes[:-1]
    loud = energies[1:].sum(axis=1)
    packed: Array = np.packbits(bits, axis=1).view(">u4").ravel().astype(np.uint32)
    return packed, loud > max(float(loud.max()) * FAINT, 1e-9)


def _energies(frames: Array) -> Array:
    spectrum = np.fft.rfft(frames * WINDOW, axis=1)[:, HEARD]
    return np.asarray((spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ MATRIX)


def postings(prints: Array, sure: Array) -> tuple[Array, Array]:
    """Words by which a sound is found, each once, and where in the sound it stands first."""
    values, places = np.unique(prints[sure], return_index=True)
    order = np.argsort(_mixed(values), kind="stable")[:POSTINGS]
    return values[order].astype(np.int64), np.flatnonzero(sure)[places[order]].astype(np.int32)


def distance(one: Array, other: Array, shift: int) -> float:
    """The share of bits that differ where two sounds overlap, at `shift` words or next to it.

    0 is the same, 0.5 is nothing in common; 1 if they overlap too little to tell.
    """
    return min(_apart(one, other, shift + more) for more in (-1, 0, 1))


def _apart(one: Array, other: Array, shift: int) -> float:
    first, second = max(0, shift), max(0, -shift)
    length = min(len(one) - first, len(other) - second)
    if length < max(SHORTEST, min(len(one), len(other)) // 2):
        return 1.0
    differ = one[first : first + length] ^ other[second : second + length]
    return float(BITS[differ.view(np.uint8)].sum()) / (32 * length)


def _mixed(values: Array) -> Array:
    mixed = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))
