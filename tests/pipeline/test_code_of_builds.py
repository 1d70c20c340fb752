"""Which code decides the bytes of a build, and that no build of other code is taken for its own."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit import ROOT, Cli
from test_kept_bytes import files, flip

from edge_glass.corpora import catalog, code_digest
from edge_glass.pipeline import build_inputs


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a builder that imports another, and one that it does not."""
    root = tmp_path / "house_of_code" / "builders"
    root.mkdir(parents=True)
    for folder in (root, root.parent):
        (folder / "__init__.py").touch()
    lines = ["from typing import TYPE_CHECKING", "from edge_glass.core.ledger import Outcome"]
    lines += ["if TYPE_CHECKING:", "    from house_of_code.builders import types_alone"]
    lines += ["def rows():", "    from . import base", "    return base"]
    (root / "meadow.py").write_text("\n".join(lines))
    for name in ("base", "types_alone", "stranger"):
        (root / f"{name}.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return root


def digests(builder: str) -> dict[str, str]:
    code_digest.digests.cache_clear()
    return code_digest.digests(builder)


def test_the_code_of_a_build_is_what_it_imports(house: Path) -> None:
    name = "house_of_code.builders.meadow"
    first = digests(name)
    assert {n for n in first if n.startswith("house")} == {
        "house_of_code", "house_of_code.builders", name, "house_of_code.builders.base"
    }  # fmt: skip
    for other in ("types_alone", "stranger"):
        (house / f"{other}.py").write_text("A = 2\n")
    assert digests(name) == first
    (house / "base.py").write_text("A = 2\n")
    changed = {n for n, _ in digests(name).items() ^ first.items()}
    assert changed == {"house_of_code.builders.base"}


def test_the_engine_is_all_that_makes_bytes_and_nothing_else() -> None:
    engine = {name.removeprefix("edge_glass.") for name in digests("edge_glass.builders.clotho")}
    for name in ("media.audio", "media.images", "sources.tars", "sources.web", "core.atomic_files",
                 "core.columns", "core.ledger", "corpora.params", "corpora.rows",
                 "core.key_digests",
                 "corpora.selection", "pipeline.shard_plan", "builders.clotho"):  # fmt: skip
        assert name in engine
    for room in ("core", "media", "sources", "corpora"):  # whole, whatever is imported of them
        files = (ROOT / "edge_glass" / room).rglob("[!_]*.py")
        parts = [path.relative_to(ROOT / "edge_glass").with_suffix("").parts for path in files]
        assert {".".join(names) for names in parts} < engine
    assert not {"builder", "builders.valor", "pipeline.build"} & engine
    rooms = {name.partition(".")[0] for name in engine}
    assert not {"cli", "release", "audit", "search", "train", "vectors", "domains"} & rooms
    classes = digests("edge_glass.builders.laionet").keys()
    assert {"data/classes.tsv", "edge_glass.domains.imagenet.classes"} <= classes
    read = {name for name in (*engine, *classes) if "resources.files(" in source_of(name)}
    assert {name.removeprefix("edge_glass.") for name in read} == {
        "core.spec",
        "domains.imagenet.classes",
    }  # fmt: skip, and what they read is among it


def source_of(name: str) -> str:
    path = ROOT / "edge_glass" / f"{name.removeprefix('edge_glass.').replace('.', '/')}.py"
    return path.read_text() if path.is_file() else ""


# what cannot change bytes: it moves, shows, locks or checks them, or (torch) makes tables whose own
# records name it
NO_BYTES = {
    "typing_extensions",
    "aiohttp",
    "filelock",
    "huggingface_hub",
    "imageio_ffmpeg",
    "indexed_gzip",
    "jinja2",
    "multidict",
}
NO_BYTES |= {
    "markupsafe",
    "protego",
    "psutil",
    "py7zr",
    "pydantic",
    "pydantic_core",
    "ray",
    "rich",
    "upath",
    "uvloop",
    "yaml",
}
NO_BYTES |= {"yarl", "yt_dlp", "ahocorasick_rs", "torch", "edge_glass"}
NAMED = {"PIL": "pillow", "av": "pyav", "soundfile": "libsndfile"}


def test_a_manifest_names_every_library_that_makes_bytes() -> None:
    configs = map(catalog.variant, catalog.samples())
    named = {name for config in configs for name in made_with(config)}
    chosen = catalog.variant("clotho_sample", {"licences": ["commercial"]})
    assert made_with(chosen) - named == {"packaging"}
    named |= {"packaging"}
    builders = {catalog.corpus(corpus).__module__ for corpus in catalog.corpora()}
    for module in set().union(*map(code_digest.digests, builders)):
        for library in imported(module) - sys.stdlib_module_names - NO_BYTES:
            assert NAMED.get(library, library) in named, f"{module} imports {library}"


def made_with(config: catalog.Variant) -> set[str]:
    return set(build_inputs._libraries(config.builder()))


def imported(module: str) -> set[str]:
    if "/" in module:
        return set()
    tree = ast.parse(code_digest._path(module).read_bytes())
    names = set()
    for node in code_digest._running(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_what_builds_nothing_hashes_no_code(
    in_pieces: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(builder: str) -> dict[str, str]:
        raise AssertionError(builder)

    monkeypatch.setattr(code_digest, "digests", never)
    for words in (
        ("list",),
        ("info", "clotho"),
        ("plan", "clotho_sample"),
        ("verify", in_pieces),
    ):
        assert cli(*words).code == 0


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A copy of the engine that a test may change."""
    for name in ("builders", "cards", "configs", "samples"):
        shutil.copytree(ROOT / name, tmp_path / "code" / "edge_glass" / name)
    shutil.copytree(ROOT / "edge_glass", tmp_path / "code" / "edge_glass", dirs_exist_ok=True)
    return tmp_path / "code" / "edge_glass"


SCRIPT = """
import sys
from pathlib import Path
from edge_glass.core import progress
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from rich.console import Console
options = Options(rebuild="rebuild" in sys.argv)
build(catalog.variant("clotho_sample"), Path(), options, progress.Shown(Console(width=999)))
"""


def build_with(engine: Path, out: Path, *flags: str) -> tuple[int, str]:
    """Exit code of a build by a process of that code, and what it says."""
    env = {**os.environ, "PYTHONPATH": str(engine.parent)}
    line = [sys.executable, "-c", SCRIPT, *flags]
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False, cwd=out)
    return done.returncode, done.stdout + done.stderr


def test_a_build_is_current_only_if_the_code_is(engine: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert build_with(engine, out) == (0, "")
    before = files(out / "clotho_sample")
    with (engine / "media" / "audio.py").open("a") as file:
        file.write("# changed\n")
    code, said = build_with(engine, out)
    assert (code, files(out / "clotho_sample")) == (0, before)
    assert "made by other code (edge_glass.media.audio) and stays" in said and "--rebuild" in said
    flip(out / "clotho_sample" / "ledger.parquet")
    code, said = build_with(engine, out)
    assert code == 1 and "edge_glass.core.errors." in said and "--keep" in said
    assert build_with(engine, out, "rebuild") == (0, "")
    after = files(out / "clotho_sample")
    assert {name for name in after if after[name] != before[name]} == {"manifest.json"}
