"""What a command does not need it does not import: which libraries each one comes with."""

import json
import subprocess
import sys
from dataclasses import dataclass
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
CATALOG = ("edge_glass.corpora.catalog",)
# each command in a process of its own, forked from one that has made the command line ready
SCRIPT = """
import importlib, json, os, sys
from edge_glass.cli import main as cli
for name in sys.argv[1:]:
    importlib.import_module(name)
for line in sys.stdin:
    sys.stdout.flush()
    if not os.fork():
        sys.argv[1:], code = json.loads(line), 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        print("\\nimported", code or 0, len(cli.app.registered_commands), *sys.modules, flush=True)
        os._exit(0)
    os.wait()
"""


@dataclass
class Done:
    """A command that has ended well: what it had imported, and how many commands were made."""

    modules: set[str]
    commands: int

    @property
    def heavy(self) -> set[str]:
        return HEAVY & self.modules


def done(*commands: list[object], ready: tuple[str, ...] = ()) -> list[Done]:
    """What each of some commands came to; modules that are ready count as imported by all."""
    given = "".join(json.dumps([*map(str, words)]) + "\n" for words in commands)
    run = [sys.executable, "-c", SCRIPT, *ready]
    out = subprocess.run(run, input=given, capture_output=True, text=True, check=True).stdout
    found = [line.split()[1:] for line in out.splitlines() if line.startswith("imported ")]
    assert [code for code, *_ in found] == ["0"] * len(commands), out
    return [Done(set(modules), int(made)) for _, made, *modules in found]


def test_what_there_is_to_build_is_told_without_what_builds_it() -> None:
    lines = ["--help", "--version", "list", "list --json", "build --help"]
    found = dict(zip(lines, done(*map(str.split, lines)), strict=True))
    assert {line: one.heavy for line, one in found.items()} == {line: set() for line in lines}
    assert "edge_glass.core.spec" not in found["build --help"].modules  # no form of a corpus


def test_a_command_that_is_named_first_is_made_alone() -> None:
    alone, *whole = done(["list"], ["--help", "list"], ["--version"])
    assert alone.commands == 1 and all(one.commands > 1 for one in whole)


def test_a_ledger_is_read_by_pyarrow_alone(in_pieces: Path) -> None:
    none, listed = done(["ledger", in_pieces], ["ledger", in_pieces, "--reason", "kept"])
    assert none.heavy == set()  # no row of it is listed
    assert listed.heavy == {"pyarrow"}


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


def test_a_corpus_is_described_without_what_fetches_or_builds() -> None:
    names = sorted(catalog.corpora())
    found = zip(names, done(*(["info", name] for name in names), ready=CATALOG), strict=True)
    more = {name: one.heavy - WITH_BUILDER.get(name, set()) for name, one in found}
    assert more == {name: set() for name in names}


def test_a_sample_is_planned_with_no_more_than_reads_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path))
    [joined] = done(["plan", JOINED])  # keeps what it joined: the next one reads it
    assert "duckdb" in joined.heavy
    names = bundled()
    found = zip(names, done(*(["plan", name] for name in names), ready=CATALOG), strict=True)
    more = {name: one.heavy - may_plan(name) for name, one in found}
    assert more == {name: set() for name in names}


def may_plan(name: str) -> set[str]:
    """The heavy libraries that the plan of a config may import."""
    corpus = catalog.variant(name).corpus
    joined = {"pyarrow"} if name == JOINED else set()
    return WITH_BUILDER.get(corpus, set()) | WITH_ROWS.get(corpus, set()) | joined


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
