"""Common Voice, which is a YAML alone: the sample, and languages side by side."""

import shutil
from pathlib import Path

import pytest
from kit import ROOT, build_raw, entries, rows

from edge_glass.core import manifest

SAMPLE = ROOT / "samples" / "common_voice"
CLIP = "common_voice_en_99000001.mp3"


def test_the_sample(built: Path) -> None:
    folder = built / "common_voice_sample"
    outcomes = {name: split.outcomes for name, split in manifest.read(folder).splits.items()}
    assert outcomes == {
        "train": {"kept": 2, "missing_media": 1, "not_in_config": 1},
        "validation": {"kept": 1},
        "test": {"kept": 1},
    }
    row = rows(folder)[CLIP]
    assert row["audio"]["bytes"] == (SAMPLE / "en" / "clips" / CLIP).read_bytes()
    assert (row["text"], row["up_votes"], row["locale"]) == (
        "He was not an ill disposed young man.", 2, "en",
    )  # fmt: skip
    assert row["age"] is None
    assert row["duration"] == pytest.approx(2.99)
    assert entries(folder)["common_voice_en_99000009.mp3"]["outcome"] == "missing_media"


def test_each_language_of_the_folder_is_read(tmp_path: Path) -> None:
    raw = tmp_path / "cv-corpus-24.0-2025-12-05"
    shutil.copytree(SAMPLE, raw)
    shutil.copytree(raw / "en", raw / "nl")
    for path in (raw / "nl").rglob("*_en_*.mp3"):
        path.rename(path.with_name(path.name.replace("_en_", "_nl_")))
    for path in (raw / "nl").glob("*.tsv"):
        path.write_text(path.read_text().replace("_en_", "_nl_").replace("\ten\t", "\tnl\t"))
    found = rows(build_raw("common_voice", raw, tmp_path / "out"))
    assert {row["locale"] for row in found.values()} == {"en", "nl"}
    assert len(found) == 8
