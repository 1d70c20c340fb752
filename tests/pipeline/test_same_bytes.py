"""Other Pythons build what this one builds, byte for byte.

`make test-pythons` makes their environments; without them there is nothing to hold against.
"""

import os
import subprocess
from pathlib import Path

import pytest
from kit import ROOT

from edge_glass.corpora import catalog

PYTHONS = sorted(ROOT.glob(".venv-python3*/bin/python"))
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
