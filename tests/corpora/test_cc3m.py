"""CC3M, which is a YAML alone: the sample, whose lists have no header."""

from pathlib import Path
from tempfile import NamedTemporaryFile

from hypothesis import given
from hypothesis import strategies as st
from kit import ROOT, entries, rows

from edge_glass.core import manifest
from edge_glass.corpora.layouts import table_batches, table_records

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


@given(st.lists(st.lists(st.text("a\0\té\udce9 ", max_size=3), max_size=3), min_size=1))
def test_lines_say_the_same_one_by_one_and_in_batches(fields: list[list[str]]) -> None:
    text = "\n".join(map("\t".join, fields)).encode(errors="surrogateescape")
    with NamedTemporaryFile(suffix=".tsv") as file:
        Path(file.name).write_bytes(text)
        scanned = table_batches.batches(Path(file.name), "x.tsv", "tsv")
        batched = [record for batch in scanned for record in batch.records()]
        assert [*table_records.read(Path(file.name), "x.tsv", "tsv")] == batched
