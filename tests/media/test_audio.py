"""Audio through the engine: exact where nothing changes, faithful where something does."""

import io
import math
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile as sf
import soxr
from encoders import ffmpeg
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kit import ROOT, encoded, sound, tones

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.media import audio, riff, sections, sound_file
from edge_glass.media.decoding import Audio


def read(data: bytes, dtype: str = "float64") -> tuple[np.ndarray, int]:
    samples, rate = sf.read(io.BytesIO(data), dtype=dtype, always_2d=True)
    return samples, rate


def decibels(truth: np.ndarray, found: np.ndarray) -> float:
    """Signal to noise, without a tenth at both ends, where filters begin and end."""
    inner = slice(len(truth) // 10, -(len(truth) // 10))
    noise = np.mean((truth[inner] - found[inner]) ** 2)
    return float(10 * np.log10(np.mean(truth[inner] ** 2) / noise))


def reason(data: bytes, *arguments: object) -> tuple[str, str]:
    with pytest.raises(Dropped) as caught:
        audio.transcode(data, *arguments) if arguments else audio.check(data)
    return caught.value.outcome, caught.value.detail


# Nothing is lost where nothing changes


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_pcm_goes_into_flac_bit_for_bit(subtype: str, channels: int) -> None:
    source = sound(channels, subtype=subtype)
    clip = audio.transcode(source, None, None, "flac")
    assert np.array_equal(read(source, "int32")[0], read(clip.data, "int32")[0])
    bits = "PCM_24" if subtype == "PCM_24" else "PCM_16"
    assert sf.info(io.BytesIO(clip.data)).subtype == bits
    assert clip.notes == ()


@pytest.mark.parametrize("format", ["flac", "wav"])
def test_what_is_so_already_keeps_its_bytes(format: str) -> None:
    source = sound(2, format.upper())
    assert audio.transcode(source, 44100, 2, format).data == source


def test_float_and_32_bit_go_into_flac_with_24_bits_and_a_note() -> None:
    for subtype in ("FLOAT", "DOUBLE", "PCM_32"):
        source = sound(subtype=subtype)
        clip = audio.transcode(source, None, None, "flac")
        assert clip.notes == (f"{subtype} written with 24 bits",)
        assert decibels(read(source)[0], read(clip.data)[0]) > 130


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_keeps_the_depth_of_its_source(subtype: str) -> None:
    clip = audio.transcode(sound(subtype=subtype), 16000, None, "wav")
    assert sf.info(io.BytesIO(clip.data)).subtype == subtype
    assert clip.notes == ()


def test_samples_beyond_full_scale_are_clipped_and_counted() -> None:
    loud = encoded(np.array([0.0, 1.5, -1.5, 0.5]), 16000, subtype="FLOAT")
    clip = audio.transcode(loud, None, None, "flac")
    assert clip.notes[0] == "2 samples beyond full scale clipped"
    assert read(clip.data, "int32")[0][:, 0].tolist() == [0, 2**31 - 256, -(2**31), 2**30]


# Determinism


def test_float_wav_holds_no_time_of_writing() -> None:
    data = audio.transcode(sound(subtype="FLOAT"), 16000, None, "wav").data
    peak = data.index(b"PEAK")
    assert data[peak + 12 : peak + 16] == bytes(4)
    assert read(data)[1] == 16000


def test_samples_that_spell_a_chunk_name_are_left_alone() -> None:
    samples = np.frombuffer(b"PEAKPEAKPEAKPEAKPEAK", dtype=np.int16)
    flac = encoded(samples, 16000, "FLAC")
    assert np.array_equal(
        read(audio.transcode(flac, None, None, "wav").data, "int16")[0][:, 0], samples
    )


def test_the_same_sound_gives_the_same_bytes() -> None:
    for format in ("flac", "wav"):
        made = {audio.transcode(sound(2), 16000, 1, format).data for _ in range(3)}
        assert len(made) == 1


# Resampling


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize(("rate", "target"), [(44100, 16000), (44100, 48000), (8000, 44100)])
def test_resampled_tones_are_where_they_should_be(subtype: str, rate: int, target: int) -> None:
    hertz = (220, 997, 3001)
    clip = audio.transcode(
        encoded(tones(2, rate, *hertz), rate, subtype=subtype), target, 1, "flac"
    )
    found, found_rate = read(clip.data)
    truth = tones(2, target, *hertz)
    assert (found_rate, clip.rate, len(found)) == (target, target, len(truth))
    assert decibels(truth, found[:, 0]) > (80 if subtype == "PCM_16" else 90)


def test_what_16_khz_cannot_hold_leaves_no_alias() -> None:
    clip = audio.transcode(encoded(tones(2, 44100, 9500, 15000, 20000), 44100), 16000, None, "flac")
    inner = read(clip.data)[0][400:-400]
    assert 20 * np.log10(np.abs(inner).max()) < -90


def test_a_recording_comes_out_as_a_better_resampler_makes_it() -> None:
    source = (ROOT / "samples/clotho/validation/Railroad crossing bell #1.wav").read_bytes()
    samples, rate = read(source)
    truth = soxr.resample(samples, rate, 16000, quality="VHQ")
    found, _ = read(audio.transcode(source, 16000, None, "flac").data)
    assert len(found) == len(truth) == round(len(samples) * 16000 / rate)
    # their filters differ above 7.3 kHz, where HQ begins to fall
    spectrum = np.fft.rfft(np.stack([truth[:, 0], found[:, 0]]))[:, : int(len(truth) * 0.45)]
    noise = np.sum(np.abs(spectrum[0] - spectrum[1]) ** 2) / np.sum(np.abs(spectrum[0]) ** 2)
    assert -10 * np.log10(noise) > 60


def test_channels_are_mixed_and_doubled() -> None:
    source = sound(8)
    mixed = read(audio.transcode(source, None, 1, "flac").data)[0][:, 0]
    assert np.abs(mixed - read(source)[0].mean(axis=1)).max() <= 1 / 32768
    doubled = read(audio.transcode(sound(1), None, 2, "flac").data)[0]
    assert np.array_equal(doubled[:, 0], doubled[:, 1])
    outcome, detail = reason(source, None, 2, "flac")
    assert (outcome, detail) == (Outcome.UNSUITABLE_MEDIA, "8 channels cannot become 2")


def test_a_waveform_is_what_decodes() -> None:
    source = sound(2)
    samples, rate = audio.waveform(source, None)
    decoded, _ = audio.decode(source)
    assert (rate, samples.shape, samples.dtype) == (44100, (22050,), np.float32)
    assert np.array_equal(samples, decoded.mean(axis=1, dtype=np.float32))
    assert audio.waveform(source, 16000)[0].shape == (8000,)


# What is no sound


def test_reasons() -> None:
    wav, flac, ogg = sound(), sound(1, "FLAC"), sound(1, "OGG", "VORBIS")
    assert reason(b"") == (Outcome.EMPTY_MEDIA, "0 bytes")
    assert reason(encoded(np.zeros(0), 16000)) == (Outcome.EMPTY_MEDIA, "no samples")
    lacking = "1000 bytes fewer than its header promises"
    assert reason(wav[:-1000]) == (Outcome.TRUNCATED_MEDIA, lacking)
    assert reason(wav[:30])[0] == Outcome.TRUNCATED_MEDIA
    assert reason(ogg[:-1000])[0] == Outcome.TRUNCATED_MEDIA
    assert reason(flac[:-1000]) == (Outcome.UNDECODABLE_MEDIA, "Error : flac decoder lost sync.")
    html = "no audio, it begins with b'<!doctype ht'"
    assert reason(b"<!doctype html>") == (Outcome.UNDECODABLE_MEDIA, html)
    assert reason(wav[:24] + bytes(4) + wav[28:])[0] == Outcome.UNDECODABLE_MEDIA  # 0 Hz
    unknown = flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]
    assert audio.check(unknown) == audio.check(flac)
    for value in (np.nan, np.inf):
        broken = encoded(np.array([0, value, 0]), 16000, subtype="FLOAT")
        assert reason(broken)[0] == Outcome.UNDECODABLE_MEDIA
        assert reason(broken, 8000, None, "flac")[0] == Outcome.UNDECODABLE_MEDIA


def test_limits() -> None:
    slow = bytearray(encoded(np.zeros(4000), 16000))
    slow[24:28] = (1).to_bytes(4, "little")
    assert reason(bytes(slow))[0] == Outcome.OVERSIZED_MEDIA
    slow[24:28] = (4).to_bytes(4, "little")  # 1,000 s of 4 Hz
    assert reason(bytes(slow), 384000, None, "flac")[0] == Outcome.OVERSIZED_MEDIA
    slow[24:28] = (2**31 - 1).to_bytes(4, "little")
    assert reason(bytes(slow), 16000, None, "flac")[0] == Outcome.EMPTY_MEDIA
    assert reason(sound(9), None, None, "flac")[0] == Outcome.UNSUITABLE_MEDIA


SEEDS = [
    *(sound(1, "WAV", s)[:6000] for s in ("PCM_16", "FLOAT", "MS_ADPCM", "GSM610")),
    *(sound(2, f, s) for f, s in (("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("AIFF", "PCM_16"))),
    sound(1, "MP3", "MPEG_LAYER_III"),
    encoded(tones(0.2, 24000, 300), 24000, "OGG", "OPUS"),
]
MAGIC = (*sound_file.MAGIC, b"", b"\xff\xfb", b"RIFF0000WAVE")
PATCHES = st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=4)), max_size=8)


def hold_out(data: bytes) -> None:
    """Whatever the bytes are, they decode, or are dropped."""
    for use in (
        lambda: audio.check(data),
        lambda: audio.decode(data, 16000),
        lambda: audio.transcode(data, 8000, 1, "flac"),
        lambda: audio.transcode(data, None, None, "wav"),
        lambda: audio.waveform(data, None),
    ):
        try:
            use()
        except Dropped as drop:
            assert isinstance(drop.outcome, Outcome)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(MAGIC))
def test_random_bytes_only_ever_get_dropped(data: bytes, magic: bytes) -> None:
    hold_out(magic + data)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(SEEDS), PATCHES, st.integers(0, 40_000))
@example(SEEDS[0], [(24, b"\xff\xff\xff\x7f")], 40_000)
def test_damaged_files_only_ever_get_dropped(
    seed: bytes, patches: list[tuple[int, bytes]], end: int
) -> None:
    data = bytearray(seed[:end])
    for at, patch in patches:
        data[at : at + len(patch)] = patch
    hold_out(bytes(data))


def test_lying_headers_take_no_memory(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from contextlib import suppress
        from pathlib import Path
        from edge_glass.core.ledger import Dropped
        from edge_glass.media import audio
        from memory import forget, peak
        forget()
        start = peak()
        for path in sorted(Path(sys.argv[1]).iterdir()):
            data = path.read_bytes()
            for use, *arguments in (
                (audio.check,), (audio.decode, 384000), (audio.transcode, 384000, None, "wav")
            ):
                with suppress(Dropped):
                    use(data, *arguments)
        print(peak() - start)
    """
    wav, flac = sound(), bytearray(sound(1, "FLAC"))
    for name, at, value in (("wide", 22, b"\x00\x04"), ("slow", 24, b"\x14\0\0\0")):
        (tmp_path / f"{name}.wav").write_bytes(wav[:at] + value + wav[at + len(value) :])
    flac[22:26] = (2**25).to_bytes(4, "big")  # samples in all
    (tmp_path / "long.flac").write_bytes(flac)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[1] / "support", check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) < 150_000  # kB


def test_chunks_are_walked_not_searched() -> None:
    wav = sound()
    assert riff.missing_bytes(wav) == 0
    assert riff.missing_bytes(wav[:100]) == len(wav) - 100
    padded = wav[:36] + b"note\x03\0\0\0abc\0" + wav[36:]
    assert riff.missing_bytes(padded) == 0
    assert riff.missing_bytes(padded[:-5]) == 5
    streamed = wav[:40] + b"\xff\xff\xff\xff" + wav[44:]
    assert riff.missing_bytes(streamed) == 0


# The feature


def feature(data: bytes, rate: int | None = None) -> datasets.Dataset:
    features = datasets.Features({"audio": Audio(sampling_rate=rate)})
    return datasets.Dataset.from_list([{"audio": {"bytes": data, "path": "a.wav"}}], features)


def test_audio_decodes_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)  # what `datasets` decodes with, and wants
    mono = feature(sound())[0]["audio"]
    assert (mono["array"].shape, mono["array"].dtype) == ((22050,), np.float32)
    assert (mono["sampling_rate"], mono["path"]) == (44100, "a.wav")
    assert feature(sound(2))[0]["audio"]["array"].shape == (2, 22050)
    resampled = feature(sound(2), 16000)[0]["audio"]
    assert (resampled["array"].shape, resampled["sampling_rate"]) == ((2, 8000), 16000)


def test_the_schema_is_that_of_datasets() -> None:
    made = feature(sound(), 16000)
    theirs = datasets.Features({"audio": datasets.Audio(sampling_rate=16000)})
    assert made.features.to_dict() == theirs.to_dict()
    assert made.features.arrow_schema.field("audio").type == theirs.arrow_schema.field("audio").type
    bytes_ = made.cast_column("audio", datasets.Audio(decode=False))[0]["audio"]
    assert bytes_ == {"bytes": sound(), "path": "a.wav"}


def test_bytes_and_paths_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(sound(1, "FLAC"))
    column = Audio()
    assert column.encode_example(b"x") == {"bytes": b"x", "path": None}
    by_path = {"bytes": None, "path": str(tmp_path / "a.flac")}
    assert column.decode_example(column.encode_example(by_path))["array"].shape == (22050,)


@pytest.mark.parametrize("packing", ["wav", "flac"])
def test_a_clip_of_a_file_is_that_of_its_bytes(tmp_path: Path, packing: str) -> None:
    """The last one, too: a long recording is never read whole for a clip that ends with it."""
    path, noise = tmp_path / f"talk.{packing}", np.random.default_rng(0)
    sf.write(path, noise.integers(-3000, 3000, 32_000, np.int16), 8000)
    for start, end in [(0, 1), (1.5, 2.25), (3, 4), (3.5, 4.00001)]:
        clip = sections.stretch_of_file(path, (start, end, None), [])
        assert clip and clip == sections.stretch(path.read_bytes(), (start, end, None), [])
    assert sections.stretch_of_file(path, (0, 4, None), []) is None  # all of it keeps its bytes
    late = (3, 4.1, None)  # it may be cut short: that is looked at
    assert sections.stretch_of_file(path, late, []) is None


@pytest.mark.parametrize("packing", ["wav", "mp3", "ogg", "opus", "m4a"])
def test_clips_of_a_recording_of_any_length_are_as_in_a_full_decode(
    packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they overlap, go back or end late; no more than a part of it is in memory."""
    source, path = tmp_path / "source.wav", tmp_path / f"talk.{packing}"
    sf.write(source, np.random.default_rng(0).normal(0, 0.1, 16000 * 40), 16000)
    ffmpeg("-i", source, path)
    monkeypatch.setattr(sections, "MAX_SECONDS", 10)  # what is decoded whole
    monkeypatch.setattr(sections, "KEPT", 1000)
    data, rate = audio.decode(path.read_bytes())
    whole = audio.quantise(data, 16)[0]
    for start, end in [(1, 2.5), (2, 4), (30.001, 31), (3, 4), (39, 39.5), (38, math.inf)]:
        cut = sections.stretch_of_file(path, (start, end, None), [])
        assert cut
        last = len(whole) if end == math.inf else round(end * rate)
        samples = sf.read(io.BytesIO(cut), dtype="int16", always_2d=True)[0]
        assert np.array_equal(samples, whole[round(start * rate) : last])
    ends = len(whole) / rate
    assert sections.stretch_of_file(path, (38, ends + 0.3, None), [])
    for span, outcome in (
        ((38, ends + 1, None), Outcome.WRONG_DURATION),
        ((1, 12, None), Outcome.OVERSIZED_MEDIA),
        ((-1, 2, None), Outcome.WRONG_DURATION),
        ((2, 2, None), Outcome.WRONG_DURATION),
    ):
        with pytest.raises(Dropped) as drop:
            sections.stretch_of_file(path, span, [])
        assert drop.value.outcome == outcome


def test_a_clip_is_of_the_channel_that_is_asked_for(tmp_path: Path) -> None:
    path, noise = tmp_path / "talk.wav", np.random.default_rng(0)
    both = noise.integers(-3000, 3000, (32_000, 2), np.int16)
    sf.write(path, both, 8000)
    for cut in (
        sections.stretch_of_file(path, (0, 4, 1), []),
        sections.stretch(path.read_bytes(), (0, 4, 1), []),
    ):
        assert np.array_equal(sf.read(io.BytesIO(cut or b""), dtype="int16")[0], both[:, 1])
    with pytest.raises(Dropped, match="no channel 2 among 2"):
        sections.stretch_of_file(path, (1, 2, 2), [])
