"""Containers that libsndfile does not read (MP4, M4A, WebM, Matroska, ADTS): their audio, by PyAV.

The demuxer follows from the magic bytes and is never left to guesses: among those that FFmpeg would
guess are playlists, which open other files and addresses.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edge_glass.core.extras import needs
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.units import SLACK, START_SLACK, TIME_STEP
from edge_glass.media import boxes, magic

MAX_SECONDS = 20 * 60  # of audio
MAX_SAMPLES = 2**26  # over all channels, before and after resampling: 256 MB as float32
FIRST = {b"\x1a\x45\xdf\xa3": "matroska", b"FLV\x01": "flv", b"\0\0\1\xba": "mpeg"}
ADTS = (b"\xf0", b"\xf1", b"\xf8", b"\xf9")  # after 0xff
CODECS = {
    *("aac", "alac", "ac3", "eac3", "flac", "mp2", "mp3", "mp3float", "opus", "vorbis"),
    *("mp1float", "mp2float", "amrnb", "amrwb", "gsm", "gsm_ms", "ilbc", "speex", "qdm2", "qdmc"),
    *("dca", "truehd", "mlp", "wavpack", "tta", "mace3", "mace6", "wmav1", "wmav2", "nellymoser"),
}
FAMILIES = ("pcm_", "adpcm_")  # of codecs, all of them simple


def demuxer(data: bytes) -> str | None:
    """FFmpeg's name of the container, told by the magic bytes; None if it is another one."""
    if boxes.is_mp4(data):
        return "mov"
    for start, name in FIRST.items():
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "avi"
    if len(data) > 376 and data[0] == data[188] == data[376] == 0x47:
        return "mpegts"
    at = magic.tags(data)
    return "aac" if data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] in ADTS else None


def suffix(data: bytes) -> str:
    """The suffix of a file that holds these bytes and no picture: .m4a, .webm, .mkv and so on."""
    if demuxer(data) == "matroska":
        return ".webm" if b"webm" in data[:64] else ".mkv"
    name = demuxer(data) or ""
    return {"mov": ".m4a", "mpegts": ".ts", "mpeg": ".mpg"}.get(name, f".{name}")


def decode(data: bytes) -> tuple[np.ndarray, int]:
    """The first audio track, float32 of shape (frames, channels), and its rate in Hz.

    Raises Dropped: no_audio, empty, truncated, undecodable, oversized.
    """
    return _track(data)[:2]


def beside(data: bytes, picture: float, notes: list[str]) -> tuple[np.ndarray, int]:
    """The first audio track whole, as `decode` gives it, beside a picture that starts then (s).

    Sound that starts later has silence before it; `notes` say that, or that it starts earlier.
    """
    samples, rate, begin = _track(data)
    late = begin - picture
    if late < -START_SLACK:
        notes.append(f"sound starts {-late:.2f} s before the picture")
    if late <= TIME_STEP:
        return samples, rate
    notes.append(f"sound starts {late:.3f} s after the picture: silence before it")
    return _after_silence(samples, round(late * rate), rate), rate


def _track(data: bytes) -> tuple[np.ndarray, int, float]:
    """Samples, their rate, and the time in seconds of the first of them."""
    blocks: list[np.ndarray] = []
    rate, size, begin = 1, 0, 0
    with _opened(data) as file:
        stream = _stream(file)
        for block, rate, time in _blocks(file, stream):
            begin = begin if blocks else max(0, round(time * rate))
            size += block.size
            _check(block, size, rate * block.shape[1])
            blocks.append(block)
        promised = stated(file, stream)
    reached = (begin + sum(map(len, blocks))) / rate
    if promised is not None and reached < promised - SLACK:
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{reached:.2f} s of {promised:.2f} s")
    if not blocks:
        raise Dropped(Outcome.EMPTY_MEDIA, "no samples")
    return np.concatenate(blocks), rate, begin / rate


def seconds(data: bytes) -> float:
    """How long a whole clip is, sound and picture together. Raises Dropped if it does not say."""
    with _opened(data) as file:
        if not file.duration or file.duration < 0:
            raise Dropped(Outcome.UNDECODABLE_MEDIA, "its header does not say how long it is")
        return float(file.duration / 1_000_000)


def kind(data: bytes) -> tuple[str, str]:
    """Format (M4A, WEBM, MKV, AAC) and codec in capitals. Raises Dropped if it is none of these."""
    with _opened(data) as file:
        return suffix(data)[1:].upper(), _codec(file)


def blocks(path: Path) -> Iterator[tuple[np.ndarray, int, str]]:
    """The first audio track of a file part by part, as `decode` gives it, with rate and codec."""
    with _opened(path) as file:
        for block, rate, _ in _blocks(file, _stream(file)):
            yield block, rate, _codec(file)


def head_of(path: Path) -> bytes:
    """As much of a file as tells what it is."""
    with path.open("rb") as file:
        return file.read(2**16)


def _codec(file: Any) -> str:
    name: str = _stream(file).codec_context.name
    return "ALAC_24" if name == "alac" else name.upper()


def _stream(file: Any) -> Any:
    if not file.streams.audio:
        raise Dropped(Outcome.NO_AUDIO, "no audio track")
    return file.streams.audio[0]


def _after_silence(samples: np.ndarray, frames: int, rate: int) -> np.ndarray:
    channels = samples.shape[1]
    size = (len(samples) + frames) * channels
    _check(samples, size, rate * channels)
    return np.concatenate([np.zeros((frames, channels), np.float32), samples])


def _check(block: np.ndarray, size: int, a_second: int) -> None:
    if size > min(MAX_SAMPLES, MAX_SECONDS * a_second):
        raise Dropped(
            Outcome.OVERSIZED_MEDIA,
            f"more than {size // a_second} s of audio, the limits are {MAX_SECONDS} s and "
            f"{MAX_SAMPLES} samples",
        )
    if not np.isfinite(block).all():
        raise Dropped(Outcome.UNDECODABLE_MEDIA, "samples that are infinite or no numbers")


def _blocks(file: Any, stream: Any) -> Iterator[tuple[np.ndarray, int, float]]:
    """Decoded frames as float32 (frames, channels), with their rate and time in seconds."""
    from av import AudioResampler

    resampler = AudioResampler(format="flt")  # the layout and rate of the first frame
    for frame in file.decode(stream):
        for part in resampler.resample(frame):
            samples = part.to_ndarray().reshape(-1, part.layout.nb_channels)
            yield samples, int(part.sample_rate), float(frame.time or 0.0)


@contextmanager
def _opened(data: bytes | Path) -> Iterator[Any]:
    """The open container, its first audio track of a codec that may be asked."""
    pyav()
    head = data if isinstance(data, bytes) else head_of(data)
    if not head:
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
    name = demuxer(head)
    if name is None:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"no MP4 or WebM, it begins with {head[:12]!r}")
    with opened(data, name) as file:
        for stream in file.streams.audio[:1]:
            _allow(stream.codec_context)
        yield file


@contextmanager
def opened(data: bytes | Path, name: str, options: dict[str, str] | None = None) -> Iterator[Any]:
    """The container open by a demuxer; whatever FFmpeg finds wrong is an undecodable file.

    Raises Dropped.
    """
    av = pyav()
    try:
        place = io.BytesIO(data) if isinstance(data, bytes) else f"file:{data}"
        with av.open(place, format=name, options=options, metadata_errors="replace") as file:
            yield file
    except (av.FFmpegError, ValueError, OverflowError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"{name}: {detail}") from None


def _allow(context: Any) -> None:
    name = context.name if context else "unknown"
    if name not in CODECS and not name.startswith(FAMILIES):
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"audio codec {name}")
    context.flags |= 0x800000  # bitexact: the same samples on every processor, where FFmpeg can


def stated(file: Any, stream: Any) -> float | None:
    """Seconds of the audio track as the header has them; Matroska has them in a tag, if at all."""
    seconds = None
    if stream.duration is not None:
        seconds = float(stream.duration * stream.time_base)
    elif tag := stream.metadata.get("DURATION"):
        seconds = _clock(tag)
    elif file.duration is not None and len(file.streams) == 1 and file.format.name != "aac":
        seconds = file.duration / 1_000_000
    return seconds if seconds is not None and 0 < seconds < math.inf else None


def _clock(text: str) -> float | None:
    """`00:00:10.021000000` in seconds."""
    try:
        hours, minutes, seconds = text.strip("\0 ").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def pyav() -> Any:
    """PyAV. Raises EdgeGlassError if it is not installed."""
    needs("Reading MP4, M4A and WebM", "video", "av")
    import av

    return av
