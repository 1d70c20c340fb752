"""Clips as the world writes them: they come out as a player shows and plays them."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import ffmpeg, run
from PIL import Image

from edge_glass.core.ledger import Dropped
from edge_glass.corpora.video_params import VideoParams
from edge_glass.media import audio, container, video

SIZE = (64, 48)
# white in the upper left corner of grey, two seconds; a tone from the very beginning
MARK = "drawbox=x=0:y=0:w=16:h=12:color=white:t=fill"
PICTURE = ("-f", "lavfi", "-i", f"color=c=gray:s=64x48:r=10:d=2,{MARK}")
TONE = ("-f", "lavfi", "-i", "sine=f=440:d=2:r=44100,volume=3")
H264 = ("-pix_fmt", "yuv420p", "-c:v", "libx264", "-crf", "10", "-preset", "ultrafast")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where encoders write; `plain.mp4` is the clip that others are made of."""
    out = tmp_path_factory.mktemp("video")
    coded(out, *PICTURE, *TONE, *H264, "-c:a", "aac", name="plain.mp4")
    return out


def coded(folder: Path, *arguments: object, name: str = "out.mp4") -> bytes:
    ffmpeg(*arguments, folder / name)
    return (folder / name).read_bytes()


def columns(data: bytes, **config: Any) -> tuple[dict[str, Any], list[str]]:
    notes: list[str] = []
    params = VideoParams(frames=1, audio_format="waveform", **config)
    return params.video_columns(data, "clip.mp4", notes), notes


def frame(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(columns(data)[0]["image_jpegs"][0]["bytes"])).convert("L")


def corners(image: Image.Image) -> list[bool]:
    """Whether upper left, upper right, lower left and lower right are white."""
    right, bottom = image.width - 4, image.height - 4
    places = [(4, 4), (right, 4), (4, bottom), (right, bottom)]
    return [image.getpixel(place) > 200 for place in places]  # type: ignore[operator]


TURNS: dict[str, tuple[list[object], list[bool], bool]] = {
    "as it is": ([], [True, False, False, False], False),
    "mirrored": (["-display_hflip"], [False, True, False, False], False),
    "upside down": (["-display_vflip"], [False, False, True, False], False),
    "half a turn": (["-display_rotation", 180], [False, False, False, True], False),
    "counterclockwise": (["-display_rotation", 90], [False, False, True, False], True),
    "clockwise": (["-display_rotation", -90], [False, True, False, False], True),
    "transposed": (["-display_rotation", 90, "-display_vflip"], [True, False, False, False], True),
    "transverse": (["-display_rotation", 90, "-display_hflip"], [False, False, False, True], True),
}


@pytest.mark.parametrize("name", TURNS)
def test_a_display_matrix_is_applied_whatever_it_is(folder: Path, name: str) -> None:
    options, white, turned = TURNS[name]
    data = coded(folder, *options, "-i", folder / "plain.mp4", "-c", "copy")
    found, image = columns(data)[0], frame(data)
    assert image.size == (SIZE[::-1] if turned else SIZE) == (found["width"], found["height"])
    assert corners(image) == white
    shown = ffmpeg("-i", folder / "out.mp4", "-frames:v", 1, "-f", "image2", "-c:v", "png", "-")
    player = np.asarray(Image.open(io.BytesIO(shown)).convert("L"), np.float32)
    assert np.abs(player - np.asarray(image)).mean() < 4


@pytest.mark.parametrize(("aspect", "size"), [("2/1", (128, 48)), ("1/2", (32, 48))])
def test_pixels_that_are_not_square_are_shown_as_they_are(
    folder: Path, aspect: str, size: tuple[int, int]
) -> None:
    wide = coded(folder, *PICTURE, "-vf", f"setsar={aspect}", *H264)
    found = columns(wide)[0]
    assert frame(wide).size == size == (found["width"], found["height"])
    turned = coded(folder, "-display_rotation", 90, "-i", folder / "out.mp4", "-c", "copy",
                   name="turned.mp4")  # fmt: skip
    assert frame(turned).size == size[::-1]
    small = columns(wide, frame_side=32)[0]["image_jpegs"][0]["bytes"]
    assert max(Image.open(io.BytesIO(small)).size) == 32
    matroska = run("mkvmerge", "-q", "-o", folder / "out.mkv", folder / "out.mp4")
    assert matroska == b"" and frame((folder / "out.mkv").read_bytes()).size == size


def test_pixels_of_an_absurd_aspect_are_oversized(folder: Path) -> None:
    data = coded(folder, *PICTURE, "-vf", "setsar=2/1", *H264)
    at = data.index(b"pasp") + 4
    data = data[:at] + struct.pack(">II", 200, 1) + data[at + 8 :]
    with pytest.raises(Dropped, match="12800x48 pixels"):
        video.probe(data)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_sound_that_starts_later_keeps_its_place(folder: Path, suffix: str) -> None:
    late = coded(folder, *PICTURE, "-itsoffset", 1, *TONE, *H264, "-c:a", "aac", "-map", 0,
                 "-map", 1, name=f"late.{suffix}")  # fmt: skip
    found, notes = columns(late)
    sound, rate = np.asarray(found["audio"]), found["sampling_rate"]
    assert np.argmax(np.abs(sound) > 0.05) / rate == pytest.approx(1, abs=0.03)
    assert len(sound) / rate == pytest.approx(3, abs=0.1)
    assert any("after the picture: silence before it" in note for note in notes)
    assert columns((folder / "plain.mp4").read_bytes())[1] == []


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4"])
def test_a_picture_that_starts_later_is_whole(folder: Path, suffix: str) -> None:
    codecs = ("-c:v", "libvpx", "-c:a", "libopus") if suffix == "webm" else (*H264, "-c:a", "aac")
    data = coded(folder, "-itsoffset", 1, *PICTURE, *TONE, *codecs, "-map", 0, "-map", 1,
                 name=f"picture.{suffix}")  # fmt: skip
    found, notes = columns(data)
    assert found["duration"] == pytest.approx(2, abs=0.01) and found["fps"] == 10
    assert "sound starts 1.00 s before the picture" in notes
    assert len(found["audio"]) / found["sampling_rate"] == pytest.approx(2, abs=0.1)
    if suffix != "mp4":
        with pytest.raises(Dropped, match=r"of 3\.\d\d s"):
            video.probe(data[: len(data) * 2 // 3])


SOUNDS = ["pcm_mulaw", "pcm_alaw", "pcm_s8", "pcm_f32be", "pcm_s16le", "alac", "adpcm_ima_qt"]


@pytest.mark.parametrize("codec", SOUNDS)
def test_rare_sound_tracks_decode(folder: Path, codec: str) -> None:
    data = coded(folder, *PICTURE, *TONE, *H264, "-c:a", codec, "-ar", 8000, name="sound.mov")
    found, notes = columns(data)
    sound = np.asarray(found["audio"])
    assert (found["sampling_rate"], notes) == (8000, [])
    assert len(sound) / 8000 == pytest.approx(2, abs=0.02)
    truth = ffmpeg("-i", folder / "sound.mov", "-f", "f32le", "-ac", 1, "-")
    assert np.abs(sound - np.frombuffer(truth, np.float32)).max() < 1e-3


def test_mov_without_ftyp_is_read(folder: Path) -> None:
    mov = coded(folder, *PICTURE, *TONE, *H264, "-c:a", "pcm_s16le", name="old.mov")
    assert mov[4:8] == b"ftyp"
    size = int.from_bytes(mov[:4])
    without = mov[:4] + b"free" + mov[8:]
    found, truth = columns(without)[0], columns(mov)[0]
    assert np.array_equal(found.pop("audio"), truth.pop("audio")) and found == truth
    assert container.demuxer(mov[size:]) == "mov"  # begins with `wide` or `mdat`
    assert audio.check(coded(folder, *TONE, "-c:a", "aac", name="a.m4a")).format == "M4A"
    with pytest.raises(Dropped, match="no MP4 or WebM"):
        video.probe(b"The free software that we know" * 9)


OTHERS: dict[str, Callable[[Path], bytes]] = {
    "MPEG-TS": lambda f: coded(f, "-i", f / "plain.mp4", "-c", "copy", name="a.ts"),
    "FLV": lambda f: coded(f, "-i", f / "plain.mp4", "-c", "copy", name="a.flv"),
    "AVI": lambda f: coded(f, "-i", f / "plain.mp4", "-q:v", 2, "-c:a", "mp3", name="a.avi"),
    "MPEG-PS": lambda f: coded(f, "-i", f / "plain.mp4", "-r", 25, "-q:v", 2, name="a.mpg"),
    "ProRes": lambda f: coded(f, "-i", f / "plain.mp4", "-c:v", "prores", name="a.mov"),
    "MPEG-2": lambda f: coded(f, "-i", f / "plain.mp4", "-r", 25, "-c:v", "mpeg2video", "-q:v", 2),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_containers_and_codecs_are_read(folder: Path, name: str) -> None:
    data = OTHERS[name](folder)
    found = columns(data)[0]
    assert (found["width"], found["height"]) == SIZE and corners(frame(data))[0]
    assert found["duration"] == pytest.approx(2, abs=0.15)
    assert len(found["audio"]) / found["sampling_rate"] == pytest.approx(2, abs=0.15)
    if name == "AVI":
        with pytest.raises(Dropped, match="fewer than its header promises"):
            video.probe(data[:-1000])


def test_high_definition_without_a_name_for_its_colours_is_that_of_television(folder: Path) -> None:
    red = "color=c=red:s={}:r=5:d=1"
    matrix = ("-vf", "scale=out_color_matrix={},format=yuv420p", "-c:v", "libx264", "-crf", "1")
    for size, colours in (("1280x720", "bt709"), ("64x48", "bt601")):
        options = [part.format(colours) for part in matrix]
        untold = ("-bsf:v", "h264_metadata=matrix_coefficients=2")
        data = coded(folder, "-f", "lavfi", "-i", red.format(size), *options, *untold)
        jpeg = columns(data)[0]["image_jpegs"][0]["bytes"]
        pixel = Image.open(io.BytesIO(jpeg)).convert("RGB").getpixel((20, 20))
        assert np.abs(np.subtract(pixel, (254, 0, 0))).max() < 8, (size, pixel)
