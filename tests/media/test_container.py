"""MP4, M4A and WebM: what is in them, whole and in sections, and what is wrong with them."""

import io
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import audio, container

av = pytest.importorskip("av")
RATE = 48000


def made(format: str, codec: str, seconds: float, *, video: bool = False) -> bytes:
    """A clip with a rising tone, so that every second of it sounds different."""
    out = io.BytesIO()
    with av.open(out, "w", format=format) as file:
        picture = file.add_stream("mpeg4", rate=10) if video else None
        sound = file.add_stream(codec, rate=RATE, layout="mono") if codec else None
        if picture:
            picture.width = picture.height = 32
            for _ in range(round(seconds * 10)):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                file.mux(picture.encode(frame))
            file.mux(picture.encode(None))
        if sound:
            time = np.arange(round(seconds * RATE)) / RATE
            tone = (0.5 * np.sin(2 * np.pi * (200 + 50 * time) * time)).astype(np.float32)
            for start in range(0, len(tone), 960):
                frame = av.AudioFrame.from_ndarray(tone[None, start : start + 960], "fltp", "mono")
                frame.sample_rate, frame.pts = RATE, start
                file.mux(sound.encode(frame))
            file.mux(sound.encode(None))
    return out.getvalue()


CLIPS = {
    "m4a": made("mp4", "aac", 3),
    "mp4": made("mp4", "aac", 3, video=True),
    "webm": made("webm", "libopus", 3),
    "mkv": made("matroska", "libopus", 3, video=True),
    "adts": made("adts", "aac", 3),
}


@pytest.mark.parametrize("name", CLIPS)
def test_the_whole_track_is_decoded(name: str) -> None:
    data = CLIPS[name]
    whole, rate = container.decode(data)
    assert (rate, whole.shape[1]) == (RATE, 1)
    assert len(whole) == pytest.approx(3 * RATE, abs=0.05 * RATE)
    assert whole.dtype == np.float32


@pytest.mark.parametrize("name", CLIPS)
def test_audio_reads_them_as_it_reads_wav(name: str) -> None:
    data = CLIPS[name]
    found = audio.check(data)
    assert found.has_name(f".{name}") or name == "adts"
    assert found.subtype == ("AAC" if name in ("m4a", "mp4", "adts") else "OPUS")
    clip = audio.transcode(data, 16000, 1, "flac")
    assert audio.check(clip.data).frames == pytest.approx(3 * 16000, abs=800)
    assert audio.transcode(data, 16000, 1, "flac").data == clip.data
    assert audio.Sound.of(clip.data).info.subtype == "PCM_16"


def test_no_audio() -> None:
    silent = made("mp4", "", 1, video=True)
    with pytest.raises(Dropped, match="no audio track") as drop:
        container.decode(silent)
    assert drop.value.outcome == Outcome.NO_AUDIO


def cut_short(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"", Outcome.EMPTY_MEDIA),
        (b"#EXTM3U\nfile:///etc/passwd\n", Outcome.UNDECODABLE_MEDIA),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", Outcome.UNDECODABLE_MEDIA),
        (b"<html>" * 100, Outcome.UNDECODABLE_MEDIA),
        (CLIPS["m4a"][:2000], Outcome.UNDECODABLE_MEDIA),
        (cut_short(CLIPS["webm"]), Outcome.TRUNCATED_MEDIA),
    ],
    ids=["empty", "playlist", "ffconcat", "html", "m4a", "webm"],
)
def test_what_is_wrong_has_a_name(data: bytes, outcome: Outcome) -> None:
    with pytest.raises(Dropped) as drop:
        container.decode(data)
    assert drop.value.outcome == outcome


def test_too_long_is_oversized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_SECONDS", 2)
    with pytest.raises(Dropped) as drop:
        container.decode(CLIPS["m4a"])
    assert drop.value.outcome == Outcome.OVERSIZED_MEDIA


@pytest.mark.parametrize("name", CLIPS)
def test_damage_is_an_outcome_whatever_it_is(name: str) -> None:
    chance = random.Random(name)
    for _ in range(25):
        data = bytearray(CLIPS[name])
        for _ in range(chance.choice([1, 10, 100])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            container.kind(bytes(data))
            samples, rate = container.decode(bytes(data))
        except Dropped:
            continue
        assert len(samples) and rate > 0 and np.isfinite(samples).all()


def test_without_pyav_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(EdgeGlassError, match=r"pip install .*\[video\]'"):
        container.decode(CLIPS["m4a"])


def test_the_sample() -> None:
    path = Path(__file__).parents[2] / "samples" / "musiccaps" / "egSample_03.m4a"
    found = audio.check(path.read_bytes())
    assert (found.rate, found.channels, found.subtype) == (44100, 1, "AAC")
    assert found.seconds == pytest.approx(14, abs=0.1)
