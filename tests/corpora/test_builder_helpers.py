"""What builders call: captions with a blank one, lines by a pattern, a table in an archive."""

import re
from pathlib import Path
from typing import Any

import pytest
from kit import ROOT, Cli, build_raw, rows

from edge_glass.builder import CaptionParams, Dropped, Raw, Row, of_lines

CAPTIONS = ["one", " ", "three"]


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("all", [{"id": "a", "captions": ["one", "three"]}]),
        ("each", [{"id": "a#1", "caption": "one"}, {"id": "a#3", "caption": "three"}]),
        ("first", [{"id": "a", "caption": "one"}]),
    ],
)
def test_a_blank_caption_is_skipped_and_the_others_keep_their_numbers(
    mode: Any, wanted: list[dict[str, Any]]
) -> None:
    config = CaptionParams(caption_mode=mode)
    assert [*config.with_captions({"id": "a"}, CAPTIONS, skip_blank=True)] == wanted
    for captions, skip in ((CAPTIONS, False), ([" "], True)):
        with pytest.raises(Dropped, match="blank_caption"):
            [*config.with_captions({"id": "a"}, captions, skip_blank=skip)]


def test_lines_that_do_not_fit_a_pattern_are_rows_too() -> None:
    lines = [(1, "wren 3"), (2, ""), (3, "no number")]
    pattern = re.compile(r"(?P<name>\w+) (?P<count>\d+)")

    def make(said: dict[str, Any]) -> Row:
        return Row(said["name"], "list", "")

    found = [*of_lines("", "list", lines, pattern, make)]
    assert [(row.id, row.row, row.dropped) for row in found] == [
        ("wren", "line 1", None),
        ("line 3", "line 3", ("malformed_row", "not as expected: no number")),
    ]


def test_a_table_in_an_archive_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "list.csv").write_text("a,b\n1,2\n")
    (tmp_path / "data" / "deep" / "list.tsv").write_text("1\t2\n")
    raw = Raw("birds", {"birds.zip": tmp_path / "data"})
    assert [*raw.csv("birds.zip", ["a"], member="list.csv")] == [(2, {"a": "1", "b": "2"})]
    assert [*raw.tsv("birds.zip", 2, member="list.tsv")] == [(1, ["1", "2"])]


def test_raw_may_be_the_folder_of_an_archive_itself(tmp_path: Path, cli: Cli) -> None:
    folder = ROOT / "samples" / "ljspeech" / "LJSpeech-1.1"
    assert len(rows(build_raw("ljspeech", folder, tmp_path / "out"))) == 3


def test_what_a_config_leaves_out_is_shown_apart(tmp_path: Path, cli: Cli) -> None:
    told = cli("build", "common_voice_sample", "--out", tmp_path).out
    assert "left out" in told
    line = next(line for line in told.splitlines() if "train" in line)
    assert line.split() == ["train", "4", "2", "1", "1"]
