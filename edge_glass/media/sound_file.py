"""Audio bytes as libsndfile can read them to their real end, and what there is in them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile as sf
from typing_extensions import override

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import container, magic, mpeg, ogg, riff
from edge_glass.media.container import MAX_SAMPLES, MAX_SECONDS

MAX_CHANNELS = 64  # a resampler takes memory for each, however short the sound
MAX_LEVEL = 1e20  # full scale is 1; beyond this, filters overflow
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
_STREAMINFO = 8  # where it begins in FLAC
SEEKABLE = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")  # lossy codecs arrive with other samples


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
        """How long it is."""
        return self.frames / self.rate

    @property
    def suffix(self) -> str:
        """What files of this format end in."""
        return SUFFIXES.get(self.format, f".{self.format.lower()}")

    def has_name(self, suffix: str) -> bool:
        """Whether files of this format may end in `suffix` (with its dot)."""
        return ALIASES.get(suffix.lower(), suffix.lower()) == self.suffix


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


class Streamed(sf.SoundFile):  # type: ignore[misc]
    """A file without the seek that soundfile makes after each read: lossy codecs begin anew."""

    @override
    def seekable(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Source:
    """What libsndfile is given to read: where it must not say so itself, what that is.

    `frames` were counted; `skip` samples before them are the encoder's.
    """

    data: bytes
    kind: tuple[str | None, str | None] = (None, None)  # container and codec
    frames: int | None = None
    skip: int = 0
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio bytes as they came, how they are to be read, and what there is in them.

    The file that was opened to look into them is read by whoever asks first.
    """

    data: bytes
    source: Source
    info: Probe
    _opened: list[sf.SoundFile] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, data: "bytes | Sound") -> "Sound":
        """Look into audio bytes; raises Dropped as `source_of` and `describe` do."""
        if isinstance(data, Sound):
            return data
        return cls._read(data, source_of(data))

    @classmethod
    def _read(cls, data: bytes, source: Source) -> "Sound":
        file = open_source(source)
        return cls(data, source, describe(source, file), [file])

    def file(self) -> sf.SoundFile:
        """The open file, at its first sample."""
        return self._opened.pop() if self._opened else open_source(self.source)

    def samples(self, dtype: str) -> np.ndarray:
        """Every sample, of shape (frames, channels); raises Dropped if fewer are there."""
        return self.stretch(0, self.info.frames, dtype)

    def stretch(self, start: int, frames: int, dtype: str) -> np.ndarray:
        """So many samples from `start` on, as a full decode has them; see `samples`."""
        before = 0 if self.info.seekable else start  # decoded, and not wanted
        with self.file() as file:
            if self.info.seekable and start:
                with damage_told():
                    file.seek(start)
            shape = (before + frames, self.info.channels)
            samples = read_into(file, np.empty(shape, dtype=dtype))
        check_count(len(samples) - before, frames)
        check_numbers(samples, self.info.subtype)
        return samples[before:]


def source_of(data: bytes) -> Source:
    """How audio bytes are to be read. Raises Dropped if they are empty or cut short."""
    if not data:
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
    if container.demuxer(data):
        return Source(riff.wav(*container.decode(data)), container.kind(data))
    if (start := magic.tags(data)) > len(data):
        detail = f"{start - len(data)} bytes fewer than its tags promise"
        raise Dropped(Outcome.TRUNCATED_MEDIA, detail)
    data = data[start:]
    if missing := ogg.missing_bytes(data) if data[:4] == b"OggS" else riff.missing_bytes(data):
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{missing} bytes fewer than its header promises")
    inner = riff.mpeg(data)
    if inner is None and data.startswith(MAGIC):
        is_ogg = data[:4] == b"OggS"
        complete = data if is_ogg else _counted(riff.completed(data))
        return _joined(data) if is_ogg else Source(complete, counted=complete is not data)
    stream = mpeg.stream(data if inner is None else inner)
    if stream is None:
        return Source(data)
    kind, counted = ("WAV" if inner else None, None), stream.frames is not None
    return Source(stream.data, kind, stream.frames, stream.skip, counted)


def _joined(data: bytes) -> Source:
    """The streams of an Ogg file; several of them, decoded one after the other."""
    links = [Source(_counted(link), ("OGG", None)) for link in ogg.links(data)]
    if len(links) == 1:
        return links[0]
    sounds = [Sound._read(link.data, link) for link in links]
    infos = [sound.info for sound in sounds]
    kinds = [f"{each.rate} Hz with {each.channels} channels" for each in infos]
    if len(set(kinds)) > 1:
        raise Dropped(Outcome.UNSUITABLE_MEDIA, ", then ".join(kinds))
    _check_size(infos[0], sum(each.frames for each in infos))
    data = riff.wav(np.concatenate([sound.samples("float32") for sound in sounds]), infos[0].rate)
    return Source(data, ("OGG", infos[0].subtype), counted=True)


def _counted(data: bytes) -> bytes:
    """The same file; of FLAC that was written to a pipe, the number of its samples is stated."""
    place = _STREAMINFO + 13  # of the low 4 bits of a byte, and the four bytes that follow
    field = data[place : place + 5]
    if data[:4] != b"fLaC" or len(field) < 5 or field[0] & 0xF or any(field[1:]):
        return data
    frames, file = 0, open_source(Source(data))
    block = np.empty((2**16, file.channels), np.int32)
    while count := len(read_into(file, block)):
        frames += count
        _check_size(Probe("FLAC", file.subtype, file.samplerate, file.channels, frames), frames)
    if not frames:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, "a FLAC header, and no frame after it")
    stated = bytes([field[0] | frames >> 32]) + (frames & 2**32 - 1).to_bytes(4)
    return data[:place] + stated + data[place + 5 :]


def describe(source: Source, file: sf.SoundFile) -> Probe:
    """What libsndfile, or who counted, says of a source. Raises Dropped beyond the limits."""
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


def open_source(source: Source) -> sf.SoundFile:
    """The open file, at its first sample; raises Dropped if it is no audio."""
    data = source.data
    if not data.startswith((*MAGIC, b"\xff")):
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"no audio, it begins with {data[:12]!r}")
    try:
        file = Streamed((_Bytes if source.frames is None else _Endless)(data))
        if source.skip:
            file.read(source.skip)
    except sf.LibsndfileError as error:
        detail = f"{error.error_string.strip()} It begins with {data[:12]!r}"
        raise Dropped(Outcome.UNDECODABLE_MEDIA, detail) from None
    return file


def read_into(file: sf.SoundFile, out: np.ndarray) -> np.ndarray:
    """As many samples of shape (frames, channels) as there are, `out` at most."""
    with damage_told():
        samples: np.ndarray = file.read(out=out)
    return samples


@contextmanager
def damage_told() -> Iterator[None]:
    """What libsndfile finds wrong: raises Dropped."""
    try:
        yield
    except sf.LibsndfileError as error:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, error.error_string.strip()) from None


def check_count(frames: int, promised: int) -> None:
    """Raises Dropped if there are fewer samples than promised."""
    if frames < promised:
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{max(0, frames)} of {promised} samples")


def check_numbers(samples: np.ndarray, subtype: str) -> None:
    """Raises Dropped if samples are no numbers, or of no loudness that there is."""
    # integers cannot be anything else; damaged Opus and Vorbis can, as float files can
    if not subtype.startswith("PCM_") and not (np.abs(samples) < MAX_LEVEL).all():
        raise Dropped(Outcome.UNDECODABLE_MEDIA, "samples that are infinite or no numbers")
