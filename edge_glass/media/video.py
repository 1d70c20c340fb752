"""Video by PyAV: looked over, decoded from end to end, frames of it kept as JPEG.

Everything is bounded before it is decoded. What a header says of time is not believed: length and
frame rate are those of the frames that are there, and a header that promises more is a cut file.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import Any

import PIL

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.units import SLACK
from edge_glass.media import MAX_FRAMES, boxes, container, riff, stills
from edge_glass.media.stills import Still

MAX_BYTES = 2**28
MAX_SECONDS = 10 * 60
MAX_SIDE = 2**13  # pixels
MAX_PIXELS = 2**24  # of one frame: 25 MB as YUV 4:2:0, of which a decoder may hold 17
MAX_SAMPLES = 2**22  # that a container's tables may promise: an index of 100 MB
MAX_WORK = 2**35  # pixels of all frames together: ten minutes of 1080p
MAX_STREAMS = 16
WHOLE = 0.9  # of the frames must decode: a cut beside a keyframe costs a few, damage many
FACTOR = 2  # a clip that is longer or shorter by that is not what was described
SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".flv", ".ts", ".mpg")
CODECS = {
    *("h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg4", "mjpeg"),
    *("prores", "mpeg1video", "mpeg2video", "h263", "flv", "vp6f", "msmpeg4", "theora"),
}
_OPTIONS = {"max_pixels": str(MAX_PIXELS), "threads": "1"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which frames are kept: `count` evenly spaced ones, `rate` a second, or all keyframes.

    Each is scaled down (never up) to `side` pixels at its longer side.
    """

    count: int = 8
    rate: float | None = None
    keyframes: bool = False
    side: int | None = None

    def times(self, start: Fraction, seconds: Fraction) -> list[Fraction]:
        """The moments that are asked for: the middles of equal parts of the clip.

        Raises Dropped for too many.
        """
        if self.keyframes:
            return []
        count = self.count if self.rate is None else max(1, round(float(seconds) * self.rate))
        if count > MAX_FRAMES:
            raise Dropped(Outcome.OVERSIZED_MEDIA, f"{count} frames to keep")
        return [start + seconds * (2 * part + 1) / (2 * count) for part in range(count)]


@dataclass(frozen=True, slots=True)
class Probe:
    """A clip as its packets have it, nothing decoded: `start` and `length` (s) are theirs.

    `width` and `height` are as coded, `aspect` is the width of a pixel by its height.
    """

    width: int
    height: int
    aspect: Fraction
    packets: int
    start: Fraction
    length: Fraction
    has_audio: bool

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.length)

    @property
    def fps(self) -> float:
        """Frames a second on average; 0 for a single frame without length."""
        return round(self.packets / self.seconds, 3) if self.seconds else 0.0


@dataclass(slots=True)
class Clip:
    """A clip that was decoded; `width` and `height` are those of its frames as shown."""

    probe: Probe
    width: int = 0
    height: int = 0
    decoded: int = 0
    stills: list[Still] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What the ledger should say of a clip that is kept."""
        lost = self.probe.packets - self.decoded
        damage = [f"{lost} of {self.probe.packets} frames do not decode"] if lost > 0 else []
        return damage + stills.warnings(self.stills)


def libraries() -> dict[str, str]:
    """Versions of what decodes clips and writes frames, for the manifest."""
    codecs = ".".join(map(str, container.pyav().library_versions["libavcodec"]))
    return {"av": container.pyav().__version__, "libavcodec": codecs, "pillow": PIL.__version__}


def probe(data: bytes) -> Probe:
    """Look a clip over without decoding it.

    Raises Dropped if it is empty, cut short, no video, or larger than the limits.
    """
    with _opened(data) as file:
        return _probe(file, file.streams.video[0])


def read(data: bytes, choice: Choice) -> Clip:
    """Decode a clip from end to end and keep the chosen frames; memory is one frame and the JPEGs.

    Args:
        data: the clip's bytes.
        choice: which frames are kept, and how large.

    Returns:
        The frames, and what was seen on the way.

    Raises:
        Dropped: as `probe` does, or it has too many frames to keep.
    """
    clip = Clip(probe(data))
    targets = choice.times(clip.probe.start, clip.probe.length)
    with _opened(data) as file:
        for frame in _chosen(_decoded(file, clip), targets, choice.keyframes):
            if len(clip.stills) == MAX_FRAMES:
                raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {MAX_FRAMES} frames to keep")
            clip.stills.append(stills.of(frame, choice.side, clip.probe.aspect))
    if clip.decoded < WHOLE * clip.probe.packets:
        detail = f"{clip.decoded} of {clip.probe.packets} frames decode"
        raise Dropped(Outcome.UNDECODABLE_MEDIA, detail)
    return clip


def frame(data: bytes, at: float, side: int | None = None) -> bytes:
    """The frame that is on the screen `at` seconds from the start, as JPEG; the last one after it.

    Decoding begins at the keyframe before. Raises Dropped as `probe` does.
    """
    clip = Clip(probe(data))
    target = clip.probe.start + Fraction(min(max(at, 0.0), clip.probe.seconds))
    with _opened(data) as file:
        stream = file.streams.video[0]
        file.seek(int(target / stream.time_base), stream=stream)
        for on_screen in _chosen(_decoded(file, clip), [target], False):
            return stills.of(on_screen, side, clip.probe.aspect).jpeg
    raise Dropped(Outcome.UNDECODABLE_MEDIA, f"no frame at {at} s")


def section(data: bytes, start: float, end: float) -> bytes:
    """The pictures of a section as an MP4 of their own, none of them coded again.

    Args:
        data: the clip's bytes.
        start: of the section, in seconds.
        end: of the section, in seconds.

    Returns:
        The MP4's bytes.

    Raises:
        Dropped: as `probe` does, or the pictures do not begin with a keyframe.
    """
    out, first = io.BytesIO(), None
    options = {"fflags": "+bitexact"}
    with _opened(data) as file, container.pyav().open(out, "w", "mp4", options=options) as cut:
        stream = file.streams.video[0]
        copied = cut.add_stream_from_template(stream, opaque=True)  # as it is, not to encode
        file.seek(int(start / stream.time_base), stream=stream)
        for packet in file.demux(stream):
            if packet.pts is None:
                continue
            at = float((packet.pts + (packet.duration or 0) / 2) * stream.time_base)
            if first is None and start <= at < end and not packet.is_keyframe:
                raise Dropped(Outcome.UNSUITABLE_MEDIA, f"no keyframe at {start:g} s to cut at")
            if start <= at < end:
                first = packet.pts if first is None else first
                packet.pts, packet.dts = packet.pts - first, packet.dts - first
                packet.stream = copied
                cut.mux(packet)
    if first is None:
        raise Dropped(Outcome.WRONG_DURATION, f"no picture from {start:g} to {end:g} s")
    return out.getvalue()


def length_warnings(seconds: float, promised: float) -> list[str]:
    """What the ledger should say of a clip that is not as long as its section.

    Args:
        seconds: of the clip.
        promised: seconds of the section.

    Returns:
        A warning, or none.

    Raises:
        Dropped: it cannot be that section.
    """
    detail = f"{seconds:.2f} s where {promised:g} s are promised"
    if not promised / FACTOR <= seconds <= promised * FACTOR:
        raise Dropped(Outcome.WRONG_DURATION, detail)
    return [detail] if abs(seconds - promised) > SLACK else []


def _probe(file: Any, stream: Any) -> Probe:
    packets, first, last = 0, math.inf, -math.inf
    for packet in file.demux(stream):
        if packet.pts is None or packet.is_discard:
            continue
        packets += 1
        first, last = min(first, packet.pts), max(last, packet.pts + (packet.duration or 0))
    if not packets:
        raise Dropped(Outcome.EMPTY_MEDIA, "no frames")
    info = Probe(
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        aspect=stream.sample_aspect_ratio or Fraction(1),
        packets=packets,
        start=first * stream.time_base,
        length=(last - first) * stream.time_base,
        has_audio=bool(file.streams.audio),
    )
    # Matroska states when a track ends, which may begin late
    late = max(0.0, float(info.start)) if file.format.name.startswith("matroska") else 0.0
    _check(info, container.stated(file, stream), late)
    return info


def _check(info: Probe, promised: float | None, late: float) -> None:
    _check_size(round(info.width * info.aspect), info.height)
    work = info.packets * info.width * info.height
    if info.seconds > MAX_SECONDS or work > MAX_WORK:
        size = f"{info.packets} frames of {info.width}x{info.height} in {info.seconds:.0f} s"
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"{size}, the limit is {MAX_SECONDS} s")
    if promised is not None and promised > late + info.seconds + SLACK:
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{late + info.seconds:.2f} s of {promised:.2f} s")


def _decoded(file: Any, clip: Clip) -> Iterator[Any]:
    """Every sound frame in the order in which it is shown."""
    from av.error import InvalidDataError

    work = 0
    for packet in file.demux(file.streams.video[0]):
        try:
            frames = packet.decode()
        except InvalidDataError:
            continue
        for frame in frames:
            work += frame.width * frame.height
            if work > MAX_WORK:
                raise Dropped(Outcome.OVERSIZED_MEDIA, f"more than {MAX_WORK} pixels in all")
            if frame.is_corrupt or frame.pts is None:
                continue
            if not clip.decoded:
                clip.width, clip.height = stills.display_size(frame, clip.probe.aspect)
            clip.decoded += 1
            yield frame


def _chosen(frames: Iterator[Any], targets: list[Fraction], keyframes: bool) -> Iterator[Any]:
    """The keyframes, or the frames that are on the screen at the times of `targets`; once each."""
    on_screen, at = None, 0
    for frame in chain(frames, [None]):
        if keyframes and frame is not None and frame.key_frame:
            yield frame
        until = math.inf if frame is None else frame.pts * frame.time_base
        if on_screen is not None and at < len(targets) and targets[at] < until:
            yield on_screen
            while at < len(targets) and targets[at] < until:
                at += 1
        on_screen = frame


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """The open file with one thread a decoder."""
    with container.opened(data, _demuxer(data), _OPTIONS) as file:
        _allow(file)
        yield file


def _demuxer(data: bytes) -> str:
    """The demuxer for the bytes, after what it may be asked to do has been looked at."""
    name = container.demuxer(data)
    if not data:
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")
    if len(data) > MAX_BYTES:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"{len(data)} bytes, the limit is {MAX_BYTES}")
    if name in (None, "aac"):
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"no MP4 or WebM, it begins with {data[:12]!r}")
    if name == "mov":
        _check_boxes(data)
    if name == "avi" and (missing := riff.missing_bytes(data)):
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{missing} bytes fewer than its header promises")
    return name


def _check_boxes(data: bytes) -> None:
    if missing := boxes.missing_bytes(data):
        raise Dropped(Outcome.TRUNCATED_MEDIA, f"{missing} bytes fewer than its boxes promise")
    if (samples := boxes.samples(data)) > min(len(data), MAX_SAMPLES):
        detail = f"tables promise {samples} samples in {len(data)} bytes"
        raise Dropped(Outcome.OVERSIZED_MEDIA, detail)
    for width, height in boxes.pictures(data):
        _check_size(width, height)


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        limit = f"the limits are {MAX_SIDE} a side and {MAX_PIXELS} in all"
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"{width}x{height} pixels, {limit}")


def _allow(file: Any) -> None:
    if len(file.streams) > MAX_STREAMS:
        raise Dropped(Outcome.OVERSIZED_MEDIA, f"{len(file.streams)} streams")
    if not file.streams.video:
        raise Dropped(Outcome.UNDECODABLE_MEDIA, "no video track")
    context = file.streams.video[0].codec_context
    if context is None or context.name not in CODECS:
        codec = context.name if context else "unknown"
        raise Dropped(Outcome.UNDECODABLE_MEDIA, f"video codec {codec}")
    if not context.width:
        detail = f"no picture, or one of more than {MAX_PIXELS} pixels"
        raise Dropped(Outcome.UNDECODABLE_MEDIA, detail)
    _check_size(context.width, context.height)
    context.options = _OPTIONS
