"""A clip out of what a folder of raw files holds: the clip itself, or the whole track."""

import io

import numpy as np
import soundfile as sf

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.units import SLACK
from edge_glass.media import audio, sound_file


def clip(data: bytes, name: str, start: float, end: float, notes: list[str]) -> tuple[bytes, str]:
    """Bytes and name of seconds `start` to `end` of a track.

    What is as long as the section is the clip already and keeps its bytes. What reaches to `end` is
    the whole track: it is cut, as FLAC, and `notes` says so. Raises Dropped: anything else is
    wrong_duration.
    """
    info = audio.probe(data)
    wanted = end - start
    if abs(info.seconds - wanted) <= SLACK:
        return data, name
    if info.seconds < end - SLACK:
        detail = f"{info.seconds:.2f} s where {wanted:g} s were asked for"
        raise Dropped(Outcome.WRONG_DURATION, detail)
    notes.append(f"cut out of {info.seconds:.1f} s")
    stem = name.rpartition(".")[0] or name
    return _cut(data, info, (start, end), notes), f"{stem}.flac"


def _cut(data: bytes, info: sound_file.Probe, at: tuple[float, float], notes: list[str]) -> bytes:
    first, last = (min(round(second * info.rate), info.frames) for second in at)
    bits = 24 if info.subtype in audio.DEEP else 16
    exact = info.subtype in audio.EXACT
    samples = audio.stretch(data, first, last, _integer(bits) if exact else "float64")
    whole = samples if exact else _whole(samples, bits, notes)
    out = io.BytesIO()
    try:
        sf.write(out, whole, info.rate, f"PCM_{bits}", format="FLAC")
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string.strip()) from None
    return out.getvalue()


def _whole(samples: np.ndarray, bits: int, notes: list[str]) -> np.ndarray:
    """Integers of so many bits, the highest first; lossy codecs may go beyond full scale."""
    top = 2 ** (bits - 1)
    scaled = np.rint(samples * top)
    if clipped := int(np.count_nonzero((scaled > top - 1) | (scaled < -top))):
        notes.append(f"{clipped} samples beyond full scale clipped")
    integers: np.ndarray = np.clip(scaled, -top, top - 1).astype(_integer(bits))
    return integers << 8 if bits == 24 else integers


def _integer(bits: int) -> str:
    return "int16" if bits == 16 else "int32"
