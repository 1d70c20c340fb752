"""What pip installs: a wheel and an sdist with all that a build wants, samples included."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = (
    "import sys; from setuptools import build_meta as b; b.build_sdist({0!r}); b.build_wheel({0!r})"
)
SETUP = """import runpy, setuptools
setuptools.setup = lambda long_description, **words: print(long_description)
runpy.run_path("setup.py")
"""
ROOMS = ("builders", "cards", "configs", "samples", "edge_glass")


def known() -> list[str]:
    """The files that git knows."""
    command = ["git", "ls-files"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and the sdist."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in known():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    subprocess.run(
        [sys.executable, "-c", BUILD.format(str(out))], cwd=tree, check=True, capture_output=True
    )
    return out


def test_the_wheel_has_every_room(dist: Path) -> None:
    [wheel] = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        packed = {name for name in file.namelist() if ".dist-info/" not in name}
    own = {name for name in known() if name.partition("/")[0] in ROOMS}
    assert packed == {f"edge_glass/{name.removeprefix('edge_glass/')}" for name in own}


def test_the_sdist_makes_the_wheel(dist: Path, tmp_path: Path) -> None:
    [archive] = dist.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    [tree] = tmp_path.iterdir()
    again = tmp_path / "dist"
    again.mkdir()
    code = BUILD.format(str(again))
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    ours, theirs = (zipfile.ZipFile(next(d.glob("*.whl"))) for d in (dist, again))
    assert {i.filename: i.CRC for i in ours.infolist()} == {
        i.filename: i.CRC for i in theirs.infolist()
    }


@pytest.mark.slow  # CI installs the wheel and builds with it: make test-package
def test_a_build_from_the_wheel_alone(dist: Path, tmp_path: Path) -> None:
    """As after `pip install edge-glass`, in a folder with nothing of the clone."""
    [wheel] = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    for verb in (["build", "clotho_sample", "--out", "data"], ["verify", "data", "--json"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edge_glass", *verb],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert (done.stdout, (tmp_path / "data" / "report.html").is_file()) == ("[]\n", True)


@pytest.mark.parametrize("home", ["", "https://example.com/edge-glass"])
def test_the_text_for_the_index_leads_to_no_file_beside_it(home: str, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "setup.py"):
        shutil.copy2(ROOT / name, tmp_path / name)
    if home:
        with (tmp_path / "pyproject.toml").open("a") as file:
            file.write(f'[project.urls]\nRepository = "{home}/"\n')
    run = [sys.executable, "-c", SETUP]  # by itself: setuptools is the first to import distutils
    text = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert "Your own data" in text and all(re.match(r"https?://|#", link) for link in links)
    assert (f"{home}/blob/v" in text) == (f"({home}/raw/v" in text) == bool(home)


def test_the_wheel_says_that_text(dist: Path) -> None:
    [wheel] = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        [name] = [name for name in file.namelist() if name.endswith("/METADATA")]
        text = file.read(name).decode()
    assert "Description-Content-Type: text/markdown" in text and "## Who it is for" in text
    assert "](docs/" not in text
