"""Audio: probe, decode, resample, encode. Decoders see what the bytes are, never the file name."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile as sf
import soxr

from edge_glass.ledger import Dropped, Outcome
from edge_glass.media import riff

MAX_SECONDS = 20 * 60
MAX_SAMPLES = 2**26  # over all channels: 256 MB as float32
SUFFIXES = {"WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "MP3": ".mp3", "OGG": ".ogg"}
# libsndfile's FLAC holds at most 24 bits; each source depth goes to the depth that holds it best
FLAC_BITS = {"PCM_S8": 16, "PCM_U8": 16, "PCM_16": 16, "VORBIS": 16, "MPEG_LAYER_III": 16}
LOSSLESS_IN_FLAC = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24"}


@dataclass(frozen=True, slots=True)
class Probe:
    """What the container says of its audio; `frames` are samples per channel, `rate` is in Hz."""

    format: str
    subtype: str
    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    @property
    def suffix(self) -> str:
        return SUFFIXES.get(self.format, f".{self.format.lower()}")


@dataclass(frozen=True, slots=True)
class Clip:
    """Encoded audio: `rate` in Hz; `notes` say what the conversion could not keep."""

    data: bytes
    suffix: str
    rate: int
    notes: tuple[str, ...] = ()


def probe(data: bytes) -> Probe:
    """Read the header of audio bytes.

    Raises Dropped if they are empty, no audio, cut short, or larger than the limits.
    """
    if not data:
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
    if missing := riff.missing_bytes(data):
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{missing} bytes fewer than its header promises")
    with _open(data) as file:
        found = Probe(file.format, file.subtype, file.samplerate, file.channels, file.frames)
    if found.frames == 0:
        raise Dropped(Outcome.EMPTY_MEDIA, "no samples")
    if found.seconds > MAX_SECONDS or found.frames * found.channels > MAX_SAMPLES:
        size = f"{found.seconds:.0f} s of {found.channels} channels"
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"{size}, the limit is {MAX_SECONDS} s")
    return found


def check(data: bytes) -> Probe:
    """Decode audio bytes from end to end, keeping nothing; raises Dropped as `probe` does."""
    found = probe(data)
    block = np.empty((65536, found.channels), dtype=np.float32)
    frames = 0
    with _open(data) as file:
        while len(read := _read(file, block)):
            frames += len(read)
    if frames < found.frames:
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{frames} of {found.frames} samples")
    return found


def decode(data: bytes, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Samples as float32 of shape (frames, channels) and their rate in Hz, at `rate` if given."""
    found = probe(data)
    samples = _samples(data, found, "float32")
    target = rate or found.rate
    return _resample(samples, found.rate, target), target


def transcode(data: bytes, rate: int | None, channels: int | None, format: str) -> Clip:
    """Convert audio bytes to `format` (flac or wav) at `rate` Hz with `channels` (1 or 2).

    Resampling is soxr HQ. Integer sources of up to 16 bits give 16 bits, all others 24 in FLAC and
    their own depth in WAV; without resampling integer PCM stays as it is, bit for bit.
    """
    found = probe(data)
    target = rate or found.rate
    same = target == found.rate and channels in (None, found.channels)
    bits = FLAC_BITS.get(found.subtype, 24)
    if same and found.subtype in LOSSLESS_IN_FLAC:
        integers = _samples(data, found, "int16" if bits == 16 else "int32")
        return _encode(integers, target, format, bits, ())
    precision = "float32" if bits == 16 else "float64"
    samples = _mix(_samples(data, found, precision), channels)
    samples = _resample(samples, found.rate, target)
    if format == "wav" and found.subtype in ("FLOAT", "DOUBLE"):
        return _write(samples, target, "WAV", found.subtype, ())
    integers, clipped = _quantise(samples, bits)
    notes = [f"{clipped} samples beyond full scale clipped"] if clipped else []
    if found.subtype in ("FLOAT", "DOUBLE", "PCM_32"):
        notes.append(f"{found.subtype} written with 24 bits")
    return _encode(integers, target, format, bits, tuple(notes))


def waveform(data: bytes, rate: int | None) -> tuple[np.ndarray, int]:
    """Mono samples as float32 of shape (frames,), and their rate in Hz."""
    samples, target = decode(data, rate)
    return _mix(samples, 1)[:, 0], target


def _open(data: bytes) -> sf.SoundFile:
    try:
        return sf.SoundFile(io.BytesIO(data))
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, _reason(error, data)) from None


def _reason(error: sf.LibsndfileError, data: bytes) -> str:
    return f"{error.error_string.strip()} First bytes: {data[:12]!r}"


def _read(file: sf.SoundFile, out: np.ndarray) -> np.ndarray:
    try:
        return file.read(out=out)
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string.strip()) from None


def _samples(data: bytes, found: Probe, dtype: str) -> np.ndarray:
    out = np.empty((found.frames, found.channels), dtype=dtype)
    with _open(data) as file:
        samples = _read(file, out)
    if len(samples) < found.frames:
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{len(samples)} of {found.frames} samples")
    return samples


def _mix(samples: np.ndarray, channels: int | None) -> np.ndarray:
    present = samples.shape[1]
    if channels is None or channels == present:
        return samples
    if channels == 1:
        return samples.mean(axis=1, keepdims=True, dtype=samples.dtype)
    if present == 1:
        return np.repeat(samples, channels, axis=1)
    raise Dropped(Outcome.UNSUITABLE_MEDIA, f"{present} channels cannot become {channels}")


def _resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    return samples if rate == target else soxr.resample(samples, rate, target, quality="HQ")


def _quantise(samples: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Round to integers without dither, so that the same bytes come out every time."""
    scale = 2 ** (bits - 1)
    scaled = np.rint(samples * scale)
    clipped = int(np.count_nonzero((scaled > scale - 1) | (scaled < -scale)))
    scaled = np.clip(scaled, -scale, scale - 1)
    return (scaled.astype(np.int16) if bits == 16 else scaled.astype(np.int32) << 8), clipped


def _encode(samples: np.ndarray, rate: int, format: str, bits: int, notes: tuple[str, ...]) -> Clip:
    return _write(samples, rate, format.upper(), f"PCM_{bits}", notes)


def _write(
    samples: np.ndarray, rate: int, format: str, subtype: str, notes: tuple[str, ...]
) -> Clip:
    out = io.BytesIO()
    try:
        sf.write(out, samples, rate, format=format, subtype=subtype)
    except sf.LibsndfileError as error:
        detail = f"{format} cannot hold it: {error.error_string.strip()}"
        raise Dropped(Outcome.UNSUITABLE_MEDIA, detail) from None
    return Clip(riff.without_clock(out.getvalue()), f".{format.lower()}", rate, notes)
