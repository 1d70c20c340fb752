"""AudioCaps, which is a YAML alone: the sample, and sections that are fetched from a site."""

from pathlib import Path

import pytest
from kit import ROOT, entries, rows

from edge_glass.core import manifest

CLIPS = ROOT / "samples" / "audiocaps" / "clips"


def test_the_sample(built: Path) -> None:
    folder = built / "audiocaps_sample"
    outcomes = {name: split.outcomes for name, split in manifest.read(folder).splits.items()}
    assert outcomes == {
        "train": {"kept": 1, "malformed_row": 1, "missing_media": 1},
        "validation": {"kept": 2},
        "test": {"kept": 1, "blank_caption": 1},
    }
    found = rows(folder)
    assert found["990001"]["audio"]["bytes"] == (CLIPS / "egAudCap_01_30.ogg").read_bytes()
    assert (found["990011"]["youtube_id"], found["990011"]["start_time"]) == ("-egAudCap02", 0)
    assert found["990011"]["audio"]["bytes"] == found["990012"]["audio"]["bytes"]
    assert found["990021"]["duration"] == pytest.approx(10)
    assert "egAudCap_04_60" in entries(folder)["990002"]["detail"]
