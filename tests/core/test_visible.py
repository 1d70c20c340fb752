"""What is shown hides nothing: no text that turns its direction, no secret of a URL."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_glass.cli import terminal
from edge_glass.core.errors import EdgeGlassError, redacted
from edge_glass.core.visible import json_visible, visible
from edge_glass.corpora import catalog
from edge_glass.pipeline import build

TRICK = "Invoice_\u202excod.exe"


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u061c", "\ufeff", "\udcff"])
def test_what_turns_text_is_escaped_and_letters_stay(mark: str) -> None:
    assert visible(f"a{mark}b") == f"a\\u{ord(mark):04x}b"
    assert visible({"x": [f"{mark}"]}) == {"x": [f"\\u{ord(mark):04x}"]}
    letters = "عربي עברית fin\u0303 👩\u200d👧 \n\t"  # joiners make letters and people
    assert visible(letters) == letters


def test_json_for_a_terminal_says_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "in_json", True)
    said = {TRICK: ["\x9b31m", "\x1b[2J", "é"]}
    assert terminal.printed_as_json(said)
    shown = capsys.readouterr().out
    assert json.loads(shown) == said and "é" in shown
    assert not {"\u202e", "\x9b", "\x1b"} & set(shown)
    assert json_visible("\n") == "\n"


def test_tables_and_errors_show_it_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.table(TRICK, ["file"], [[TRICK]])
    assert capsys.readouterr().out.count("Invoice_\\u202excod.exe") == 2
    code = f"from edge_glass.cli.main import main; main(['verify', {TRICK!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Invoice_\\u202excod.exe" in done.stderr


@pytest.mark.parametrize(
    "url, shown",
    [
        ("http://u:p%40ss@host:80/x", "http://***@host:80/x"),
        ("socks5://u:p@ss@host", "socks5://***@host"),
        ("ray://tok@head:10001 is", "ray://***@head:10001 is"),
        ("proxy=u:p@ss@host:80 -v", "proxy=***@host:80 -v"),
        ("'http:/u:p@host'", "'http:/***@host'"),
        ("https://h/x?a=1&X-Amz-Signature=ab%2F&b=2", "https://h/x?a=1&X-Amz-Signature=***&b=2"),
        ("('https://h?api_key=ab')", "('https://h?api_key=***')"),
        ("hf://datasets/org/name@v1.0.0", "hf://datasets/org/name@v1.0.0"),
        ("mail: a@b.c, https://h/@user", "mail: a@b.c, https://h/@user"),
    ],
)
def test_secrets_of_urls_are_told_to_nobody(url: str, shown: str) -> None:
    assert redacted(url) == shown
    error = EdgeGlassError(url, "other")
    assert (str(error), error.problems) == (f"{shown}\nother", (shown, "other"))


def test_the_run_log_holds_no_secret(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError),
        build._logged(tmp_path, catalog.variant("clotho_sample")),
    ):
        raise OSError("no answer from http://u:hush@127.0.0.1:9/x?token=hush")
    [line] = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert (
        json.loads(line)["result"] == "OSError: no answer from http://***@127.0.0.1:9/x?token=***"
    )


@pytest.mark.parametrize("limit", ["-v 1000000", "-f 8"])
def test_a_limit_of_the_system_is_told(limit: str, tmp_path: Path) -> None:
    command = f"ulimit {limit}; exec {sys.executable} -m edge_glass build clotho_sample --out "
    done = subprocess.run(
        ["bash", "-c", command + str(tmp_path / "o")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"ulimit {limit[:2]}" in done.stderr
