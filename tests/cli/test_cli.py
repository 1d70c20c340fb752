"""The command line: what it says, in tables and in JSON, and how it takes mistakes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from kit import ROOT, Cli

import edge_glass
from edge_glass.core import manifest
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

SAMPLE = "clotho_sample"


def test_every_command_has_help(cli: Cli) -> None:
    shown = cli("--help")
    verbs = ["list", "info", "plan", "build", "verify", "ledger", "report", "export", "diff"]
    verbs += ["push", "dedup", "match", "similarity", "retrieve", "embed", "views"]
    assert all(verb in shown.out for verb in verbs)
    for verb in verbs:
        assert cli(verb, "--help").code == 0


def test_report_is_drawn_anew(built: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copytree(built, tmp_path / "data")
    (tmp_path / "data" / "report.html").unlink()
    for folder in ("data", "data/clotho_sample"):
        assert cli("report", tmp_path / folder).out.strip() == str(tmp_path / "data/report.html")
    page = (tmp_path / "data" / "report.html").read_text()
    assert page == (built / "report.html").read_text()


def test_what_was_drawn_of_an_earlier_build_goes(tmp_path: Path, cli: Cli) -> None:
    """A build from Python draws nothing; the command draws once, whatever the number of configs."""
    drawn = [tmp_path / name for name in ("report.html", f"plots/{SAMPLE}.png")]
    assert cli("build", SAMPLE, "--out", tmp_path).code == 0
    assert (
        all(path.is_file() for path in drawn) and "plots/" in (tmp_path / "README.md").read_text()
    )
    build(catalog.variant(SAMPLE), tmp_path)
    assert all(path.is_file() for path in drawn)
    build(catalog.variant(SAMPLE), tmp_path, Options(limit=1))
    assert not any(path.exists() for path in drawn)
    assert "plots/" not in (tmp_path / "README.md").read_text()


def test_list_and_info(cli: Cli) -> None:
    assert SAMPLE in cli("list").out
    listed = cli("list", "--json").json
    assert listed.keys() == catalog.corpora().keys()
    assert "clotho_16k" in listed["clotho"]
    shown = cli("info", "clotho").out
    for word in ("sample_rate", "caption_mode", "clotho_audio_test.7z", "@inproceedings"):
        assert word in shown
    info = cli("info", "clotho", "--json").json
    assert info["sources"]["clotho_captions_development.csv"]["rows"] == 3839


def test_plan_tells_what_a_build_will_do_and_does_nothing(
    cli: Cli, clotho: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    (full,) = cli("plan", "clotho_16k", "--out", out, "--json").json
    assert full["rows"] == {"train": 3839, "validation": 1045, "test": 1045}
    assert (full["exact"], full["parameters"]["sample_rate"]) == (False, 16000)
    assert {source["state"] for source in full["sources"]} == {"to fetch"}
    validation = cli("plan", "clotho", "--set", "splits=[validation]", "--out", out, "--json")
    assert validation.json[0]["fetch_bytes"] == 1260701425 + 367649 + 224803
    (raw,) = cli("plan", "clotho", "--raw", clotho, "--out", out, "--json").json
    assert (raw["rows"], raw["exact"]) == ({"train": 5, "validation": 3, "test": 3}, True)
    assert raw["shards"] == {"train": 1, "validation": 1, "test": 1}
    assert "clotho_audio_development.7z" in cli("plan", "clotho", "--out", out).out
    assert not out.exists() and not (tmp_path / "cache").exists()


def test_build_shows_rows_and_how_to_load_them(cli: Cli, tmp_path: Path) -> None:
    shown = cli("build", SAMPLE, "--out", tmp_path, "--jobs", 1)
    assert shown.code == 0
    hints = shown.out.partition("Load it:\n")[2].splitlines()
    assert hints
    for hint in hints:  # each of them runs here, down to a decoded row
        loaded = eval(hint, {"datasets": datasets, "edge_glass": edge_glass})
        assert len(loaded["test"][0]["audio"]["array"])
    (made,) = cli("build", SAMPLE, "--out", tmp_path, "--json", "--jobs", 1).json
    assert made == manifest.read(tmp_path / SAMPLE).plain()


def test_variants_are_named_by_what_is_set(cli: Cli, tmp_path: Path) -> None:
    settings = ["--set", "splits=[test]", "--set", "sample_rate=22050", "--jobs", 1]
    cli("build", SAMPLE, "--out", tmp_path, *settings)
    made = manifest.read(tmp_path / "clotho_sample-splits-test-sample_rate-22050")
    assert made.parameters["sample_rate"] == 22050
    cli("build", SAMPLE, "--out", tmp_path, *settings, "--name", "clotho_mine")
    assert manifest.read(tmp_path / "clotho_mine").splits.keys() == {"test"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["build", "clotho_17k"], "no config clotho_17k: did you mean clotho_16k"),
        (["info", "cloto"], "no corpus cloto: did you mean clotho"),
        (["build", SAMPLE, "--set", "sample_rate"], "--set sample_rate: write it as NAME=VALUE"),
        (["build", SAMPLE, "--set", "splits=[train"], "[train is no YAML value"),
        (["build", SAMPLE, "--set", "rate=1"], "no parameter rate; there are subset, splits, "),
        (["build", SAMPLE, "--set", "sample_rate=fast"], "sample_rate: Input should be a valid in"),
        (["build", SAMPLE, "--set", "sample_rate=10"], "greater than or equal to 1000, found 10"),
        (["build", SAMPLE, "--set", "channels=3"], "channels: Input should be 1 or 2, found 3"),
        (["build", SAMPLE, "--set", "subset=0"], "subset: "),
        (["build", SAMPLE, "--set", "caption_mode=some"], "caption_mode: Input should be 'all', "),
        (["build", SAMPLE, "--set", "splits=[dev]"], "no split dev; there are train, validation"),
        (
            ["build", SAMPLE, "--set", "audio_format=source", "--set", "channels=1"],
            "audio_format source keeps the bytes: unset sample_rate and channels, or use flac",
        ),
        (["build", SAMPLE, "--set", "seed=1", "--name", "clotho_16k"], "is a published config"),
        (["build", SAMPLE, "--set", "seed=1", "--name", "../x"], "is no config name"),
        (["build", SAMPLE, "clotho", "--name", "x"], "--name names one variant"),
        (["verify", "/nowhere"], "nothing is built here"),
        (["ledger", "/nowhere"], "nothing is built here"),
        (["diff", "/nowhere", "/nowhere"], "nothing is built here"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], why: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = cli(*arguments)
    assert told.code != 0
    assert why in told.err
    assert told.err.startswith("error: ") and told.err.count("\n") == 1
    assert told.out == ""


def test_places_where_nothing_can_be_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "more"):
        told = cli("build", SAMPLE, "--out", out)
        assert told.code == 1
        assert told.err.startswith(f"error: {tmp_path / 'file'}")
        assert told.err.count("\n") == 1


def test_a_manifest_that_is_damaged(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / SAMPLE).mkdir()
    (tmp_path / SAMPLE / manifest.FILE).write_text("{")
    (tmp_path / SAMPLE / "test-00000-of-00001.parquet").touch()  # it was a build
    told = cli("verify", tmp_path)
    assert told.code == 1
    assert told.err.startswith(f"error: {tmp_path / SAMPLE}")
    assert "build" in told.err


@pytest.mark.parametrize("arguments", [["build", "--jobs", "0"], ["bild"], ["plan"]])
def test_wrong_usage(arguments: list[str], cli: Cli) -> None:
    assert cli(*arguments).code == 2


def test_all_mistakes_are_told_together(cli: Cli, tmp_path: Path) -> None:
    settings = ["--set", "sample_rate=10", "--set", "channels=3", "--set", "more=1"]
    told = cli("build", SAMPLE, "--out", tmp_path, *settings)
    assert told.err.count("error: ") == 3


def test_the_installed_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("edge-glass")
    done = subprocess.run(
        [command, "build", "clotho_17k"], cwd=tmp_path, check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no config clotho_17k")
    assert (ROOT / "upload.py").is_file()


def test_workers_are_of_the_installed_package(tmp_path: Path) -> None:
    """Not of sources that happen to lie where the command is called."""
    (tmp_path / "edge_glass").mkdir()
    (tmp_path / "edge_glass" / "__init__.py").write_text("raise SystemExit('wrong package')\n")
    command = Path(sys.executable).with_name("edge-glass")
    done = subprocess.run(
        [command, "build", SAMPLE, "--jobs", "2", "--out", "data", "--json"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "wrong package" not in done.stderr, done.stderr


def test_tables_and_searches_do_not_wait_for_what_builds_need() -> None:
    code = "import sys, edge_glass.cli.terminal, edge_glass.vectors.query; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"datasets", "pandas", "torch", "transformers"} & set(done.stdout.split())
