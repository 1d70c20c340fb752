"""What every command has: help, messages, JSON; and the verbs that look after a machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub import Hub
from huggingface_hub import constants
from kit import ROOT, Cli
from releases import REPO, SAMPLE, push

from edge_glass.corpora import catalog
from edge_glass.pipeline import cache


@pytest.mark.parametrize("arguments", [["-V"], ["--version"], ["-h"], ["build", "-h"]])
def test_short_options(arguments: list[str], cli: Cli) -> None:
    assert cli(*arguments).out.strip()


def test_the_shell_completes() -> None:
    asked = {
        "_EDGE_GLASS_COMPLETE": "complete_bash",
        "COMP_WORDS": "edge-glass bui",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [Path(sys.executable).parent / "edge-glass"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["build"]


def test_how_much_is_said_is_asked_for(tmp_path: Path, cli: Cli) -> None:
    command = ["build", SAMPLE, "--out", tmp_path / "data", "--jobs", 1]
    log = tmp_path / "log.txt"
    quiet = cli(*command, "--quiet", "--log", log)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert " rows, " in log.read_text()
    said = cli("verify", tmp_path / "data", "--verbose", "--json", "--log", log)
    assert said.json == [] and "exit code 0" in said.err
    assert cli("build", SAMPLE, "--quiet", "--verbose").code == 1
    failed = cli("verify", tmp_path / "nowhere", "-v")
    assert "Traceback" in failed.err and "nothing is built here" in failed.err
    assert cli("list", "--log", tmp_path / "no" / "log.txt").code == 1
    assert log.read_text().count("edge-glass") == 2


def test_the_ledger_of_a_version(hub: Hub, built: Path, cli: Cli) -> None:
    """It is read where it lies, as by the other verbs."""
    push(hub, built)
    rows = cli("ledger", f"{REPO}@1.0.0", "--json", "--reason", "kept").out.splitlines()
    assert {json.loads(row)["config"] for row in rows} == {SAMPLE}


def test_written_paths_as_json(built: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copytree(built / SAMPLE, tmp_path / "data" / SAMPLE)
    assert cli("report", tmp_path / "data", "--json").json == [str(tmp_path / "data/report.html")]
    tars = tmp_path / "tars"
    assert cli("export", tmp_path / "data", "--out", tars, "--json").json == [str(tars)]


def test_a_push_is_tried_out_without_the_hub(
    built: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody is there
    command = ["push", SAMPLE, "--from", built, "--repo", "org/x", "--version", "1.0.0"]
    shown = cli(*command, "--dry-run")
    assert shown.code == 0
    assert f"send {SAMPLE}/manifest.json" in shown.out and "The Hub was not asked" in shown.out
    assert cli(*command).code == 1


def test_the_cache_is_shown_and_emptied(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    raw = tmp_path / "raw"
    shutil.copytree(ROOT / "samples" / "clotho", raw)
    assert (
        cli("build", "clotho", "--raw", raw, "--out", tmp_path / "data", "--unverified").code == 0
    )
    listings = tmp_path / "cache" / "listings"
    (listings / "thesis.txt").write_text("mine")
    before = {part["name"]: part for part in cli("cache", "--json").json}
    assert before["listings"]["files"] > 0 < before["listings"]["bytes"]
    shown = cli("cache", "--clear", "listings")
    assert "thesis.txt: Edge Glass did not write it: kept" in " ".join(shown.out.split())
    assert [path.name for path in listings.iterdir()] == ["thesis.txt"]
    assert "did you mean listings" in cli("cache", "--clear", "listing").err


def test_the_cache_is_shown_while_a_build_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_entries", lambda name: ([tmp_path / "gone.tmp"], []))
    assert {(part.files, part.bytes) for part in cache.parts()} == {(0, 0)}


def test_samples_that_want_a_library_are_left_out_and_named(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(catalog, "samples", lambda: [SAMPLE, "musiccaps_sample"])
    done = cli("build", "--out", tmp_path / "data", "--jobs", 1)
    assert done.code == 0 and SAMPLE in done.out
    assert "musiccaps_sample is left out" in done.err and "[video]'" in done.err
    assert cli("build", "musiccaps_sample", "--out", tmp_path / "asked", "--jobs", 1).code == 1
    monkeypatch.setattr(
        catalog, "corpora", lambda: dict.fromkeys(("clotho", "musiccaps"), "edge_glass")
    )
    done = cli("docs", "--out", tmp_path / "site")
    assert done.code == 0 and "musiccaps_sample is left out" in done.err
    assert "MusicCaps" in (tmp_path / "site" / "index.html").read_text()
