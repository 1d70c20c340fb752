"""What a command does not need it does not import: which libraries each one comes with."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "aiohttp",
    "av",
    "datasets",
    "duckdb",
    "huggingface_hub.hf_api",
    "jinja2",
    "numpy",
    "pandas",
    "PIL.Image",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.dataset",
    "py7zr",
    "soundfile",
    "torch",
    "transformers",
}
SCRIPT = """
import sys
from edge_glass.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end
print("imported", *sys.modules)
"""


def imported(*words: object) -> set[str]:
    """The heavy libraries that a command has imported when it is done."""
    line = [sys.executable, "-c", SCRIPT, *map(str, words)]
    out = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return HEAVY & set(out.splitlines()[-1].split())


@pytest.mark.parametrize("words", ["--help", "--version", "list", "list --json", "build --help"])
def test_what_there_is_to_build_is_told_without_what_builds_it(words: str) -> None:
    assert imported(*words.split()) == set()


def test_a_ledger_is_read_by_pyarrow_alone(in_pieces: Path) -> None:
    assert imported("ledger", in_pieces) == {"numpy", "pyarrow"}
    assert imported("ledger", in_pieces, "--reason", "kept") == {"numpy", "pyarrow"}
