"""A clip out of what a folder of raw files holds: the clip itself, or the whole track."""

import io

import soundfile as sf

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.units import SLACK
from edge_glass.media import audio
from edge_glass.media.sound_file import Sound


def clip(data: bytes, name: str, start: float, end: float, notes: list[str]) -> tuple[bytes, str]:
    """Bytes and name of seconds `start` to `end` of a track.

    What is as long as the section is the clip already and keeps its bytes. What reaches to `end` is
    the whole track: it is cut, as FLAC, and `notes` says so. Raises Dropped: anything else is
    wrong_duration.
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
    return _cut(sound, (start, end), notes), f"{stem}.flac"


def _cut(sound: Sound, at: tuple[float, float], notes: list[str]) -> bytes:
    info = sound.info
    first, last = (min(round(second * info.rate), info.frames) for second in at)
    bits = 24 if info.subtype in audio.DEEP else 16
    exact = info.subtype in audio.EXACT
    samples = sound.stretch(first, last - first, audio.integer(bits) if exact else "float64")
    if not exact:
        samples, clipped = audio.quantise(samples, bits)
        notes += audio.clipping(clipped)
    out = io.BytesIO()
    try:
        sf.write(out, samples, info.rate, f"PCM_{bits}", format="FLAC")
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string.strip()) from None
    return out.getvalue()
