"""What a command does not need it does not import: which libraries each one comes with."""

import subprocess
import sys
from pathlib import Path

import pytest
from kit import bundled

from edge_glass.corpora import catalog

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
    "pyarrow._s3fs",
    "pyarrow.compute",
    "pyarrow.dataset",
    "py7zr",
    "soundfile",
    "torch",
    "transformers",
}
WITH_BUILDER = {  # what the modules of builders import; all others come with none of these
    "musiccaps": {"numpy", "soundfile"},
    "valor": {"PIL.Image", "numpy", "soundfile"},
}
# rows in Parquet and CSV are read by pyarrow, without its kernels
TABLES = ("audiocaps", "common_voice", "laion400m", "laionet", "pixmo_cap")
WITH_ROWS = {name: {"pyarrow"} for name in TABLES}
JOINED = "yfcc15m_cls_urls_sample"  # its list and metadata, once
SCRIPT = """
import sys
from edge_glass.cli.main import main
try:
    main()
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


def test_help_waits_for_no_form_of_a_corpus() -> None:
    line = [sys.executable, "-c", SCRIPT, "build", "--help"]
    out = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert "edge_glass.core.spec" not in out.splitlines()[-1].split()


@pytest.mark.parametrize(
    ("words", "alone"), [("list", True), ("--help list", False), ("--version", False)]
)
def test_a_command_that_is_named_first_is_made_alone(words: str, alone: bool) -> None:
    code = f"{SCRIPT}\nfrom edge_glass.cli.main import app\nprint(len(app.registered_commands))"
    line = [sys.executable, "-c", code, *words.split()]
    out = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert (out.splitlines()[-1] == "1") is alone


def test_a_ledger_is_read_by_pyarrow_alone(in_pieces: Path) -> None:
    assert imported("ledger", in_pieces) == set()  # no row of it is listed
    assert imported("ledger", in_pieces, "--reason", "kept") == {"pyarrow"}


def test_a_program_that_calls_a_command_keeps_its_pandas(in_pieces: Path) -> None:
    code = """
import sys
from edge_glass.cli.main import main
try:
    main(["ledger", sys.argv[1], "--reason", "kept"])
except SystemExit as end:
    assert not end.code, end
import pyarrow
assert pyarrow.table({"a": [1]}).to_pandas()["a"].tolist() == [1]
"""
    subprocess.run([sys.executable, "-c", code, in_pieces], capture_output=True, check=True)


@pytest.mark.parametrize("name", sorted(catalog.corpora()))
def test_a_corpus_is_described_without_what_fetches_or_builds(name: str) -> None:
    assert imported("info", name) <= WITH_BUILDER.get(name, set())


@pytest.mark.parametrize("name", bundled())
def test_a_sample_is_planned_with_no_more_than_reads_its_rows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path))
    corpus = catalog.variant(name).corpus
    most = WITH_BUILDER.get(corpus, set()) | WITH_ROWS.get(corpus, set())
    if name == JOINED:
        assert "duckdb" in imported("plan", name)
        most = {"pyarrow"}
    assert imported("plan", name) <= most


def test_a_build_needs_no_datasets_but_for_its_card(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import build
assert build(catalog.variant("clotho_sample"), Path(sys.argv[1])).kept
print(*sys.modules)
"""
    line = [sys.executable, "-c", code, tmp_path]
    out = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert not {"datasets", "torch"} & set(out.split())  # pandas is pyarrow's affair
