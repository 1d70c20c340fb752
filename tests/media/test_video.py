"""Clips that lie: each is dropped for its reason, before it costs time or memory."""

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from memory import forget, peak
from PIL import Image
from planted import movie

from edge_glass.core.ledger import Dropped
from edge_glass.media import boxes, video
from edge_glass.media.video import Choice

CLIP = Path(__file__).parents[2] / "samples" / "valor" / "videos" / "egVid_Smp01_48.000_53.000.mp4"
SECONDS = 10  # that a bad clip may cost at the very most
MEGABYTES = 400


def greys(*levels: int, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    return [np.full((*size, 3), level, np.uint8) for level in levels]


def sound_only() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), "fltp", "mono")
        frame.rate = 44100
        for packet in [*stream.encode(frame), *stream.encode()]:
            file.mux(packet)
    return out.getvalue()


def patched(data: bytes, box: bytes, offset: int, value: int) -> bytes:
    """The clip with 32 bits of the first box of that name changed; `offset` is from its name."""
    at = data.index(box) + offset
    return data[:at] + struct.pack(">I", value) + data[at + 4 :]


def no_frames(data: bytes) -> bytes:
    """The clip with its tables of samples empty."""
    for box, offset in ((b"stsz", 12), (b"stts", 8), (b"stsc", 8), (b"stco", 8), (b"ctts", 8)):
        data = patched(data, box, offset, 0) if box in data else data
    return data


def huge(data: bytes) -> bytes:
    """30,000 pixels in the description of the picture, where a decoder makes room for them."""
    at = data.index(b"avc1", data.index(b"stsd")) + 28
    return data[:at] + struct.pack(">HH", 30_000, 30_000) + data[at + 4 :]


def strip(data: bytes) -> bytes:
    return movie(greys(0, size=(16, 30_000)), "mjpeg", "yuvj420p", format="mov")


def wide(data: bytes) -> bytes:
    """30,000 x 600 in the JPEG itself, behind a description of 320 x 176."""
    real = movie(greys(0, size=(600, 30_000)), "mjpeg", "yuvj420p", format="mov")
    at = real.index(b"jpeg", real.index(b"stsd")) + 28
    return real[:at] + struct.pack(">HH", 320, 176) + real[at + 4 :]


HOSTILE: list[tuple[str, Callable[[bytes], bytes], str, str]] = [
    ("empty", lambda d: b"", "empty_media", "0 bytes"),
    ("page", lambda d: b"<html>Video unavailable</html>", "undecodable_media", "<html>"),
    ("playlist", lambda d: b"#EXTM3U\nhttp://127.0.0.1/x", "undecodable_media", "#EXTM3U"),
    ("truncated", lambda d: d[:60_000], "truncated_media", "fewer than its boxes promise"),
    ("header alone", lambda d: d[:100], "truncated_media", "fewer than its boxes promise"),
    ("zeros", lambda d: d[:8000] + bytes(len(d) - 8000), "undecodable_media", "frames decode"),
    ("long frames", lambda d: patched(d, b"stts", 16, 2**24), "oversized_media", "the limit is"),
    ("zero frames", no_frames, "empty_media", "no frames"),
    ("sound alone", lambda d: sound_only(), "undecodable_media", "no video track"),
    ("30,000 pixels", huge, "oversized_media", "30000x30000 pixels"),
    ("30,000 in a strip", strip, "oversized_media", "30000x16 pixels"),
    ("30,000 inside", wide, "undecodable_media", ""),
    ("4 G samples", lambda d: patched(d, b"stsz", 12, 2**32 - 1), "oversized_media", "promise"),
    ("another codec", lambda d: movie(greys(0, 9), "png", "rgb24", format="mov"),
     "undecodable_media", "video codec png"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "reason", "detail"), [pytest.param(*h[1:], id=h[0]) for h in HOSTILE]
)
def test_hostile(spoil: Callable[[bytes], bytes], reason: str, detail: str) -> None:
    data = spoil(CLIP.read_bytes())
    forget()
    start, before = time.process_time(), peak()
    with pytest.raises(Dropped) as drop:
        video.read(data, Choice())
    assert (drop.value.outcome, detail in drop.value.detail) == (reason, True), drop.value
    assert time.process_time() - start < SECONDS
    assert peak() - before < MEGABYTES * 1024


@pytest.mark.parametrize("box", [b"mvhd", b"mdhd"])
def test_a_bogus_duration_is_not_believed(box: bytes) -> None:
    data = patched(CLIP.read_bytes(), box, 20, 2**31 - 1)  # up to 600 hours
    assert video.probe(data).seconds == 5 and video.probe(data).fps == 24


def test_every_cut_of_a_clip_ends_in_a_reason() -> None:
    data = CLIP.read_bytes()
    for size in range(0, len(data), 4999):
        with pytest.raises(Dropped) as drop:
            video.read(data[:size], Choice())
        assert drop.value.outcome in ("empty_media", "undecodable_media", "truncated_media")


def test_bytes_turned_at_random_end_in_a_clip_or_a_reason() -> None:
    data, random = CLIP.read_bytes(), np.random.default_rng(0)
    header = data.index(b"mdat")
    for _ in range(20):
        spoilt = bytearray(data)
        for at in random.integers(0, header, 4):
            spoilt[at] = random.integers(256)
        try:
            video.read(bytes(spoilt), Choice(count=2))
        except Dropped as drop:
            assert drop.detail


def levels(clip: video.Clip) -> list[int]:
    return [round(float(still.small.mean())) for still in clip.stills]


def test_frames_are_the_middles_of_equal_parts() -> None:
    steps = [20 * n for n in range(12)]
    data = movie(greys(*steps))
    near = lambda found, wanted: np.abs(np.subtract(found, wanted)).max() <= 3  # noqa: E731
    assert near(levels(video.read(data, Choice(count=1))), [120])
    assert near(levels(video.read(data, Choice(count=3))), [40, 120, 200])
    assert near(levels(video.read(data, Choice(count=12))), steps)
    assert near(levels(video.read(data, Choice(count=100))), steps)  # none is there twice
    assert near(levels(video.read(data, Choice(rate=2.5))), [40, 120, 200])
    assert near(levels(video.read(data, Choice(keyframes=True))), [0])


def test_a_frame_stays_on_the_screen_until_the_next() -> None:
    data = movie(greys(0, 200, 40), times=[0, 1, 20])  # in tenths of a second; 2.1 s in all
    assert [level > 100 for level in levels(video.read(data, Choice(count=3)))] == [True]
    assert [level > 100 for level in levels(video.read(data, Choice(count=30)))] == [0, 1, 0]


def test_sizes() -> None:
    data = movie([np.tile(np.arange(96, dtype=np.uint8)[:, None, None], (1, 64, 3))])
    sizes = {}
    for side in (None, 48, 500):
        still = video.read(data, Choice(count=1, side=side)).stills[0]
        sizes[side] = Image.open(io.BytesIO(still.jpeg)).size
    assert sizes == {None: (64, 96), 48: (32, 48), 500: (64, 96)}


def test_a_clip_that_is_turned_is_shown_upright() -> None:
    left = np.zeros((64, 96, 3), np.uint8)
    left[:, :48] = 255
    data = movie([left] * 3)
    at = data.index(b"tkhd") + 44
    assert struct.unpack(">9i", data[at : at + 36])[:2] == (65536, 0)
    clockwise = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 2**30)
    clip = video.read(data[:at] + clockwise + data[at + 36 :], Choice(count=1))
    image = Image.open(io.BytesIO(clip.stills[0].jpeg)).convert("L")
    assert (clip.width, clip.height) == image.size == (64, 96)
    assert image.getpixel((32, 10)) > 200 and image.getpixel((32, 90)) < 50


@pytest.mark.parametrize(
    ("frames", "notes"),
    [
        (greys(*range(0, 200, 20)), ["blank: 8 of 8 frames"]),
        (greys(*[0] * 10), ["blank: 8 of 8 frames", "frozen: no two of 8 frames differ"]),
    ],
)
def test_notes_on_what_can_be_seen(frames: list[np.ndarray], notes: list[str]) -> None:
    assert video.read(movie(frames), Choice()).notes == notes


def test_a_photograph_is_frozen_and_a_film_is_not() -> None:
    film = video.read(CLIP.read_bytes(), Choice())
    photo = np.asarray(Image.open(io.BytesIO(film.stills[3].jpeg)))
    grain = np.random.default_rng(0).normal(0, 4, (20, *photo.shape))
    frames = [np.clip(photo + noise, 0, 255).astype(np.uint8) for noise in grain]
    assert film.notes == []
    assert video.read(movie(frames), Choice()).notes == ["frozen: no two of 8 frames differ"]


def test_the_same_bytes_every_time() -> None:
    data = CLIP.read_bytes()
    first, again = (video.read(data, Choice(side=200)) for _ in range(2))
    assert [s.jpeg for s in first.stills] == [s.jpeg for s in again.stills]
    assert (first.width, first.height, first.decoded) == (320, 180, 120)


def test_matroska_is_read_too() -> None:
    clip = video.read(movie(greys(0, 100, 200), "libvpx", format="webm"), Choice(count=3))
    assert len(clip.stills) == 3 and clip.probe.fps == 10 and not clip.probe.has_audio


def test_boxes() -> None:
    data = CLIP.read_bytes()
    assert boxes.missing_bytes(data) == 0 and boxes.missing_bytes(data[:-7]) == 7
    assert boxes.pictures(data) == [(320, 180)]
    assert boxes.samples(data) == 120 + 217


@pytest.mark.parametrize(
    ("start", "end", "reason"), [(0.3, 1, "unsuitable_media"), (60, 61, "wrong_duration")]
)
def test_a_section_that_cannot_be_cut(start: float, end: float, reason: str) -> None:
    with pytest.raises(Dropped, match=reason):
        video.section(CLIP.read_bytes(), start, end)


def test_a_section_keeps_its_pictures() -> None:
    data = CLIP.read_bytes()
    part = video.section(data, 0, 1)
    assert part == video.section(data, 0, 1)
    found = video.read(part, Choice(1))
    assert (found.decoded, found.probe.seconds) == (24, 1.0)
    assert found.stills[0].jpeg == video.frame(data, 0.5)


def test_a_section_of_av1_is_cut() -> None:
    """LeRobot writes it so; the decoder is called otherwise than the codec."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libsvtav1", rate=10, options={"g": "2", "preset": "12"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for grey in greys(*range(0, 200, 20)):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        file.mux(stream.encode())
    with av.open(io.BytesIO(video.section(out.getvalue(), 0.4, 1))) as part:
        means = [frame.to_ndarray(format="gray").mean() for frame in part.decode(video=0)]
    assert means == pytest.approx([80, 100, 120, 140, 160, 180], abs=3)
