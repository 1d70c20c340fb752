"""WavCaps, which is a YAML alone: the sample, and what it shares with Clotho and AudioCaps."""

from pathlib import Path

import pyarrow.parquet as pq
from kit import ROOT, Cli, entries, rows

from edge_glass.core import manifest

SOUNDS = ROOT / "samples" / "wavcaps" / "waveforms"


def test_the_sample(built: Path) -> None:
    folder = built / "wavcaps_sample"
    outcomes = {"kept": 5, "blank_caption": 1, "missing_media": 1}
    assert manifest.read(folder).splits["train"].outcomes == outcomes
    found = rows(folder)
    assert {id: (row["sound_id"], row["youtube_id"]) for id, row in found.items()} == {
        "AudioSet_SL/Y-egAudCap02.wav": (None, "-egAudCap02"),
        "BBC_Sound_Effects/NHU99000001": (None, None),
        "FreeSound/18229": ("18229", None),
        "FreeSound/23722": ("23722", None),
        "SoundBible/9901": (None, None),
    }
    horse = found["FreeSound/18229"]
    assert horse["audio"]["bytes"] == (SOUNDS / "FreeSound_flac" / "18229.flac").read_bytes()
    assert (horse["subset"], horse["tags"]) == (2, ["horse", "neigh", "field-recording"])
    assert "99000009.flac" in entries(folder)["FreeSound/99000009"]["detail"]


def test_what_clotho_and_audiocaps_have_too_is_left_out(
    built: Path, tmp_path: Path, cli: Cli
) -> None:
    against = [f"--against={built / name}_sample" for name in ("clotho", "audiocaps")]
    command = ["audit", built / "wavcaps_sample", *against, "--check", "same_id"]
    done = cli(*command, "--drop-flagged", "--name", "wavcaps_clean", "--out", tmp_path)
    assert done.code == 0, done.err
    table = pq.read_table(tmp_path / "audit" / "wavcaps_sample" / "duplicates.parquet")
    found = table.select(["check", "id", "other_config", "other_split"]).to_pylist()
    told = {tuple(row.values())[1:] for row in found if row["check"] == "same_id"}
    assert told == {
        ("FreeSound/18229", "clotho_sample", "train"),
        ("FreeSound/23722", "clotho_sample", "test"),
        ("AudioSet_SL/Y-egAudCap02.wav", "audiocaps_sample", "validation"),
    }
    heard = {row["id"] for row in found if row["check"] == "like_sound"}
    assert "SoundBible/9901" in heard, "which is Clotho's by its sound alone"
    kept = {"BBC_Sound_Effects/NHU99000001", "SoundBible/9901"}
    assert rows(tmp_path / "wavcaps_clean").keys() == kept
