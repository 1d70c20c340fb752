"""Sound as the world writes it: its length is what decoding gives, whatever a header says."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from encoders import ffmpeg, run
from kit import encoded, sound, tones

from edge_glass.core.ledger import Dropped
from edge_glass.corpora.params import AudioParams
from edge_glass.media import audio, magic, sound_file
from edge_glass.train.decode import Sound

RATE = 44100
FRAME = 1152  # samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where encoders find what to encode: loud and quiet, so that variable bit rates vary."""
    out = tmp_path_factory.mktemp("sound")
    loud = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE)
    soft = tones(3, RATE, 440) * 0.3
    for name, samples in (("loud", loud), ("soft", soft)):
        (out / f"{name}.wav").write_bytes(encoded(samples, RATE))
    (out / "wav").write_bytes(encoded(np.concatenate([soft, loud, soft]), RATE))
    return out


def coded(folder: Path, *arguments: object, name: str = "out", source: str = "wav") -> bytes:
    """The source as ffmpeg encodes it into a file, whose header it can go back to."""
    ffmpeg("-i", folder / source, *arguments, "-bitexact", folder / name)
    return (folder / name).read_bytes()


def piped(folder: Path, *arguments: object) -> bytes:
    """The source as ffmpeg encodes it into a pipe."""
    return ffmpeg("-i", folder / "wav", *arguments, "-")


def heard(folder: Path, data: bytes) -> np.ndarray:
    """What ffmpeg decodes."""
    (folder / "in").write_bytes(data)
    out = ffmpeg("-i", folder / "in", "-f", "f32le", "-")
    return np.frombuffer(out, np.float32)


VBR = ("-c:a", "libmp3lame", "-q:a", "2", "-f", "mp3")
BARE = (*VBR, "-write_xing", "0", "-id3v2_version", "0")
MPEG: dict[str, Callable[[Path], bytes]] = {
    "VBR, no Xing": lambda f: coded(f, *BARE),
    "VBR, Xing": lambda f: coded(f, *VBR),
    "VBR, to a pipe": lambda f: piped(f, *VBR),
    "CBR, no Xing": lambda f: coded(f, *BARE[:2], "-b:a", "128k", *BARE[4:]),
    "CBR, no reservoir": lambda f: coded(f, *BARE[:2], "-b:a", "64k", "-reservoir", "0", *BARE[4:]),
    "22,050 Hz": lambda f: coded(f, *BARE, "-ar", "22050"),
    "8,000 Hz": lambda f: coded(f, *BARE, "-ar", "8000"),
    "stereo": lambda f: coded(f, *BARE, "-ac", "2"),
    "ID3 at both ends": lambda f: coded(
        f, *VBR, "-write_xing", "0", "-write_id3v1", "1", "-metadata", "title=x"
    ),
    "joined, Xing": lambda f: coded(f, *VBR) * 2,
    "MP2": lambda f: coded(f, "-c:a", "mp2", "-f", "mp2"),
    "MP3 in WAV": lambda f: coded(f, "-c:a", "libmp3lame", "-f", "wav"),
    "MP2 in WAV": lambda f: coded(f, "-c:a", "mp2", "-f", "wav"),
    "lame, to a pipe": lambda f: run("lame", "--quiet", "-V2", f / "wav", "-"),
    "lame, no tag": lambda f: run("lame", "--quiet", "-V4", "-t", f / "wav", "-"),
    "APE tag first": lambda f: ape_tag() + coded(f, *BARE),
    "zeros first": lambda f: bytes(5000) + coded(f, *BARE),
    "cut out of a stream": lambda f: coded(f, *BARE)[20_001:],
}


def ape_tag() -> bytes:
    item = struct.pack("<II", 4, 0) + b"Title\0name"
    return b"APETAGEX" + struct.pack("<IIIIQ", 2000, len(item), 1, 0xA0000000, 0) + item


@pytest.mark.parametrize("name", MPEG)
def test_mp3_and_mp2_are_as_long_as_their_frames(folder: Path, name: str) -> None:
    data = MPEG[name](folder)
    samples, rate = audio.decode(data)
    truth = heard(folder, data).reshape(-1, samples.shape[1])
    assert audio.check(data).frames == len(samples) == len(truth)
    assert np.abs(samples - truth).max() < 1e-3
    assert audio.check(audio.transcode(data, rate, 1, "flac").data).frames == len(truth)


def test_mp3_without_counts_that_are_joined_lose_nothing(folder: Path) -> None:
    one, other = coded(folder, *BARE), coded(folder, *BARE, "-metadata", "title=x")
    frames = [audio.check(data).frames for data in (one, other, one + other)]
    assert frames[2] == frames[0] + frames[1]
    with pytest.raises(Dropped, match=r"44100 Hz with 1 channels, then 22050 Hz"):
        audio.check(one + coded(folder, *BARE, "-ar", "22050"))


@pytest.mark.parametrize("stated", [0, 5, 2**32 - 1])
def test_a_count_of_frames_that_is_wrong_is_not_believed(folder: Path, stated: int) -> None:
    data = coded(folder, *VBR)
    at = data.index(b"Info" if b"Info" in data[:400] else b"Xing") + 8
    patched = data[:at] + struct.pack(">I", stated) + data[at + 4 :]
    frames = audio.check(data).frames
    assert frames == 8 * RATE
    assert frames <= audio.check(patched).frames < frames + 2 * FRAME


def cut(data: bytes) -> str:
    with pytest.raises(Dropped) as caught:
        audio.check(data)
    return f"{caught.value.outcome}: {caught.value.detail}"


def test_an_mp3_that_was_cut_is_truncated(folder: Path) -> None:
    with_count, without = coded(folder, *VBR), coded(folder, *BARE)
    assert "frames" in cut(with_count[:40_000]) or "lacks" in cut(with_count[:40_000])
    assert cut(without[:40_000]).startswith("truncated_media: its last frame lacks")
    assert cut(coded(folder, "-f", "mp2")[:40_000]).startswith("truncated_media")


CROPPED: dict[str, Callable[[Path], bytes]] = {
    **{name: MPEG[name] for name in ("VBR, no Xing", "VBR, Xing", "joined, Xing", "MP2")},
    "MP3 in WAV": MPEG["MP3 in WAV"],
    "Vorbis": lambda f: run("sox", f / "wav", "-t", "ogg", "-"),
    "Opus": lambda f: coded(f, "-c:a", "libopus", "-f", "ogg"),
    "chained Vorbis": lambda f: vorbis(f, "loud.wav") + vorbis(f, "soft.wav"),
    "FLAC, to a pipe": lambda f: piped(f, "-f", "flac"),
    "GSM": lambda f: run("sox", f / "wav", "-r", "8000", "-e", "gsm", "-t", "wav", "-"),
    "ADPCM": lambda f: coded(f, "-c:a", "adpcm_ms", "-f", "wav"),
    "AAC": lambda f: coded(f, "-c:a", "aac", "-f", "adts"),
}


@pytest.mark.parametrize("name", CROPPED)
def test_a_crop_equals_the_same_stretch_of_a_full_decode(folder: Path, name: str) -> None:
    data = CROPPED[name](folder)
    whole, rate = audio.waveform(data, None)
    for at in np.linspace(0, 1, 15):
        part, _ = audio.section(data, None, 0.25, float(at))
        start = round(float(at) * (len(whole) - len(part)))
        assert np.array_equal(part, whole[start : start + len(part)])
    drawn = Sound(0.5, rate)(data, np.random.default_rng(3))
    start = round(float(np.random.default_rng(3).uniform()) * (len(whole) - len(drawn)))
    assert np.array_equal(drawn, whole[start : start + len(drawn)])


def vorbis(folder: Path, source: str, *more: object) -> bytes:
    return coded(folder, "-c:a", "libvorbis", "-f", "ogg", *more, source=source)


OGG = {
    "Vorbis": ("-c:a", "libvorbis", "-f", "ogg"),
    "Opus": ("-c:a", "libopus", "-f", "ogg"),
    "FLAC": ("-c:a", "flac", "-f", "ogg"),
}


@pytest.mark.parametrize("codec", OGG)
def test_ogg_streams_that_were_joined_are_all_there(folder: Path, codec: str) -> None:
    parts = [coded(folder, *OGG[codec], source=f"{name}.wav") for name in ("loud", "soft", "loud")]
    found = audio.check(b"".join(parts))
    assert (found.format, found.seconds) == ("OGG", 7)
    each = [audio.decode(part)[0] for part in parts]
    assert np.array_equal(audio.decode(b"".join(parts))[0], np.concatenate(each))
    rate = audio.check(parts[0]).rate
    slower = coded(folder, *OGG[codec], "-ar", "16000", "-ac", "2", source="soft.wav")
    assert f"{rate} Hz with 1 channels, then" in cut(parts[0] + slower)


def test_flac_in_ogg_is_decoded_as_it_was_encoded(folder: Path) -> None:
    data = coded(folder, *OGG["FLAC"])
    truth = audio.decode((folder / "wav").read_bytes())[0]
    assert np.array_equal(audio.decode(data)[0], truth)
    assert audio.transcode(data, None, None, "flac").data.startswith(b"fLaC")
    assert audio.Sound.of(data).info.has_name(".oga")


SIZES = [0, 0x7FFFF000, 0x7FFFEFDC, 0x7FFFFFFF, 0x80000000, 0xFFFFFF00, 0xFFFFFFFE, 0xFFFFFFFF]


@pytest.mark.parametrize("size", SIZES, ids=hex)
def test_wav_of_a_recorder_that_could_not_know_its_size_is_whole(size: int) -> None:
    wav = sound(2)
    at = wav.index(b"data") + 4
    streamed = wav[:4] + struct.pack("<I", size) + wav[8:at] + struct.pack("<I", size)
    data = streamed + wav[at + 4 :]
    assert audio.check(data) == audio.check(wav)
    assert np.array_equal(audio.decode(data)[0], audio.decode(wav)[0])


def test_a_wav_without_sound_stays_empty(folder: Path) -> None:
    empty = encoded(np.zeros(0), RATE)
    assert cut(empty) == "empty_media: no samples"
    tagged = empty + b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert cut(tagged) == "empty_media: no samples"


PIPES: dict[str, Callable[[Path], bytes]] = {
    name: lambda f, n=name: piped(f, "-f", n)  # type: ignore[misc]
    for name in ("wav", "w64", "caf", "au", "aiff", "flac")
} | {
    "rf64": lambda f: piped(f, "-f", "wav", "-rf64", "always"),
    "flac, variable blocks": lambda f: piped(f, "-f", "flac", "-compression_level", "12"),
    "flac's own": lambda f: run("flac", "--silent", "-c", "-", given=(f / "wav").read_bytes()),
    "sox's wav": lambda f: run("sox", "-t", "wav", "-", "-t", "wav", "-", given=unsized(f)),
    "sox's aiff": lambda f: run("sox", "-t", "wav", "-", "-t", "aiff", "-", given=unsized(f)),
    "sox's au": lambda f: run("sox", "-t", "wav", "-", "-t", "au", "-", given=unsized(f)),
}


def unsized(folder: Path) -> bytes:
    return piped(folder, "-f", "wav")


@pytest.mark.parametrize("name", PIPES)
def test_what_was_written_to_a_pipe_is_whole(folder: Path, name: str) -> None:
    found, rate = audio.decode(PIPES[name](folder))
    truth = audio.decode((folder / "wav").read_bytes())[0]
    assert rate == RATE and np.array_equal(found, truth)


FILES: dict[str, Callable[[Path], bytes]] = {
    "AIFF": lambda f: coded(f, "-f", "aiff"),
    "AU": lambda f: coded(f, "-f", "au"),
    "W64": lambda f: coded(f, "-f", "w64"),
    "RF64": lambda f: coded(f, "-f", "wav", "-rf64", "always"),
    "CAF": lambda f: coded(f, "-f", "caf"),
    "NIST": lambda f: run("sox", f / "wav", "-t", "sph", "-"),
    "BW64": lambda f: b"BW64" + coded(f, "-f", "wav", "-rf64", "always")[4:],
    "RIFX": lambda f: run("sox", f / "wav", "-B", "-t", "wav", "-"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_cut_is_truncated(folder: Path, name: str) -> None:
    data = FILES[name](folder)
    assert np.array_equal(audio.decode(data)[0], audio.decode((folder / "wav").read_bytes())[0])
    for size in (len(data) - 1, len(data) // 2, 1100):
        assert cut(data[:size]).startswith("truncated_media"), size


def test_counts_that_no_file_could_hold_are_not_believed(folder: Path) -> None:
    aiff, flac = FILES["AIFF"](folder), sound(1, "FLAC")
    at = aiff.index(b"COMM") + 10
    assert audio.check(aiff[:at] + b"\xff" * 4 + aiff[at + 4 :]) == audio.check(aiff)
    assert cut(aiff[:at] + b"\xff" * 4 + aiff[at + 4 : 154]).startswith("truncated_media")
    assert cut(flac[:22] + b"\xff" * 4 + flac[26:]).startswith("truncated_media")


def test_flac_without_a_count_is_read_to_its_last_frame(folder: Path) -> None:
    data = piped(folder, "-f", "flac")
    assert not any(data[22:26]) and audio.Sound.of(data).info.frames == 8 * RATE
    assert audio.section(data, None, 1, 1)[0].shape == (RATE,)
    assert cut(data[:42]).startswith("undecodable_media")
    assert cut(data[: len(data) // 2]).startswith(("undecodable_media", "truncated_media"))


def test_id3_before_adts_and_flac_is_passed_over(folder: Path) -> None:
    tag = b"ID3\4\0\0\0\0\1\0" + bytes(128)
    adts = coded(folder, "-c:a", "aac", "-f", "adts")
    for data, kind in ((adts, "audio/aac"), (sound(1, "FLAC"), "audio/flac")):
        assert audio.check(tag + data) == audio.check(data)
        assert magic.kind(tag + data) == magic.kind(data) == kind


def test_a_cut_in_a_tag_is_truncated() -> None:
    assert cut(b"ID3\4\0\0\0\1\0\0" + bytes(1000)).startswith("truncated_media: 15384 bytes")


@pytest.mark.parametrize("name", ["VBR, no Xing", "joined, Xing", "VBR, Xing"])
def test_bytes_that_are_kept_are_noted_where_a_header_misleads(folder: Path, name: str) -> None:
    data, notes = MPEG[name](folder), []
    found = AudioParams(audio_format="source").audio_columns(data, "clip.mp3", notes)
    assert found["audio"]["bytes"] == data
    assert found["duration"] == pytest.approx(len(heard(folder, data)) / RATE, abs=1e-6)
    misled = name != "VBR, Xing"
    assert notes == ["its header does not say how long it is"] * misled


class Counted(sound_file._Bytes):
    bytes_read = 0

    def readinto(self, buffer: bytearray) -> int:
        count = super().readinto(buffer)
        Counted.bytes_read += count
        return count


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF", "AU", "CAF"])
def test_a_probe_reads_the_header_alone(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 20 * RATE)
    data = encoded(noise, RATE, format)
    monkeypatch.setattr(sound_file, "_Bytes", Counted)
    Counted.bytes_read = 0
    assert audio.Sound.of(data).info.seconds == 20
    assert Counted.bytes_read < 20_000 < len(data) / 50
    audio.check(data)
    assert Counted.bytes_read >= len(data) * 0.99
