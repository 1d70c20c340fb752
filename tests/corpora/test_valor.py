"""VALOR-32K: its sample, its traps, and shards as others have made them."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from clipsite import Site
from forge import forge
from kit import build_raw, entries, rows
from PIL import Image

import edge_glass
from edge_glass.audit.verify import verify
from edge_glass.core import ledger
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import Source
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.estimate import plan
from edge_glass.release.write_card import build
from edge_glass.sources.row_fetch import Network

SAMPLES = Path(__file__).parents[2] / "samples" / "valor"
RABBIT, SQUIRREL = "egVid_Smp01_48.000_53.000", "-eg_VidSmp6_400.500_404.500"
MUTE = "egVidSamp04_226.000_229.000"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Raw files that a test may change."""
    return Path(shutil.copytree(SAMPLES, tmp_path / "raw"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("valor")
    for config in ("valor_sample", "valor_video_sample"):
        build(catalog.variant(config), out)
    return out


def made(raw: Path, out: Path, base: str = "valor", **changes: Any) -> Path:
    return build_raw(base, raw, out, **changes)


def errors(folder: Path) -> list[str]:
    """What verify finds, but for the number of rows, which is not upstream's."""
    return [found.what for found in verify(folder) if found.kind == "error"]


def describe(raw: Path, *items: Any) -> None:
    (raw / "desc_train.json").write_text(json.dumps(items), encoding="utf-8")


def test_sample(sample: Path) -> None:
    found = rows(sample / "valor_sample")
    assert list(found) == [SQUIRREL, RABBIT, "-egVidSmp02_350.500_354.500", MUTE]
    row = found[RABBIT]
    assert (row["video_id"], row["start"], row["end"]) == ("egVid_Smp01", 48, 53)
    assert (row["duration"], row["width"], row["height"], row["fps"]) == (5, 320, 180, 24)
    assert row["caption"].startswith("A big gray rabbit crawls")
    sizes = {Image.open(io.BytesIO(image["bytes"])).size for image in row["image_jpegs"]}
    assert (len(row["image_jpegs"]), sizes) == (8, {(320, 180)})
    samples, rate = sf.read(io.BytesIO(row["audio"]["bytes"]))
    assert (rate, samples.ndim, row["audio"]["path"]) == (44100, 1, f"{RABBIT}.flac")
    assert abs(len(samples) / rate - 5) < 0.05 and np.abs(samples).max() > 0.05
    assert found[MUTE]["audio"] is None
    book = entries(sample / "valor_sample")
    assert {book[i]["outcome"] for i in found} == {"kept"}
    assert book[MUTE]["detail"] == "no sound track"
    assert book["egVidSamp03_16.700_19.700"]["outcome"] == "corrupt_caption"
    assert book["egVid-Smp05_120.000_130.000"]["outcome"] == "missing_media"


def test_whole_clips_are_as_they_were(sample: Path) -> None:
    found = rows(sample / "valor_video_sample")
    for name, row in found.items():
        assert row["video"]["bytes"] == (SAMPLES / "videos" / f"{name}.mp4").read_bytes()
        assert row["video"]["path"] == f"{name}.mp4"
    assert entries(sample / "valor_video_sample")[MUTE]["detail"] == "no sound track"


def test_the_card_leads_with_what_is_missing(sample: Path) -> None:
    card = (sample / "README.md").read_text()
    section = card[card.index("<!-- edge-glass valor -->") :]
    assert section.index("66.7 % of the clips that") < section.index("```bibtex")
    assert "| validation | 2 | 1 | 50.0 | 1 missing_media |" in section


def test_the_plain_client_reads_it(sample: Path) -> None:
    train = datasets.load_dataset(str(sample), "valor_sample", split="train")
    frames = train.select_columns(["image_jpegs"])  # pictures, as the Hub's viewer shows them
    assert [image.size for image in frames[0]["image_jpegs"]] == [(320, 180)] * 8
    clips = datasets.load_dataset(str(sample), "valor_video_sample", split="test")
    assert isinstance(clips.features["video"], datasets.Video)
    plain = clips.cast_column("video", datasets.Video(decode=False))
    assert plain[0]["video"]["bytes"][4:8] == b"ftyp"


def test_a_null_track_is_none_to_the_loader(sample: Path) -> None:
    loaded = edge_glass.load("valor_sample", repo=sample, split="validation")
    assert loaded[0]["audio"] is None and len(loaded[0]["image_jpegs"]) == 8


@pytest.mark.parametrize(
    ("overrides", "frames", "audio"),
    [
        ({"frame_rate": 1}, 5, "fLaC"),
        ({"frames": 2, "frame_side": 160, "audio_format": "wav", "sample_rate": 16000}, 2, "RIFF"),
        ({"frames": "keyframes", "channels": 2}, 1, "fLaC"),
    ],
)
def test_parameters(raw: Path, tmp_path: Path, overrides: Any, frames: int, audio: str) -> None:
    folder = made(raw, tmp_path / "out", splits=["train"], **overrides)
    row = rows(folder)[RABBIT]
    assert (len(row["image_jpegs"]), row["audio"]["bytes"][:4].decode()) == (frames, audio)
    assert max(Image.open(io.BytesIO(row["image_jpegs"][0]["bytes"])).size) == overrides.get(
        "frame_side", 320
    )
    info = sf.info(io.BytesIO(row["audio"]["bytes"]))
    wanted = (overrides.get("sample_rate", 44100), overrides.get("channels", 1), "PCM_16")
    assert (info.samplerate, info.channels, info.subtype) == wanted
    assert errors(folder) == []


def test_waveforms_and_tracks_that_must_be_there(raw: Path, tmp_path: Path) -> None:
    folder = made(raw, tmp_path / "a", splits=["validation"], audio_format="waveform")
    assert rows(folder)[MUTE]["audio"] is None and errors(folder) == []
    folder = made(raw, tmp_path / "b", splits=["validation"], require_audio=True)
    assert entries(folder)[MUTE]["outcome"] == "no_audio"


@pytest.mark.parametrize(
    "overrides",
    [
        {"audio_format": "source"},
        {"frames": "keyframes", "frame_rate": 1.0},
        {"shards": True, "whole_video": True},
        {"frames": 0},
    ],
)
def test_parameters_that_cannot_be(overrides: dict[str, Any]) -> None:
    with pytest.raises(EdgeGlassError):
        catalog.variant("valor", overrides)


def test_traps_of_the_annotations(raw: Path, tmp_path: Path) -> None:
    clip = (raw / "videos" / f"{RABBIT}.mp4").read_bytes()
    (raw / "videos" / "deep" / "er").mkdir(parents=True)
    names = {"a_b_0.000_5.000": "deep/er", "-x_0.500_5.500": ".", "c_0_5": "deep", "d_0_20": "."}
    for name, folder in names.items():
        (raw / "videos" / folder / f"{name}.mp4").write_bytes(clip)
    describe(
        raw,
        *({"video_id": name, "desc": "Ein schöner Hase, très gris"} for name in names),
        {"video_id": "e_0_5", "desc": " \n"},
        {"video_id": "f_0_5", "desc": "1234.5"},
        {"video_id": "no times", "desc": "x"},
        {"video_id": "g_5_0", "desc": "x"},
        {"video_id": "h_nan_inf", "desc": "x"},
        {"video_id": "a_b_0.000_5.000", "desc": "again"},
        {"video_id": "../../etc_0_5", "desc": "x"},
        {"desc": "x"},
        {"video_id": 7, "desc": ["x"]},
        "x",
    )
    folder = made(raw, tmp_path / "out", splits=["train"])
    found = [(e["outcome"], e["detail"]) for e in ledger.read(folder / ledger.FILE)]
    assert [outcome for outcome, _ in found] == [
        *["kept"] * 3, "wrong_duration", "blank_caption", "corrupt_caption",
        *["malformed_row"] * 3, "duplicate_id", *["malformed_row"] * 4,
    ]  # fmt: skip
    assert found[3][1] == "5.00 s where 20 s are promised"
    assert rows(folder)["a_b_0.000_5.000"]["video_id"] == "a_b"
    assert rows(folder)["-x_0.500_5.500"]["caption"] == "Ein schöner Hase, très gris"
    assert errors(folder) == []


def test_bad_clips_are_ledger_rows(raw: Path, tmp_path: Path) -> None:
    clip = (raw / "videos" / f"{RABBIT}.mp4").read_bytes()
    bad = {"a_0_5": clip[:50_000], "b_0_5": b"", "c_0_5": b"<html>", "d_0_5": clip}
    for name, data in bad.items():
        (raw / "videos" / f"{name}.mp4").write_bytes(data)
    describe(raw, *({"video_id": name, "desc": "a rabbit"} for name in bad))
    folder = made(raw, tmp_path / "out", splits=["train"])
    found = [e["outcome"] for e in ledger.read(folder / ledger.FILE)]
    assert found == ["truncated_media", "empty_media", "undecodable_media", "kept"]


def test_annotations_that_are_no_list(raw: Path, tmp_path: Path) -> None:
    (raw / "desc_train.json").write_text('{"video_id": "x"}')
    with pytest.raises(EdgeGlassError, match="expected a JSON list, found '"):
        made(raw, tmp_path / "out", splits=["train"])


def test_clips_lie_anywhere(raw: Path, tmp_path: Path) -> None:
    for clip in list((raw / "videos").iterdir()):
        clip.rename(raw / clip.name)
    (raw / "videos").rmdir()
    folder = made(raw, tmp_path / "out", splits=["train"])
    assert str(raw).encode() not in (folder / "manifest.json").read_bytes()
    assert len(rows(folder)) == 2


def test_nothing_can_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match=r"no address to fetch.*\n.*desc_train.json: see"):
        build(catalog.variant("valor"), tmp_path)
    planned = plan(catalog.variant("valor"), tmp_path)
    assert planned.rows == {"train": 25327, "validation": 3500, "test": 3491}
    assert {source.state for source in planned.sources} == {"by hand", "row by row"}


def test_clips_are_fetched_where_raw_has_the_annotations(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("yt_dlp")
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    names = ["egVid_Smp01_1.000_4.000", "egVid_gone1_0.000_5.000"]
    describe(raw, *({"video_id": name, "desc": "a rabbit"} for name in names))
    with Site() as site:
        site.media["egVid_Smp01"] = (".mp4", (raw / "videos" / f"{RABBIT}.mp4").read_bytes())
        monkeypatch.setattr(Source, "template", property(lambda _: site.template))
        variant = catalog.variant("valor", {"splits": ["train"]}, "valor_test")
        network = Network(seconds=60, beside_raw=True)
        build(variant, tmp_path / "out", Options(raw=raw, unverified=True, network=network))
    folder = tmp_path / "out" / "valor_test"
    row = rows(folder)[names[0]]
    assert abs(row["duration"] - 3) < 0.1 and len(row["image_jpegs"]) == 8
    assert row["audio"]["path"] == f"{names[0]}.flac" and errors(folder) == []
    assert entries(folder)[names[1]]["outcome"] not in ("kept", "missing_media")


def test_verify_looks_at_frames_and_clips(sample: Path, tmp_path: Path) -> None:
    for config, column, value in [
        ("valor_sample", "image_jpegs", [{"bytes": b"\xff\xd8\xff no JPEG", "path": None}]),
        ("valor_video_sample", "video", {"bytes": b"no clip", "path": "x"}),
    ]:
        folder = Path(shutil.copytree(sample / config, tmp_path / config))
        shard = next(folder.glob("test-*.parquet")).name
        forge(folder, lambda all: all.shards[shard][0].update({column: value}))  # noqa: B023
        found = list(verify(folder))
        assert len(found) == 1 and column in found[0].what and "undecodable" in found[0].what


# Shards


def jpegs() -> list[bytes]:
    out = []
    for level in (0, 120, 250):
        data = io.BytesIO()
        Image.effect_noise((64, 48), level or 9).save(data, "JPEG")
        out.append(data.getvalue())
    return out


def wav(rate: int) -> bytes:
    out = io.BytesIO()
    sf.write(out, np.sin(np.arange(rate) / 9) / 2, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def write_shard(folder: Path, number: int, images: list[Any], sound: Any, ids: list[str]) -> None:
    rows = [
        {"image_jpegs": images, "audio_wav": sound, "caption": "a hare", "video_id": name,
         "start": 1.5, "end": 2.5}
        for name in ids
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / f"valor32k_train_shard{number:03d}.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)


def test_shards(tmp_path: Path) -> None:
    raw, images = tmp_path / "raw", jpegs()
    raw.mkdir()
    waves = (np.sin(np.arange(16000) / 9) / 2).astype(np.float32).tolist()
    write_shard(raw / "shards", 0, images, wav(8000), ["a_b", "a-b_1.500_2.500", "c"])
    write_shard(raw / "shards", 1, [{"bytes": i, "path": None} for i in images], waves, ["d", "e"])
    write_shard(raw / "shards", 2, images, None, ["f"])
    write_shard(raw / "shards", 3, [b"no JPEG"], wav(8000), ["g"])
    folder = made(raw, tmp_path / "a", "valor_shards", splits=["train"])
    book = entries(folder)
    assert [e["outcome"] for e in book.values()] == [
        *["kept"] * 3, *["unsuitable_media"] * 2, "kept", "undecodable_media",
    ]  # fmt: skip
    assert "--set sound_rate" in book["d_1.500_2.500"]["detail"]
    row = rows(folder)["a_b_1.500_2.500"]
    assert [image["bytes"] for image in row["image_jpegs"]] == images and (
        row["width"],
        row["height"],
    ) == (64, 48)
    assert (row["video_id"], row["start"], row["duration"], row["fps"]) == ("a_b", 1.5, 1, None)
    assert sf.info(io.BytesIO(row["audio"]["bytes"])).samplerate == 8000
    assert "a-b_1.500_2.500" in rows(folder) and errors(folder) == []
    folder = made(
        raw,
        tmp_path / "b",
        "valor_shards",
        jobs=2,
        splits=["train"],
        sound_rate=16000,
        sample_rate=8000,
    )
    row = rows(folder)["d_1.500_2.500"]
    assert [image["bytes"] for image in row["image_jpegs"]] == images
    assert sf.info(io.BytesIO(row["audio"]["bytes"])).frames == 8000
    assert rows(folder)["f_1.500_2.500"]["audio"] is None


def test_shards_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(EdgeGlassError, match="no valor32k_train_"):
        made(tmp_path / "raw", tmp_path / "out", "valor_shards", splits=["train"])
