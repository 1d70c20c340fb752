"""A clip out of what a folder of raw files holds: the clip itself, or the whole track."""

import io
from pathlib import Path

import numpy as np
import soundfile as sf

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.units import SLACK
from edge_glass.media import audio
from edge_glass.media.sound_file import Sound, check_count, damage_told

SEEKABLE = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF")


def clip(data: bytes, name: str, start: float, end: float, notes: list[str]) -> tuple[bytes, str]:
    """A section of a track. What is as long as the section is the clip already and keeps its bytes.

    Args:
        data: the track's bytes.
        name: of its file.
        start: of the section, in seconds.
        end: of the section, in seconds.
        notes: say if a whole track was cut, as FLAC.

    Returns:
        Bytes and name of the clip.

    Raises:
        Dropped: it is not as long as the section and does not reach to `end`, or does not decode.
    """
    sound = Sound.of(data)
    info = sound.info
    wanted = end - start
    if abs(info.seconds - wanted) <= SLACK:
        return data, name
    if info.seconds < end - SLACK:
        detail = f"{info.seconds:.2f} s where {wanted:g} s were asked for"
        raise Dropped(Outcome.WRONG_DURATION, detail)
    notes.append(f"cut out of {info.seconds:.1f} s")
    stem = name.rpartition(".")[0] or name
    return cut(sound, (start, end), notes), f"{stem}.flac"


def stretch(data: bytes, start: float, end: float, notes: list[str]) -> bytes:
    """Seconds `start` to `end` of a recording at the sample, as FLAC; all of it keeps its bytes.

    Raises Dropped: wrong_duration if it ends before.
    """
    sound = Sound.of(data)
    _check_end(sound.info.seconds, start, end)
    whole = _is_whole(start, end, sound.info.rate, sound.info.frames)
    return data if whole else cut(sound, (start, end), notes)


def _is_whole(start: float, end: float, rate: int, frames: int) -> bool:
    return start * rate < 1 and end * rate > frames - 1


def stretch_of_file(path: Path, start: float, end: float) -> bytes | None:
    """The same out of a WAV or FLAC of integers, of which no more is read; None of other files."""
    try:
        with sf.SoundFile(path) as file:
            rate, frames = file.samplerate, file.frames
            inside = end * rate < frames + 0.5 and not _is_whole(start, end, rate, frames)
            if file.format not in SEEKABLE or file.subtype not in audio.EXACT or not inside:
                return None
            _check_end(frames / rate, start, end)
            first, last = round(start * rate), min(round(end * rate), frames)
            bits = 24 if file.subtype in audio.DEEP else 16
            file.seek(first)
            samples = file.read(last - first, audio.integer(bits), always_2d=True)
    except sf.LibsndfileError:
        return None
    check_count(len(samples), last - first)
    return _flac(samples, rate, bits)


def _check_end(seconds: float, start: float, end: float) -> None:
    if not 0 <= start < end or seconds < end - SLACK:
        detail = f"{seconds:.2f} s where {start:g} to {end:g} s were asked for"
        raise Dropped(Outcome.WRONG_DURATION, detail)


def cut(sound: Sound, at: tuple[float, float], notes: list[str]) -> bytes:
    """The seconds between `at` of a sound, as FLAC; `notes` says what was clipped."""
    info = sound.info
    first, last = (min(round(second * info.rate), info.frames) for second in at)
    bits = 24 if info.subtype in audio.DEEP else 16
    exact = info.subtype in audio.EXACT
    samples = sound.stretch(first, last - first, audio.integer(bits) if exact else "float64")
    if not exact:
        samples, clipped = audio.quantise(samples, bits)
        notes += audio.clipping(clipped)
    return _flac(samples, info.rate, bits)


def _flac(samples: np.ndarray, rate: int, bits: int) -> bytes:
    out = io.BytesIO()
    with damage_told():
        sf.write(out, samples, rate, f"PCM_{bits}", format="FLAC")
    return out.getvalue()
