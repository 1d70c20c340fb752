"""What can be measured of a sound: level, silence, clipping, offset, loudness."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_glass.media.audio import SILENCE

FRAME = 0.05  # seconds, of which silence is told
TOP = 0.98  # of the peak: above it, samples that do not move were cut off
STILL = 2 / 2**15
RUN = 4  # such samples in a row
SHORTEST = BLOCK = 0.4  # seconds, of which loudness is told
STEP = 0.25  # of a block, from one to the next
LEAST, BELOW = -70, 10  # LUFS that count, and how many below the mean do
GAINS = np.array([1, 1, 1, 1.41, 1.41])  # of left, right, centre and what is behind
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Levels:
    """Of a sound: full scale is 1, shares are of its length, `loudness` is in LUFS."""

    seconds: float
    peak: float
    silent: float
    clipped: float
    offset: float
    loudness: float | None


def measure(samples: Array, rate: int, loudness: bool = True) -> Levels:
    """Measure samples, float32 of shape (frames, channels), at `rate` Hz; `loudness` if asked."""
    mono = samples.mean(axis=1, dtype=np.float32)
    peak = float(np.abs(samples).max(initial=0))
    offset = float(samples.mean(axis=0, dtype=np.float64)[np.argmax(np.abs(samples.mean(axis=0)))])
    return Levels(
        len(samples) / rate, peak, _silent(mono - offset, rate), max(map(_flat, samples.T)),
        offset, _loudness(samples, rate, peak) if loudness else None,
    )  # fmt: skip


def _silent(mono: Array, rate: int) -> float:
    size = max(1, round(FRAME * rate))
    whole = len(mono) // size * size
    frames = mono[:whole].reshape(-1, size) if whole else mono[None]
    levels = np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1))
    return float((levels < SILENCE).mean())


def _flat(samples: Array) -> float:
    """The share of the samples of a channel in flat tops."""
    loud = np.abs(samples)
    peak = float(loud.max(initial=0))
    if peak < SILENCE or len(samples) < RUN:
        return 0.0
    top = np.flatnonzero(loud >= TOP * peak)
    still = (np.diff(top) == 1) & (np.abs(np.diff(samples[top])) <= STILL)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.view(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2] + 1
    return float(lengths[lengths >= RUN].sum() / len(samples))


def _loudness(samples: Array, rate: int, peak: float) -> float | None:
    """Integrated loudness after ITU-R BS.1770-4, None of what is too short or silent."""
    if len(samples) < SHORTEST * rate or peak < SILENCE or samples.shape[1] > 5:
        return None
    energy = np.concatenate(
        [np.zeros((1, samples.shape[1])), np.cumsum(_weighted(samples, rate), 0)]
    )
    count = round((len(samples) / rate - BLOCK) / (BLOCK * STEP)) + 1
    starts = (BLOCK * (np.arange(count) * STEP) * rate).astype(int)
    ends = (BLOCK * (np.arange(count) * STEP + 1) * rate).astype(int)
    blocks = energy[np.minimum(ends, len(samples))] - energy[np.minimum(starts, len(samples))]
    powers = blocks @ GAINS[: samples.shape[1]] / (BLOCK * rate)
    powers = powers[_lufs(powers) >= LEAST]
    if not len(powers):
        return None
    powers = powers[_lufs(powers) > _lufs(powers.mean()) - BELOW]
    loudness = float(_lufs(powers.mean())) if len(powers) else -np.inf
    return loudness if np.isfinite(loudness) else None


def _lufs(power: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10 * np.log10(power))


def _weighted(samples: Array, rate: int) -> Array:
    """The energy of each sample as the ear weighs it: both filters in one pass."""
    import pyloudnorm
    from scipy.signal import sosfilt

    filters = pyloudnorm.Meter(rate)._filters.values()
    return np.asarray(sosfilt([[*each.b, *each.a] for each in filters], samples, axis=0) ** 2)
