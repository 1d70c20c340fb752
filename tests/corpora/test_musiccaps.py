"""MusicCaps: what its sample holds, and what may be wrong with a CSV or a folder of clips."""

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from kit import ROOT, encoded, rows, tones

from edge_glass.core import ledger
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.corpora import catalog
from edge_glass.media import audio
from edge_glass.pipeline.build import Options
from edge_glass.pipeline.estimate import plan
from edge_glass.release.write_card import build
from edge_glass.sources.fields import strings

SAMPLE = ROOT / "samples" / "musiccaps"
CSV = "musiccaps-public.csv"


def entries(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in ledger.read(folder / ledger.FILE)}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Raw files that a test may change."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "raw"))


def change(raw: Path, *changes: dict[str, str]) -> None:
    """The CSV with one record a change, each made out of that of the tabla."""
    with (raw / CSV).open(newline="") as file:
        tabla = list(csv.DictReader(file))[1]
    with (raw / CSV).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(tabla))
        writer.writeheader()
        writer.writerows(tabla | values for values in changes)


def made(raw: Path, out: Path, config: str = "musiccaps", **overrides: Any) -> Path:
    variant = catalog.variant(config, overrides, f"{config}_test" if overrides else None)
    build(variant, out, Options(raw=raw, unverified=True))
    return out / variant.name


def test_the_sample(built: Path) -> None:
    found = rows(built / "musiccaps_sample")
    assert list(found) == [
        "egSample_01",
        "-egSample02",
        "egSample_03",
        "egSample-04",
        "egSample_06",
    ]
    assert all(9.5 <= row["duration"] <= 10.5 for row in found.values())
    tabla = found["-egSample02"]
    assert tabla["aspect_list"][1] == "tabla player's solo"
    assert tabla["audioset_positive_labels"] == ["/m/04rlf", "/m/0l14md", "/m/01p970"]
    assert (tabla["start_s"], tabla["end_s"], tabla["author_id"]) == (0, 10, 2)
    assert not tabla["is_balanced_subset"] and found["egSample_03"]["is_audioset_eval"]
    assert tabla["audio"]["bytes"] == (SAMPLE / "-egSample02.mp3").read_bytes()
    assert "\n" in found["egSample-04"]["caption"]


def test_a_missing_clip_and_a_whole_track_stand_in_the_ledger(built: Path) -> None:
    said = entries(built / "musiccaps_sample")
    assert said["egSample_05"]["outcome"] == Outcome.MISSING_MEDIA
    detail = "cut out of 14.0 s; 221 samples beyond full scale clipped"
    assert said["egSample_03"]["detail"] == detail
    cut = rows(built / "musiccaps_sample")["egSample_03"]["audio"]
    assert cut["path"] == "egSample_03.flac"
    whole, rate = audio.decode((SAMPLE / "egSample_03.m4a").read_bytes())
    samples, _ = audio.decode(cut["bytes"])
    assert len(samples) == 10 * rate
    assert abs(samples - whole[2 * rate : 12 * rate].clip(-1, 1)).max() <= 2**-15


def test_rates_and_channels(raw: Path, tmp_path: Path) -> None:
    for config, rate, channels in (("musiccaps_48k", 48000, 2), ("musiccaps_16k", 16000, 1)):
        for row in rows(made(raw, tmp_path / "out", config)).values():
            found = audio.Sound.of(row["audio"]["bytes"]).info
            assert (found.rate, found.channels, found.format) == (rate, channels, "FLAC")


def test_parts(raw: Path, tmp_path: Path) -> None:
    folder = made(raw, tmp_path / "out", "musiccaps_balanced")
    assert list(rows(folder)) == ["egSample_01", "egSample_03"]
    left_out = entries(folder)["egSample_06"]
    assert left_out["outcome"] == Outcome.NOT_IN_CONFIG
    assert left_out["detail"] == "is_balanced_subset is False"
    assert list(rows(made(raw, tmp_path / "out", "musiccaps_eval"))) == [
        "egSample_01",
        "egSample_03",
        "egSample-04",
    ]


def test_a_subset_is_one_of_the_part(raw: Path, tmp_path: Path) -> None:
    half = rows(made(raw, tmp_path / "out", "musiccaps_balanced", subset=0.5))
    assert len(half) == 1 and set(half) < {"egSample_01", "egSample_03"}
    outcomes = {
        row["outcome"] for row in entries(tmp_path / "out/musiccaps_balanced_test").values()
    }
    assert outcomes == {Outcome.KEPT, Outcome.NOT_IN_CONFIG, Outcome.NOT_IN_SUBSET}


def test_clips_may_lie_in_a_folder_of_their_own(raw: Path, tmp_path: Path) -> None:
    (raw / "clips").mkdir()
    for path in [path for path in raw.iterdir() if path.suffix in (".ogg", ".mp3", ".m4a")]:
        path.rename(raw / "clips" / path.name)
    assert len(rows(made(raw, tmp_path / "out"))) == 5


def test_a_bad_record_is_one_dropped_row(raw: Path, tmp_path: Path) -> None:
    cases = [
        ({}, Outcome.KEPT),
        ({}, Outcome.DUPLICATE_ID),
        ({"ytid": "../../../x."}, Outcome.MALFORMED_ROW),
        ({"ytid": "too-short"}, Outcome.MALFORMED_ROW),
        ({"ytid": "-badStart01", "start_s": "ten"}, Outcome.MALFORMED_ROW),
        ({"ytid": "-badStart02", "start_s": "30", "end_s": "20"}, Outcome.MALFORMED_ROW),
        ({"ytid": "-badStart03", "start_s": "nan"}, Outcome.MALFORMED_ROW),
        ({"ytid": "-badStart04", "author_id": "x"}, Outcome.MALFORMED_ROW),
        ({"ytid": "-badAspect1", "aspect_list": "exit()"}, Outcome.MALFORMED_ROW),
        ({"ytid": "-badCaption", "caption": " "}, Outcome.BLANK_CAPTION),
        ({"ytid": "-noClip_at_"}, Outcome.MISSING_MEDIA),
    ]
    change(raw, *(values for values, _ in cases))
    for values, _ in cases[7:10]:
        shutil.copy(raw / "-egSample02.mp3", raw / f"{values['ytid']}.mp3")
    folder = made(raw, tmp_path / "out")
    found = [row["outcome"] for row in ledger.read(folder / ledger.FILE)]
    assert found == [outcome for _, outcome in cases]
    assert list(rows(folder)) == ["-egSample02"]


def test_the_clip_the_track_or_neither(raw: Path, tmp_path: Path) -> None:
    """Sections of ten seconds, 30 to 40, by how long the file in the folder is."""
    cases = {
        9.4: "wrong_duration",
        9.6: "",
        10.4: "",
        10.6: "wrong_duration",
        20: "wrong_duration",
        39.6: "cut out of 39.6 s",
        60: "cut out of 60.0 s",
    }
    ids = [f"seconds_{number:03}" for number in range(len(cases))]
    change(raw, *({"ytid": id, "start_s": "30", "end_s": "40"} for id in ids))
    for id, seconds in zip(ids, cases, strict=True):
        (raw / f"{id}.wav").write_bytes(encoded(tones(seconds, 8000, 440), 8000))
    folder = made(raw, tmp_path / "out")
    found = [row["detail"] or row["outcome"] for row in entries(folder).values()]
    kept = ["kept" if said == "" else said for said in cases.values()]
    dropped = "{} s where 10 s were asked for"
    wanted = [
        dropped.format(f"{seconds:.2f}") if said == "wrong_duration" else said
        for seconds, said in zip(cases, kept, strict=True)
    ]
    assert found == wanted
    whole, _ = audio.decode((raw / f"{ids[-1]}.wav").read_bytes())
    cut, rate = audio.decode(rows(folder)[ids[-1]]["audio"]["bytes"])
    assert np.array_equal(cut, whole[30 * rate : 40 * rate])  # 16 bits stay as they are


def test_a_csv_that_lacks_records_stops_the_build(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match=r"6 records, upstream publishes 5521.*--unverified"):
        build(catalog.variant("musiccaps"), tmp_path, Options(raw=raw))


def test_line_ends_make_no_difference(raw: Path, tmp_path: Path) -> None:
    text = (raw / CSV).read_bytes()
    (raw / CSV).write_bytes(
        text.replace(b"\n", b"\r\n").replace(
            b"chord and lets it ring.\r", b"chord and lets it ring."
        )
    )
    made(raw, tmp_path / "crlf")
    made(SAMPLE, tmp_path / "lf")
    tables = [rows(tmp_path / name / "musiccaps") for name in ("crlf", "lf")]
    assert tables[0] == tables[1]


def test_a_plan_says_how_much_is_fetched_row_by_row(tmp_path: Path) -> None:
    planned = plan(catalog.variant("musiccaps_48k"), tmp_path)
    assert planned.rows == {"train": 5521}
    clips = planned.sources[1]
    assert (clips.state, clips.url) == ("row by row", "https://www.youtube.com/watch?v={id}")
    assert clips.bytes == 5521 * 1_100_000


def test_without_youtube_it_is_the_same_by_datasets_itself(raw: Path, tmp_path: Path) -> None:
    from edge_glass.builders.musiccaps import Musiccaps

    builder = Musiccaps(config_name="musiccaps_16k_sample", cache_dir=str(tmp_path / "cache"))
    builder.download_and_prepare()
    row = builder.as_dataset(split="train")[2]
    assert row["id"] == "egSample_03" and row["audio"]["array"].shape == (160000,)


@pytest.mark.parametrize(
    "text", ["", "[1]", "('a',)", "{'a'}", "['a'", "[" * 5000, "['a'," * 3000, "['a' for x in y]"]
)
def test_what_is_no_list_of_strings_is_malformed(text: str) -> None:
    with pytest.raises(Dropped) as drop:
        strings(text)
    assert drop.value.outcome == Outcome.MALFORMED_ROW


def test_sample_files_are_what_they_seem() -> None:
    for path in SAMPLE.glob("*.*g*"):
        if path.suffix in (".ogg", ".mp3"):
            assert sf.info(path).duration == pytest.approx(10, abs=0.05)
