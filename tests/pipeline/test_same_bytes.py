"""Other Pythons build what this one builds, byte for byte; another pyarrow all but its own version.

`make test-pythons` makes their environments; without them there is nothing to hold against.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from kit import ROOT

from edge_glass.corpora import catalog

PYTHONS = sorted(ROOT.glob(".venv-python3*/bin/python"))
ARROWS = sorted(ROOT.glob(".venv-pyarrow*/bin/python"))
WRITER = re.compile(rb"parquet-cpp-arrow version [0-9.]+")  # in the footer of a Parquet file
BUILD = """
import sys
from pathlib import Path
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import build
for config in catalog.samples():
    build(catalog.variant(config), Path(sys.argv[1]))
"""


def others(pythons: list[Path]) -> pytest.MarkDecorator:
    names = [python.parts[-3] for python in pythons] or ["none"]
    skip = [] if pythons else [pytest.mark.skip(reason="make test-pythons makes the environments")]
    pairs = zip(pythons or [Path()], names, strict=True)
    return pytest.mark.parametrize("python", [pytest.param(p, id=n, marks=skip) for p, n in pairs])


def built_by(python: Path, out: Path) -> None:
    """Every sample built by another interpreter."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-c", BUILD, out], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def data(out: Path) -> dict[str, bytes]:
    folders = (out / config for config in catalog.samples())
    return {f"{f.name}/{p.name}": p.read_bytes() for f in folders for p in f.iterdir()}


@others(PYTHONS)
def test_another_python_makes_the_same_bytes(python: Path, built: Path, tmp_path: Path) -> None:
    built_by(python, tmp_path)
    ours, theirs = data(built), data(tmp_path)
    assert ours.keys() == theirs.keys() and len(ours) > 30
    assert [name for name, bytes_ in ours.items() if theirs[name] != bytes_] == []


@others(ARROWS)
def test_another_pyarrow_makes_the_same_files(python: Path, built: Path, tmp_path: Path) -> None:
    built_by(python, tmp_path)
    ours, theirs = (_parquet(data(out)) for out in (built, tmp_path))
    assert ours.keys() == theirs.keys() and len(ours) > 30
    versions = {WRITER.findall(file)[0] for each in (ours, theirs) for file in each.values()}
    assert len(versions) == 2
    masked = [{name: WRITER.sub(b"", file) for name, file in e.items()} for e in (ours, theirs)]
    assert [name for name, file in masked[0].items() if masked[1][name] != file] == []


def _parquet(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: file for name, file in files.items() if name.endswith(".parquet")}
