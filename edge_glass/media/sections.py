"""A clip out of what a folder of raw files holds: the clip itself, or the whole track."""

import io
import math
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile as sf

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.units import SLACK
from edge_glass.media import audio, container
from edge_glass.media.container import MAX_SECONDS
from edge_glass.media.sound_file import (
    SEEKABLE,
    UNKNOWN,
    Sound,
    Streamed,
    check_count,
    check_numbers,
    damage_told,
    read_into,
)

ROUNDING = 0.02  # seconds: by so much may rounded times of a span lie beyond the end
KEPT = 2**20  # samples behind a clip that are remembered, for the next one may overlap it
Span = tuple[float, float, int | None]  # start and end in seconds, the channel if not all


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
    return _cut(sound, (start, end, None), notes), f"{stem}.flac"


def stretch(data: bytes, span: Span, notes: list[str]) -> bytes:
    """A span of a recording at the sample, as FLAC; all of it keeps its bytes.

    Raises Dropped: wrong_duration if it ends before.
    """
    sound = Sound.of(data)
    _check_end(span, sound.info.seconds, notes)
    return data if _is_whole(span, sound.info.rate, sound.info.frames) else _cut(sound, span, notes)


def stretch_of_file(path: Path, span: Span, notes: list[str]) -> bytes | None:
    """The same out of a file of any length, of which a part is in memory at a time.

    None where the bytes of the whole file tell: it is all of it, or perhaps cut short. Raises
    Dropped: wrong_duration if it ends before, oversized_media if the span is too long.
    """
    recording = _recording(path, path.stat().st_mtime_ns) if path.is_file() else None
    if recording is None:
        return None
    _check_end(span, None, notes)
    rate, (start, end, _) = recording.rate, span
    first, last = round(start * rate), round(min(end, start + MAX_SECONDS) * rate)
    samples = recording.read(first, last + 2)  # two more tell whether it ends here
    seconds = (first + len(samples)) / rate
    if first + len(samples) < last + 2:
        if _is_whole(span, rate, first + len(samples)):
            return None
        if end * rate >= first + len(samples) + 0.5 and seconds <= MAX_SECONDS:
            return None
        _check_end(span, seconds, notes)
    elif end > start + MAX_SECONDS:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"a clip of more than {MAX_SECONDS} s")
    return _encoded(samples[: last - first], rate, recording.subtype, span[2], notes)


class _Seekable:
    """A recording in which any sample is found without those before it."""

    def __init__(self, file: sf.SoundFile) -> None:
        self._file, self.rate, self.subtype = file, file.samplerate, file.subtype

    def read(self, first: int, last: int) -> np.ndarray:
        """The samples between, as far as there are any. Raises Dropped if they are damaged."""
        first, last = (min(at, self._file.frames) for at in (first, last))
        with damage_told():
            self._file.seek(first)
            shape = (last - first, self._file.channels)
            samples = read_into(self._file, np.empty(shape, _type(self.subtype)))
        check_count(len(samples), last - first)
        return samples


class _Forward:
    """A recording whose codec gives the same samples only if it is decoded from its start."""

    def __init__(self, path: Path, rate: int, subtype: str) -> None:
        self._path, self.rate, self.subtype = path, rate, subtype
        self._kept = deque[np.ndarray]()  # from sample `_at` to `_end`
        self._restart()

    def _restart(self) -> None:
        self._kept.clear()
        self._blocks, self._at, self._end = _decoded(self._path), 0, 0

    def read(self, first: int, last: int) -> np.ndarray:
        """The samples between, as far as there are any. Raises Dropped if they are damaged."""
        if first < self._at:
            self._restart()
        while self._end < last and (decoded := next(self._blocks, None)):
            self._kept.append(decoded[0])
            self._end += len(decoded[0])
            while self._at + len(self._kept[0]) <= min(first, self._end - KEPT):
                self._at += len(self._kept.popleft())
        return np.concatenate(self._kept)[max(0, first - self._at) : last - self._at]


@lru_cache(1)
def _recording(path: Path, changed: int) -> _Seekable | _Forward | None:
    """A file that stays open for one clip after another; None if it is no sound.

    `changed`: when it was changed, for it is another one then.
    """
    with suppress(sf.LibsndfileError):
        file = sf.SoundFile(path)
        if file.subtype.startswith(SEEKABLE) and 0 < file.frames < UNKNOWN:
            return _Seekable(file)
    first = next(_decoded(path), None)
    return first and _Forward(path, *first[1:])


def _decoded(path: Path) -> Iterator[tuple[np.ndarray, int, str]]:
    """All samples, float32 of shape (frames, channels), a block at a time; with rate and codec."""
    if container.demuxer(container.head_of(path)):
        yield from container.blocks(path)
        return
    try:
        file = Streamed(path)
    except sf.LibsndfileError:
        return
    shape = (max(1, audio.BLOCK // file.channels), file.channels)
    while len(block := read_into(file, np.empty(shape, np.float32))):
        yield block, file.samplerate, file.subtype


def _is_whole(span: Span, rate: int, frames: int) -> bool:
    start, end, channel = span
    return channel is None and start * rate < 1 and end * rate > frames - 1


def _check_end(span: Span, seconds: float | None, notes: list[str]) -> None:
    """Raises Dropped if a span is none, or a recording ends before it or before half of it.

    `notes` say what the end of the recording takes from it; an `end` that is infinite is its own.
    """
    start, end, _ = span
    lost = 0.0 if seconds is None or end == math.inf else end - seconds
    asked = f"{start:g} to {end:g} s were asked for"
    there = "" if seconds is None else f"{seconds:.2f} s where "
    past = seconds is not None and seconds <= start
    if not 0 <= start < end or past or lost > min(SLACK, (end - start) / 2):
        raise Dropped(Outcome.WRONG_DURATION, there + asked)
    if lost > ROUNDING:
        notes.append(there + asked)


def _cut(sound: Sound, span: Span, notes: list[str]) -> bytes:
    """A span of a sound, as FLAC; `notes` says what was clipped."""
    info = sound.info
    first, last = (round(min(second, info.seconds) * info.rate) for second in span[:2])
    samples = sound.stretch(first, last - first, _type(info.subtype))
    return _encoded(samples, info.rate, info.subtype, span[2], notes)


def _type(subtype: str) -> str:
    """The type that samples of a codec are decoded to."""
    if subtype not in audio.EXACT:
        return "float64"
    return audio.integer(24 if subtype in audio.DEEP else 16)


def _encoded(
    samples: np.ndarray, rate: int, subtype: str, channel: int | None, notes: list[str]
) -> bytes:
    """Samples as FLAC with the depth of their codec; of one channel, where there are several."""
    channels = samples.shape[1]
    if channel is not None and channels > 1:
        if not 0 <= channel < channels:
            raise Dropped(Outcome.UNSUITABLE_MEDIA, f"no channel {channel} among {channels}")
        samples = samples[:, channel]
    bits = 24 if subtype in audio.DEEP else 16
    if subtype not in audio.EXACT:
        check_numbers(samples, subtype)
        samples, clipped = audio.quantise(samples, bits)
        notes += audio.clipping(clipped)
    out = io.BytesIO()
    with damage_told():
        sf.write(out, samples, rate, f"PCM_{bits}", format="FLAC")
    return out.getvalue()
