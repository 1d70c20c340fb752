"""LJ Speech, which is a YAML alone: the sample, and the archive as it is published."""

import tarfile
from pathlib import Path

import pytest
from kit import ROOT, build_raw, entries, rows

from edge_glass.core import manifest

SAMPLES = ROOT / "samples" / "ljspeech"
WAVS = SAMPLES / "LJSpeech-1.1" / "wavs"


def test_the_sample(built: Path) -> None:
    folder = built / "ljspeech_sample"
    assert manifest.read(folder).splits["train"].outcomes == {"kept": 3, "missing_media": 1}
    assert entries(folder)["LJ990-0003"]["outcome"] == "missing_media"
    row = rows(folder)["LJ990-0002"]
    assert row["text"] == '"he might have been made still more respectable than he was:'
    assert row["audio"]["bytes"] == (WAVS / "LJ990-0002.wav").read_bytes()
    assert row["duration"] == pytest.approx(77506 / 22050)
    assert "another reader" in (built / "README.md").read_text()


def test_the_archive_gives_what_the_folder_does(built: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with tarfile.open(tmp_path / "raw" / "LJSpeech-1.1.tar.bz2", "w:bz2") as tar:
        tar.add(SAMPLES / "LJSpeech-1.1", "LJSpeech-1.1")
    of_archive = rows(build_raw("ljspeech", tmp_path / "raw", tmp_path / "out"))
    assert of_archive == rows(built / "ljspeech_sample")
