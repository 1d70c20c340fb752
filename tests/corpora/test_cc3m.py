"""CC3M, which is a YAML alone: the sample, whose lists have no header."""

from pathlib import Path

from kit import ROOT, entries, rows

from edge_glass.core import manifest

WEB = ROOT / "samples" / "cc3m" / "web" / "pictures.example"


def test_the_sample(built: Path) -> None:
    folder = built / "cc3m_sample"
    outcomes = {name: split.outcomes for name, split in manifest.read(folder).splits.items()}
    assert outcomes == {
        "train": {"kept": 2, "malformed_row": 1, "removed": 1},
        "validation": {"kept": 1, "blank_caption": 1},
    }
    found = {row["caption"]: row for row in rows(folder).values()}
    cat = found["a tabby cat looks at the camera"]  # of the first line, which is no header
    assert cat["image"]["bytes"] == (WEB / "cat.jpg").read_bytes()
    assert cat["image_url"] == "http://pictures.example/cat.jpg"
    assert "1 fields where the first line has 2" in str(entries(folder).values())
