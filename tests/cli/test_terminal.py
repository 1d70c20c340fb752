"""The command line on a real terminal, where progress is drawn."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kit import Cli

from edge_glass.cli import terminal
from edge_glass.corpora import catalog


def on_a_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Exit code, and all that the terminal showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "edge_glass", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        code = process.wait(60)
    os.close(ours)
    return code, shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # nobody has it open any more
        return b""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_progress_is_drawn(jobs: str, tmp_path: Path) -> None:
    code, shown = on_a_terminal("build", "clotho_sample", "--out", tmp_path, "--jobs", jobs)
    assert code == 0, shown
    assert "0/11 rows, 0 dropped" in shown
    code, shown = on_a_terminal("verify", tmp_path)
    assert code == 0, shown
    assert "0/11 rows, 0 dropped" in shown


def test_names_and_reasons_stay_whole_in_80_columns(tmp_path: Path) -> None:
    _, shown = on_a_terminal("list")
    names = [name for corpus in catalog.corpora() for name in catalog.spec(corpus).configs]
    assert set(names) <= words(shown)
    longest = "imagenet_captions_metadata_sample"
    code, shown = on_a_terminal("build", longest, "laion400m_sample", "--out", tmp_path)
    assert code == 0, shown
    whole = set(shown.split())
    assert {longest, "laion400m_sample", "duplicate_id", "missing_column"} <= whole


@pytest.mark.parametrize("width", [60, 80])
def test_no_table_cuts_or_folds_a_word(
    width: int, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.console, "width", width)
    listed = words(cli("list").out)
    for corpus in catalog.corpora():
        spec = catalog.spec(corpus)
        values = " ".join(f"{k}={v}" for each in spec.configs.values() for k, v in each.items())
        assert spec.configs.keys() <= listed
        assert {*spec.configs, *spec.sources} | words(values) <= words(cli("info", corpus).out)


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\s,]+", text))
