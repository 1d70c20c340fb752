"""Audio: probe, decode, resample, encode. Decoders see what the bytes are, never the file name."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import riff, sound_file
from edge_glass.media.container import MAX_SAMPLES
from edge_glass.media.sound_file import Probe, Sound

BLOCK = 2**18  # samples decoded at a time where nothing is kept
SILENCE = 10 ** (-60 / 20)  # of full scale: a quiet room recorded with any microphone is louder
APART = 0.5  # seconds; encoders pad a sound track by up to 0.1
FLOATS = {"FLOAT", "DOUBLE"}
DEEP = {"PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32"} | FLOATS  # more than 16 bits
MOST_CHANNELS = 8  # of sound that is a list of numbers
MOST_LEVEL = 4.0  # of full scale; beyond lie integers, which would want another scale
EXACT = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24"}  # integers that FLAC holds bit for bit


@dataclass(frozen=True, slots=True)
class Clip:
    """Encoded audio: `rate` in Hz; `notes` say what the conversion could not keep."""

    data: bytes
    suffix: str
    rate: int
    notes: tuple[str, ...] = ()


def check(data: bytes | Sound, hear: Callable[[np.ndarray], None] | None = None) -> Probe:
    """Decode audio bytes from end to end, keeping nothing.

    Raises Dropped if they are empty, no audio, cut short, or larger than the limits.

    `hear` is called with one block of samples after another, float32 of shape (frames, channels).
    """
    sound = Sound.of(data)
    info = sound.info
    length = max(1, BLOCK // info.channels) if info.seekable else info.frames
    block = np.empty((length, info.channels), dtype=np.float32)
    frames, samples = 0, block
    with sound.file() as file:
        while len(samples) == len(block):  # fewer is the end
            samples = sound_file.read_into(file, block)
            sound_file.check_numbers(samples, info.subtype)
            frames += len(samples)
            if hear:
                hear(samples)
    sound_file.check_count(frames, info.frames)
    return info


def decode(data: bytes, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Samples as float32 of shape (frames, channels) and their rate in Hz, at `rate` if given."""
    sound = Sound.of(data)
    target = rate or sound.info.rate
    return _resample(sound.samples("float32"), sound.info.rate, target), target


def listed(value: Any, rate: int | None) -> tuple[np.ndarray, int] | None:
    """Samples as float32 of shape (frames, channels) and their rate in Hz; None for no sound.

    `value` is the bytes of an audio file, a dict of them, or a list of numbers (one for each
    channel if there are several) at `rate` Hz, which nothing but the user can know. Raises Dropped.
    """
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None or len(data) == 0:
        return None
    if isinstance(data, bytes):
        return decode(data)
    if rate is None:
        detail = f"{len(data)} numbers without a rate: state it with --set sound_rate=…"
        raise Dropped(Outcome.UNSUITABLE_MEDIA, detail)
    return _shaped(data), rate


def _shaped(numbers: list[Any]) -> np.ndarray:
    try:
        sound = np.asarray(numbers, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise Dropped(
            Outcome.UNDECODABLE_MEDIA, f"sound that is no list of numbers: {error}"
        ) from None
    sound = sound[:, None] if sound.ndim == 1 else sound.T if len(sound) <= MOST_CHANNELS else sound
    if sound.ndim != 2 or sound.shape[1] > MOST_CHANNELS:
        raise Dropped(Outcome.UNSUITABLE_MEDIA, f"sound of shape {sound.shape}")
    if not (np.abs(sound) < MOST_LEVEL).all():
        raise Dropped(Outcome.UNSUITABLE_MEDIA, "samples that are not between -1 and 1")
    return sound


def transcode(data: bytes | Sound, rate: int | None, channels: int | None, format: str) -> Clip:
    """Convert audio bytes to `format` (flac or wav) at `rate` Hz with `channels` (1 or 2).

    What is so already keeps its bytes. Resampling is soxr HQ. Integer PCM that keeps its rate and
    channels stays as it is, bit for bit. What is computed anew gets 16 bits if the source has no
    more; else 24 in FLAC, and in WAV as many as the source.
    """
    sound = Sound.of(data)
    info = sound.info
    target = rate or info.rate
    same = target == info.rate and channels in (None, info.channels)
    if same and info.suffix == f".{format}":
        check(sound)
        return Clip(sound.data, info.suffix, info.rate)
    bits = 24 if info.subtype in DEEP else 16
    if same and info.subtype in EXACT:
        return _write(sound.samples(integer(bits)), target, format, f"PCM_{bits}")
    samples = _mix(sound.samples("float64" if bits == 24 else "float32"), channels)
    samples = _resample(samples, info.rate, target)
    if format == "wav" and info.subtype in FLOATS:
        return _write(samples, target, format, info.subtype)
    if format == "wav" and info.subtype == "PCM_32":
        bits = 32
    integers, clipped = quantise(samples, bits)
    notes = clipping(clipped)
    if bits == 24 and info.subtype in FLOATS | {"PCM_32"}:
        notes.append(f"{info.subtype} written with 24 bits")
    return _write(integers, target, format, f"PCM_{bits}", tuple(notes))


def waveform(data: bytes | Sound, rate: int | None) -> tuple[np.ndarray, int]:
    """Mono samples as float32 of shape (frames,), and their rate in Hz."""
    sound = Sound.of(data)
    return mono(sound.samples("float32"), sound.info.rate, rate)


def section(data: bytes, rate: int | None, seconds: float, at: float) -> tuple[np.ndarray, int]:
    """At most `seconds` of audio bytes, mono float32 of shape (frames,), and their rate in Hz.

    `at` says where they begin: 0 is the start, 1 as late as is possible. They equal the same
    stretch of a full decode; no more is decoded, but of lossy codecs what comes before.
    Raises Dropped.
    """
    sound = Sound.of(data)
    info = sound.info
    frames = min(info.frames, math.ceil(seconds * info.rate))
    start = round(at * (info.frames - frames))
    return mono(sound.stretch(start, frames, "float32"), info.rate, rate)


def encode(
    samples: np.ndarray, rate: int, target: int | None, channels: int | None, format: str
) -> Clip:
    """Encode samples that another decoder gave, float32 of shape (frames, channels), with 16 bits.

    `format` is flac or wav, at `target` Hz with `channels` (1 or 2) if given.
    """
    changed = _resample(_mix(samples, channels), rate, target or rate)
    integers, clipped = quantise(changed, 16)
    return _write(integers, target or rate, format, "PCM_16", tuple(clipping(clipped)))


def quantise(samples: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Samples as integers of so many bits, and how many of them were beyond full scale.

    They are rounded without dither, so that the same bytes come out every time.
    """
    top = 2 ** (bits - 1)
    scaled = samples * top
    np.rint(scaled, out=scaled)
    clipped = 0
    if scaled.size and not (-top <= scaled.min() and scaled.max() < top):
        clipped = int(np.count_nonzero(scaled > top - 1) + np.count_nonzero(scaled < -top))
        np.clip(scaled, -top, top - 1, out=scaled)
    integers = scaled.astype(integer(bits))
    return (integers << 8 if bits == 24 else integers), clipped


def integer(bits: int) -> str:
    """The type that soundfile takes samples of so many bits in, the highest bits first."""
    return "int16" if bits == 16 else "int32"


def clipping(samples: int) -> list[str]:
    """What the ledger should say of samples that were beyond full scale."""
    return [f"{samples} samples beyond full scale clipped"] if samples else []


def silence(samples: np.ndarray) -> list[str]:
    """What the ledger should say of sound in which nothing can be heard."""
    peak = float(np.abs(samples).max(initial=0))
    if peak >= SILENCE:
        return []
    return [f"silent: peak {20 * np.log10(peak):.0f} dB" if peak else "silent: no sample but 0"]


def apart(samples: np.ndarray, rate: int, seconds: float) -> list[str]:
    """What the ledger should say of sound that is not as long as its picture of `seconds`."""
    length = len(samples) / rate
    differs = abs(length - seconds) > APART
    return [f"sound of {length:.2f} s under a picture of {seconds:.2f} s"] if differs else []


def mono(samples: np.ndarray, rate: int, target: int | None) -> tuple[np.ndarray, int]:
    """Samples of shape (frames, channels) mixed to shape (frames,), and their rate in Hz."""
    return _resample(_mix(samples, 1), rate, target or rate)[:, 0], target or rate


def _mix(samples: np.ndarray, channels: int | None) -> np.ndarray:
    present = samples.shape[1]
    if channels is None or channels == present:
        return samples
    if channels == 1:
        mixed: np.ndarray = samples.mean(axis=1, keepdims=True, dtype=samples.dtype)
        return mixed
    if present == 1:
        return np.repeat(samples, channels, axis=1)
    raise Dropped(Outcome.UNSUITABLE_MEDIA, f"{present} channels cannot become {channels}")


def _resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    if rate == target:
        return samples
    if samples.size * target / rate > MAX_SAMPLES:
        detail = f"{rate} Hz at {target} Hz: more than {MAX_SAMPLES} samples"
        raise Dropped(Outcome.OVERSIZED_MEDIA, detail)
    resampled: np.ndarray = soxr.resample(samples, rate, target, quality="HQ")
    if not len(resampled):
        raise Dropped(Outcome.EMPTY_MEDIA, f"{rate} Hz at {target} Hz: less than one sample")
    return resampled


def _write(
    samples: np.ndarray, rate: int, format: str, subtype: str, notes: tuple[str, ...] = ()
) -> Clip:
    out = io.BytesIO()
    try:
        sf.write(out, samples, rate, format=format, subtype=subtype)
    except sf.LibsndfileError as error:
        detail = f"{format} cannot hold {samples.shape[1]} channels at {rate} Hz"
        raise Dropped(Outcome.UNSUITABLE_MEDIA, f"{detail}: {error.error_string.strip()}") from None
    return Clip(riff.without_clock(out.getvalue()), f".{format}", rate, notes)
