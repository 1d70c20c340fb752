"""The docs: links lead somewhere, commands are spelt right, tutorials run as they stand."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rawclotho
import typer
from hub import Hub

import edge_glass
from edge_glass.cli.main import app
from edge_glass.core.ledger import Outcome
from edge_glass.core.plots import DIM, GOOD
from edge_glass.core.spec import Source

ROOT = Path(__file__).parents[1]
TEXTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [*TEXTS, ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages that the site is made of."""
    out = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, ROOT / "docs" / "gather.py", out], check=True)
    return out


def broken(page: Path, gathered: Path) -> Iterator[str]:
    """Links of a page to files and headings that are not there; the reference is gathered."""
    for link in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        if re.match(r"\w+:", link):
            continue
        if place.removeprefix("../").startswith("reference/"):
            target = gathered / place.removeprefix("../")
        if not target.exists():
            yield f"{page}: {link}"
        elif anchor and anchor not in anchors(target):
            yield f"{page}: no heading {link}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_links_lead_somewhere(gathered: Path) -> None:
    pages = [*PAGES, *gathered.rglob("*.md")]
    assert [fault for page in pages for fault in broken(page, gathered)] == []


def test_each_version_of_the_changelog_is_read_in_two_minutes() -> None:
    sections = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1:]
    assert {s.partition("\n")[0]: len(s.split()) for s in sections if len(s.split()) > 550} == {}


def test_the_site_has_every_page(gathered: Path) -> None:
    def listed(nav: Any) -> Iterator[str]:
        if isinstance(nav, str):
            yield nav
        for item in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
            yield from listed(item)

    config = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    pages = {path.relative_to(gathered).as_posix() for path in gathered.rglob("*.md")}
    assert set(listed(config["nav"])) == pages


def test_the_reference_has_every_command_and_function(gathered: Path) -> None:
    commands = (gathered / "reference" / "commands.md").read_text()
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert f"\n## {name}\n" in commands
        assert all(
            f"`{option}`" in commands
            for p in command.params
            for option in p.opts[:1]
            if "-" in option
        )
    python = (gathered / "reference" / "python.md").read_text()
    names = {name for name in edge_glass.__all__ if f".{name}\n" not in python}
    assert names == {"builder", "train"}  # modules
    builders = (gathered / "reference" / "builders.md").read_text()
    keys = [*Outcome, *Source.model_fields, "audio_columns()", "with_captions()", "csv()"]
    assert [key for key in keys if f"| `{key}` |" not in builders] == ["kept"]


def test_benchmarks_are_drawn_from_their_tables(gathered: Path) -> None:
    page = (gathered / "reference" / "benchmarks.md").read_text()
    assert "<!-- plot" not in page
    drawn = re.findall(r'<div class="plots">(.*?)</div>\n\n((?:\|.*\n)+)', page)
    for plots, table in drawn:
        cells = {cell.strip("* ") for cell in re.split(r"[|\n]", table)}
        for plot in plots.split("<svg")[1:]:
            bars = re.findall(
                rf'width="([\d.]+)"[^>]*fill="(?!{DIM})#\w+"/><text[^>]*>([\d,.]+)<', plot
            )
            figures = [(float(width), float(cell.replace(",", ""))) for width, cell in bars]
            longest, most = max(figures)
            assert {cell for _, cell in bars} <= cells
            assert all(
                abs(w - max(longest * value / most, 1)) < 0.2 for w, value in figures if w > 1
            )
            assert GOOD in plot and 'role="img"' in plot  # what is ours among them
    tables = re.findall(r"(?:\|.*\n)+", page)
    beside_peers = [one for one in tables if re.search(r"^\| \**Edge Glass", one, re.M)]
    assert len(beside_peers) > 10
    assert {*beside_peers} <= {table for _, table in drawn}


def test_the_picture_is_what_its_code_draws() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "picture.py"))
    assert drawn["PICTURE"].read_text() == drawn["picture"]()
    assert f"![{drawn['SAID']}](docs/picture.svg)" in (ROOT / "README.md").read_text()


def lines(page: Path) -> Iterator[list[str]]:
    """The commands of ours in the shell blocks of a page, as words."""
    for kind, block in BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines() if kind == "sh" else ():
            words = shlex.split(line, comments=True)
            for start in (i for i, word in enumerate(words) if word == "edge-glass"):
                ends = (
                    i for i, word in enumerate(words) if i > start and re.search("[;&|>]$", word)
                )
                end = next(ends, len(words))
                last = [words[end].rstrip(";")] if end < len(words) and len(words[end]) > 1 else []
                yield [*words[start + 1 : end], *filter(None, last)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_spelt_right(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: True)  # folders that a reader will have made
    group = typer.main.get_command(app)
    for name, *rest in lines(page):
        if name not in ("-h", "-V"):
            group.commands[name].make_context(name, rest)


def run(page: str, folder: Path, env: dict[str, str], section: str = "") -> None:
    """Run the blocks of a page, or a section, one after the other, but for the installation."""
    (folder / "upload.py").symlink_to(ROOT / "upload.py")
    env = env | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    text = re.sub(
        r"## Install\n.*?(?=\n## )", "", (ROOT / "docs" / page).read_text(), flags=re.DOTALL
    )
    text = text.partition(f"## {section}\n")[2].partition("\n## ")[0] if section else text
    for kind, block in BLOCK.findall(text):
        command = ["bash", "-e", "-c", block] if kind == "sh" else [sys.executable, "-c", block]
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


def test_the_first_dataset(tmp_path: Path) -> None:
    run("first-dataset.md", tmp_path, dict(os.environ))


def test_a_version_is_published(hub: Hub, tmp_path: Path) -> None:
    run("publish.md", tmp_path, hub.env())
    assert "org/edge-glass" in hub.store.repos


def test_a_folder_is_published_and_trained_on(hub: Hub, tmp_path: Path) -> None:
    (birds := tmp_path / "birds").mkdir()
    sounds = sorted((ROOT / "samples" / "librispeech").rglob("*.flac"))[:3]
    for sound in sounds:
        shutil.copy(sound, birds)
    lines = ["file_name,text", *(f"{sound.name},it sings" for sound in sounds)]
    (birds / "metadata.csv").write_text("\n".join(lines))
    run("own-data.md", tmp_path, hub.env(), "From a folder to a batch")
    assert "org/name" in hub.store.repos


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_functions_work_as_they_stand(page: str, hub: Hub, tmp_path: Path) -> None:
    """On a Clotho with checksums of its own, from raw files to a version that is loaded."""
    raw = rawclotho.write_raw(tmp_path / "raw", clips=5, archives=True)
    house = rawclotho.House.build(tmp_path / "house", raw)
    [code] = [code for _, code in BLOCK.findall((ROOT / page).read_text()) if "eg.push" in code]
    code = code.replace("clotho", "meadow").replace("/data/CLOTHO", str(raw))
    env = hub.env() | {"PYTHONPATH": house.env(tmp_path)["PYTHONPATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "org/x" in hub.store.repos
