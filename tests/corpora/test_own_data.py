"""Data of one's own, without a builder: each layout is built, checked and loaded."""

import shlex
from contextlib import suppress
from pathlib import Path

import pytest
from kit import ROOT, entries, rows
from owndata import CASES, Case
from server import Files

from edge_glass.audit.verify import verify
from edge_glass.cli.main import main
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora.understand import understand


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))


def build(case: Case, at: Path, monkeypatch: pytest.MonkeyPatch, out: str, *more: str) -> Path:
    """Build a case as its line in the docs says; the folder of the config."""
    monkeypatch.chdir(at)
    local = ["--intranet"] if case.fetched else []
    command = ["build", *shlex.split(case.command), "--out", out, *local, *more]
    main_ok(command)
    (folder,) = manifest.built(at / out).values()
    return folder


def main_ok(command: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0


@pytest.mark.parametrize("name", CASES)
def test_each_layout_is_built_by_one_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, at = CASES[name], tmp_path / "data"
    at.mkdir()
    with Files(at) as server:
        case.write(at, server.url)
        folder = build(case, at, monkeypatch, "../out", "--jobs", "1")
    made = manifest.read(folder)
    assert {split: facts.rows for split, facts in made.splits.items()} == case.rows
    assert made.outcomes() == {"kept": made.kept} | case.outcomes, entries(folder).values()
    assert not [finding for finding in verify(folder.parent) if finding.kind == "error"]
    found = rows(folder)
    assert set(case.columns) <= {*made.features}, [*made.features]
    first = found[min(found)]
    assert {key: first[key] for key in case.first} == case.first


MEDIA = (".jpg", ".png", ".wav", ".mp3", ".mp4")


@pytest.mark.parametrize("name", CASES)
def test_damaged_data_are_one_error_or_rows(name: str, tmp_path: Path) -> None:
    CASES[name].write(tmp_path, "http://127.0.0.1:9")
    place = tmp_path / shlex.split(CASES[name].command)[0]
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file() and p.suffix not in MEDIA)
    for path in files[:4]:
        whole = path.read_bytes()
        half = whole[: len(whole) // 2]
        for damaged in (b"", half, whole.replace(b"1", b"null", 2), b'\xff\xfe\0odd"[{' + whole):
            path.write_bytes(damaged)
            with suppress(EdgeGlassError):
                understand(place)
        path.write_bytes(whole)


def test_the_page_lists_each_layout() -> None:
    page = (ROOT / "docs" / "own-data.md").read_text().partition("## Layouts\n")[2]
    table = [line for line in page.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert table[1:] == [*dict.fromkeys(case.line for case in CASES.values())]
