"""`edge-glass new`: the package that it writes works at once, as CONTRIBUTING.md says."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from kit import ROOT, Cli

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
SECTION = GUIDE.partition("## Add a corpus")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
TOOLS = {"edge-glass": ["-m", "edge_glass"], "python": []}


@pytest.mark.parametrize("option", [[], ["--builder"]], ids=["yaml", "builder"])
def test_a_new_corpus_is_built_and_passes_its_tests(
    option: list[str], tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("new", "birds", *option).code == 0
    (tmp_path / "birds" / "birds_corpus-1.0.dist-info").mkdir()
    info = tmp_path / "birds" / "birds_corpus-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: birds_corpus\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[edge_glass.corpora]\nbirds = birds_corpus\n")
    env = {"PYTHONPATH": str(tmp_path / "birds"), "HOME": str(tmp_path)}
    test = "birds/tests/test_birds.py::test_the_sample"  # the guide runs the others
    command = [sys.executable, "-m", "pytest", "-q", test, "-p", "no:cacheprovider"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten_and_no_name_is_taken_twice(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("clotho", "edge_glass"):
        assert "this name is taken" in cli("new", name).err
    assert "small letters" in cli("new", "../Birds").err
    (tmp_path / "birds").mkdir()
    assert "there already" in cli("new", "birds").err


@pytest.mark.slow  # pip makes a wheel
@pytest.mark.skipif(not (find_spec("pip") and find_spec("setuptools")), reason="pip, setuptools")
def test_the_guide_works_block_by_block(tmp_path: Path) -> None:
    """What pip installs is used, so that a file which the package forgets is missed."""
    site = tmp_path / "site"
    env = {"PYTHONPATH": str(site), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    assert BLOCKS
    for line in "".join(BLOCKS).splitlines():
        tool, *words = shlex.split(line.partition("  #")[0])
        if tool == "pip":
            offline = ["--no-index", "--no-build-isolation", "--no-deps", "--target", "site"]
            words = ["install", *offline, words[-1]]
        command = [sys.executable, *TOOLS.get(tool, ["-m", tool]), *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        shutil.rmtree(tmp_path / "birds" / "build", ignore_errors=True)
