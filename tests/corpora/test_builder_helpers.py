"""What builders call: captions with a blank one, lines by a pattern, a table in an archive."""

import re
from pathlib import Path
from typing import Any

import pytest
from kit import ROOT, Cli, build_raw, rows
from ownfiles import put, tarred

from edge_glass.builder import CaptionParams, Dropped, Raw, Row, Value, of_lines
from edge_glass.core.errors import EdgeGlassError, SourceError
from edge_glass.corpora import catalog
from edge_glass.sources.tars import Tar, index

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
    places = [row.id for row in of_lines("", "songs", lines, pattern, make, "b/list")]
    assert places == ["wren", "b/list line 3"]  # apart from those of another file of the archive


@pytest.mark.parametrize("packing", ["", ".tar", ".tar.gz"])
def test_a_table_in_an_archive_is_read_by_its_name(packing: str, tmp_path: Path) -> None:
    members: dict[str, bytes | str] = {
        "deep/list.csv": "a,b\n1,2\n",
        "deep/list.tsv": "1\t2\n",
        "deep/list.json": '[{"a": "1"}]',
        "deep/other-list.csv": "b\n1\n",
    }
    if packing:
        tarred(path := tmp_path / f"birds{packing}", members)
        index(path, tmp_path / "index", lambda done, total: None)
        raw = Raw("birds", {"birds": path}, places={"birds": Tar(path, tmp_path / "index")})
    else:
        for name, text in members.items():
            put(tmp_path / name, text)
        raw = Raw("birds", {"birds": tmp_path})
    assert [*raw.csv("birds", ["a"], member="list.csv")] == [(2, {"a": "1", "b": "2"})]
    assert [*raw.tsv("birds", 2, member="deep/list.tsv")] == [(0, ["1", "2"])]
    assert [*raw.objects("birds", "list.json", {"a": Value("string")})] == [(0, {"a": "1"})]
    with pytest.raises(SourceError, match=r"birds.*gone\.csv"):
        [*raw.csv("birds", ["a"], member="gone.csv")]


@pytest.mark.parametrize("packed", [False, True])
def test_raw_may_be_an_archive_or_its_folder_itself(packed: bool, tmp_path: Path, cli: Cli) -> None:
    raw = ROOT / "samples" / "ljspeech" / "LJSpeech-1.1"
    if packed:
        members = {
            str(p.relative_to(raw.parent)): p.read_bytes() for p in raw.rglob("*.*") if p.is_file()
        }
        tarred(raw := tmp_path / "LJSpeech-1.1.tar.bz2", members)
        (tmp_path / "LJSpeech-1.1").mkdir()  # a folder beside the archive is not read in its place
    assert len(rows(build_raw("ljspeech", raw, tmp_path / "out"))) == 3
    (planned,) = cli("plan", "ljspeech", "--raw", raw, "--json").json
    assert {source["state"] for source in planned["sources"]} == {"here"}


def test_a_folder_that_a_source_does_not_have_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each row would be dropped for its missing file."""
    source = catalog.spec("clotho").sources["clotho_audio_development.7z"]
    monkeypatch.setitem(source.__dict__, "folder", "developed")
    with pytest.raises(EdgeGlassError, match=r"_development\.7z .or the folder developed/"):
        build_raw("clotho", ROOT / "samples" / "clotho", tmp_path / "out")


def test_what_a_config_leaves_out_is_shown_apart(tmp_path: Path, cli: Cli) -> None:
    told = cli("build", "common_voice_sample", "--out", tmp_path).out
    assert "left out" in told
    line = next(line for line in told.splitlines() if "train" in line)
    assert line.split() == ["train", "4", "2", "1", "1"]
