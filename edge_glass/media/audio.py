"""Audio: probe, decode, resample, encode. Decoders see what the bytes are, never the file name."""

import io
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import container, flac, magic, mpeg, ogg, riff

MAX_SECONDS = 20 * 60
MAX_SAMPLES = 2**26  # over all channels, before and after resampling: 256 MB as float32
MAX_CHANNELS = 64  # a resampler takes memory for each, however short the sound
MAX_LEVEL = 1e20  # full scale is 1; beyond this, filters overflow
BLOCK = 2**18  # samples decoded at a time where nothing is kept
# libsndfile knows many more containers; the others are older than anyone's corpus
MAGIC = (
    *(b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff", b"FORM", b"caff", b".snd", b"NIST_1A"),
    *(b"fLaC", b"OggS"),
)
UNKNOWN = 2**63 - 1  # frames, where libsndfile cannot say
MOST = 2**13  # samples that a byte can stand for: a header that promises more is wrong
SUFFIXES = {"WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "NIST": ".sph"}
ALIASES = {
    ".aif": ".aiff",
    ".oga": ".ogg",
    ".opus": ".ogg",
    ".wave": ".wav",
    ".mp2": ".mp3",
    ".mp4": ".m4a",
    ".nist": ".sph",
}
SILENCE = 10 ** (-60 / 20)  # of full scale: a quiet room recorded with any microphone is louder
APART = 0.5  # seconds; encoders pad a sound track by up to 0.1
FLOATS = {"FLOAT", "DOUBLE"}
DEEP = {"PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32"} | FLOATS  # more than 16 bits
SEEKABLE = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")  # lossy codecs arrive with other samples
EXACT = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24"}  # integers that FLAC holds bit for bit


@dataclass(frozen=True, slots=True)
class Probe:
    """What there is of audio; `frames` are samples per channel, `rate` is in Hz.

    `counted` is whether they were counted because no header says them, or a wrong one.
    """

    format: str
    subtype: str
    rate: int
    channels: int
    frames: int
    counted: bool = field(default=False, compare=False)

    @property
    def seekable(self) -> bool:
        """Whether decoding may begin anywhere and gives the same samples."""
        return self.subtype.startswith(SEEKABLE)

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    @property
    def suffix(self) -> str:
        return SUFFIXES.get(self.format, f".{self.format.lower()}")

    def has_name(self, suffix: str) -> bool:
        """Whether files of this format may end in `suffix` (with its dot)."""
        return ALIASES.get(suffix.lower(), suffix.lower()) == self.suffix


@dataclass(frozen=True, slots=True)
class Clip:
    """Encoded audio: `rate` in Hz; `notes` say what the conversion could not keep."""

    data: bytes
    suffix: str
    rate: int
    notes: tuple[str, ...] = ()


def probe(data: bytes) -> Probe:
    """Read the header of audio bytes; of MP3 and MP2, the headers of all frames.

    Raises Dropped if they are empty, no audio, cut short, or larger than the limits.
    """
    return _probe(_source(data))


def check(data: bytes, hear: Callable[[np.ndarray], None] | None = None) -> Probe:
    """Decode audio bytes from end to end, keeping nothing; raises Dropped as `probe` does.

    `hear` is called with one block of samples after another, float32 of shape (frames, channels).
    """
    source = _source(data)
    info = _probe(source)
    length = max(1, BLOCK // info.channels) if info.seekable else info.frames
    block = np.empty((length, info.channels), dtype=np.float32)
    frames, read = 0, block
    with _open(source) as file:
        while len(read) == len(block):  # fewer is the end
            read = _read(file, block)
            _only_numbers(read, info)
            frames += len(read)
            if hear:
                hear(read)
    _all_there(frames, info.frames)
    return info


def decode(data: bytes, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Samples as float32 of shape (frames, channels) and their rate in Hz, at `rate` if given."""
    source = _source(data)
    info = _probe(source)
    target = rate or info.rate
    return _resample(_samples(source, info, "float32"), info.rate, target), target


def transcode(data: bytes, rate: int | None, channels: int | None, format: str) -> Clip:
    """Convert audio bytes to `format` (flac or wav) at `rate` Hz with `channels` (1 or 2).

    What is so already keeps its bytes. Resampling is soxr HQ. Integer PCM that keeps its rate and
    channels stays as it is, bit for bit. What is computed anew gets 16 bits if the source has no
    more; else 24 in FLAC, and in WAV as many as the source.
    """
    source = _source(data)
    info = _probe(source)
    target = rate or info.rate
    same = target == info.rate and channels in (None, info.channels)
    if same and info.suffix == f".{format}":
        check(data)
        return Clip(data, info.suffix, info.rate)
    bits = 24 if info.subtype in DEEP else 16
    if same and info.subtype in EXACT:
        return _write(_samples(source, info, _integer(bits)), target, format, f"PCM_{bits}")
    samples = _mix(_samples(source, info, "float64" if bits == 24 else "float32"), channels)
    samples = _resample(samples, info.rate, target)
    if format == "wav" and info.subtype in FLOATS:
        return _write(samples, target, format, info.subtype)
    if format == "wav" and info.subtype == "PCM_32":
        bits = 32
    integers, clipped = _quantise(samples, bits)
    notes = [f"{clipped} samples beyond full scale clipped"] if clipped else []
    if bits == 24 and info.subtype in FLOATS | {"PCM_32"}:
        notes.append(f"{info.subtype} written with 24 bits")
    return _write(integers, target, format, f"PCM_{bits}", tuple(notes))


def waveform(data: bytes, rate: int | None) -> tuple[np.ndarray, int]:
    """Mono samples as float32 of shape (frames,), and their rate in Hz."""
    source = _source(data)
    info = _probe(source)
    target = rate or info.rate
    samples = _mix(_samples(source, info, "float32"), 1)
    return _resample(samples, info.rate, target)[:, 0], target


def section(data: bytes, rate: int | None, seconds: float, at: float) -> tuple[np.ndarray, int]:
    """At most `seconds` of audio bytes, mono float32 of shape (frames,), and their rate in Hz.

    `at` says where they begin: 0 is the start, 1 as late as is possible. They equal the same
    stretch of a full decode; no more is decoded, but of lossy codecs what comes before.
    Raises Dropped.
    """
    source = _source(data)
    info = _probe(source)
    frames = min(info.frames, math.ceil(seconds * info.rate))
    start = round(at * (info.frames - frames))
    return mono(_stretch(source, info, start, frames, "float32"), info.rate, rate)


def stretch(data: bytes, start: int, end: int, dtype: str) -> np.ndarray:
    """Samples `start` to `end` of audio bytes, of shape (frames, channels); raises Dropped."""
    source = _source(data)
    return _stretch(source, _probe(source), start, end - start, dtype)


def encode(
    samples: np.ndarray, rate: int, target: int | None, channels: int | None, format: str
) -> Clip:
    """Encode samples that another decoder gave, float32 of shape (frames, channels), with 16 bits.

    `format` is flac or wav, at `target` Hz with `channels` (1 or 2) if given.
    """
    changed = _resample(_mix(samples, channels), rate, target or rate)
    integers, clipped = _quantise(changed, 16)
    notes = (f"{clipped} samples beyond full scale clipped",) if clipped else ()
    return _write(integers, target or rate, format, "PCM_16", notes)


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


class _Bytes(io.BytesIO):
    """A damaged header's seek to nowhere fails quietly: nobody could catch it in a callback."""

    def seek(self, offset: int, whence: int = 0) -> int:
        with suppress(ValueError, OverflowError):
            return super().seek(offset, whence)
        return self.tell()


class _Endless(_Bytes):
    """Seems to be longer than any file, so that mpg123 reads to the real end, not to a guess."""

    beyond = False

    def seek(self, offset: int, whence: int = 0) -> int:
        self.beyond = whence == io.SEEK_END
        return super().seek(offset, whence)

    def tell(self) -> int:
        return super().tell() + 2**40 * self.beyond

    def readinto(self, buffer: Any) -> int:
        if not self.beyond:
            return super().readinto(buffer)
        buffer[:] = bytes(len(buffer))  # where a tag would be
        return len(buffer)


@dataclass(frozen=True, slots=True)
class _Source:
    """What libsndfile is given to read: where it must not say so itself, what that is.

    `frames` were counted; `skip` samples before them are the encoder's.
    """

    data: bytes
    kind: tuple[str | None, str | None] = (None, None)  # container and codec
    frames: int | None = None
    skip: int = 0
    counted: bool = False


def _source(data: bytes) -> _Source:
    if not data:
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
    if container.demuxer(data):
        return _Source(container.wav(data), container.kind(data) or (None, None))
    if (start := magic.tags(data)) > len(data):
        detail = f"{start - len(data)} bytes fewer than its tags promise"
        raise Dropped(Outcome.TRUNCATED_MEDIA, detail)
    data = data[start:]
    if missing := ogg.missing_bytes(data) if data[:4] == b"OggS" else riff.missing_bytes(data):
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{missing} bytes fewer than its header promises")
    inner = riff.mpeg(data)
    if inner is None and data.startswith(MAGIC):
        is_ogg = data[:4] == b"OggS"
        complete = data if is_ogg else flac.completed(riff.completed(data))
        return _joined(data) if is_ogg else _Source(complete, counted=complete is not data)
    stream = mpeg.stream(data if inner is None else inner)
    if stream is None:
        return _Source(data)
    kind, counted = ("WAV" if inner else None, None), stream.frames is not None
    return _Source(stream.data, kind, stream.frames, stream.skip, counted)


def _joined(data: bytes) -> _Source:
    """The streams of an Ogg file; several of them, decoded one after the other."""
    links = [_Source(flac.completed(link), ("OGG", None)) for link in ogg.links(data)]
    if len(links) == 1:
        return links[0]
    infos = [_probe(link) for link in links]
    kinds = [f"{each.rate} Hz with {each.channels} channels" for each in infos]
    if len(set(kinds)) > 1:
        raise Dropped(Outcome.UNSUITABLE_MEDIA, ", then ".join(kinds))
    _check_size(infos[0], sum(each.frames for each in infos))
    parts = [_samples(link, each, "float32") for link, each in zip(links, infos, strict=True)]
    data = riff.wav(np.concatenate(parts), infos[0].rate)
    return _Source(data, ("OGG", infos[0].subtype), counted=True)


def _probe(source: _Source) -> Probe:
    with _open(source) as file:
        format, subtype = (source.kind[0] or file.format, source.kind[1] or file.subtype)
        frames = file.frames if source.frames is None else source.frames
        info = Probe(format, subtype, file.samplerate, file.channels, frames, source.counted)
    if info.frames == 0:
        raise Dropped(Outcome.EMPTY_MEDIA, "no samples")
    if info.frames == UNKNOWN:
        detail = f"its {info.format} header does not say how long it is"
        raise Dropped(Outcome.UNDECODABLE_MEDIA, detail)
    if info.frames > MOST * len(source.data):
        detail = f"{info.frames} samples promised, in {len(source.data)} bytes"
        raise Dropped(Outcome.TRUNCATED_MEDIA, detail)
    _check_size(info, info.frames)
    return info


def _check_size(info: Probe, frames: int) -> None:
    seconds = frames / info.rate
    if (
        seconds > MAX_SECONDS
        or info.channels > MAX_CHANNELS
        or frames * info.channels > MAX_SAMPLES
    ):
        size = f"{seconds:.0f} s of {info.channels} channels at {info.rate} Hz"
        limit = f"{MAX_SECONDS} s, {MAX_CHANNELS} channels and {MAX_SAMPLES} samples"
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"{size}, the limits are {limit}")


def _open(source: _Source) -> sf.SoundFile:
    data = source.data
    if not data.startswith((*MAGIC, b"\xff")):
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"no audio, it begins with {data[:12]!r}")
    try:
        file = sf.SoundFile((_Bytes if source.frames is None else _Endless)(data))
        if source.skip:
            file.read(source.skip)
    except sf.LibsndfileError as error:
        detail = f"{error.error_string.strip()} It begins with {data[:12]!r}"
        raise Dropped(Outcome.UNDECODABLE_MEDIA, detail) from None
    return file


def _read(file: sf.SoundFile, out: np.ndarray) -> np.ndarray:
    try:
        read: np.ndarray = file.read(out=out)
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string.strip()) from None
    return read


def _samples(source: _Source, info: Probe, dtype: str) -> np.ndarray:
    return _stretch(source, info, 0, info.frames, dtype)


def _stretch(source: _Source, info: Probe, start: int, frames: int, dtype: str) -> np.ndarray:
    before = 0 if info.seekable else start  # decoded, and not wanted
    with _open(source) as file:
        if info.seekable and start:
            _seek(file, start)
        samples = _read(file, np.empty((before + frames, info.channels), dtype=dtype))
    _all_there(len(samples) - before, frames)
    _only_numbers(samples, info)
    return samples[before:]


def _seek(file: sf.SoundFile, start: int) -> None:
    try:
        file.seek(start)
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string.strip()) from None


def _all_there(frames: int, promised: int) -> None:
    if frames < promised:
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{max(0, frames)} of {promised} samples")


def _only_numbers(samples: np.ndarray, info: Probe) -> None:
    # integers cannot be anything else; damaged Opus and Vorbis can, as float files can
    if not info.subtype.startswith("PCM_") and not (np.abs(samples) < MAX_LEVEL).all():
        raise Dropped(Outcome.UNDECODABLE_MEDIA, "samples that are infinite or no numbers")


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


def _quantise(samples: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Round to integers without dither, so that the same bytes come out every time."""
    top = 2 ** (bits - 1)
    scaled = samples * top
    np.rint(scaled, out=scaled)
    clipped = int(np.count_nonzero(scaled > top - 1) + np.count_nonzero(scaled < -top))
    np.clip(scaled, -top, top - 1, out=scaled)
    integers = scaled.astype(_integer(bits))
    return (integers << 8 if bits == 24 else integers), clipped


def _integer(bits: int) -> str:
    """The type that soundfile takes samples of so many bits in, the highest bits first."""
    return "int16" if bits == 16 else "int32"


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
