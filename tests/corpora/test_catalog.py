"""Finding corpora and naming variants."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit import ROOT, Cli
from otherlab import BIRDS_YAML, other_package

from edge_glass.cli.main import main
from edge_glass.core import spec
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import Spec
from edge_glass.corpora import catalog

TALKS = """\
title: Talks
version: 1.0.0
licence: x
licence_tag: other
sources: {data: {}}
layout: table
columns:
  said: {role: text, key: text}
configs: {talks: {}}
"""


def test_someone_elses_corpus_is_built_like_ours(tmp_path: Path) -> None:
    site = other_package(tmp_path / "site")
    run = [sys.executable, "-m", "edge_glass"]
    kwargs = {
        "env": {"PYTHONPATH": str(site), "HOME": str(tmp_path)},
        "cwd": tmp_path,
        "text": True,
    }
    listed = subprocess.run([*run, "list", "--json"], capture_output=True, check=True, **kwargs)
    assert '"birds_sample"' in listed.stdout and '"clotho"' in listed.stdout
    subprocess.run([*run, "build", "birds_sample", "--out", "out"], check=True, **kwargs)
    subprocess.run([*run, "verify", "out"], check=True, **kwargs)
    assert "what they sing" in (tmp_path / "out" / "README.md").read_text()


def test_a_variant_is_named_by_what_is_set() -> None:
    made = catalog.variant("clotho_16k", {"subset": 500, "splits": ["train", "test"]})
    assert made.name == "clotho_16k-subset-500-splits-train-test"
    assert made.corpus == "clotho"
    assert catalog.variant("clotho", {"subset": 0.5}, "half").name == "half"


@pytest.mark.parametrize(
    ("base", "overrides", "name", "message"),
    [
        ("cloto", {}, None, "no config cloto: did you mean clotho"),
        ("clotho", {"subset": 5}, "clotho_16k", "is a published config"),
        ("clotho", {"subset": 5}, "../x", "no config name"),
        ("clotho", {"subset": 5}, ".hidden", "no config name"),
    ],
)
def test_refused(base: str, overrides: dict, name: str | None, message: str) -> None:
    with pytest.raises(EdgeGlassError, match=message):
        catalog.variant(base, overrides, name)


def test_settings_are_yaml() -> None:
    found = catalog.parse_overrides(["a=1", "b=[x, y]", "c=null", "d = a=b"])
    assert found == {"a": 1, "b": ["x", "y"], "c": None, "d": "a=b"}
    for bad in ("a", "a=[", "="):
        with pytest.raises(EdgeGlassError, match=r"NAME=VALUE|no YAML value"):
            catalog.parse_overrides([bad])


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'datasets', 'torch', 'pyarrow', 'aiohttp', 'numpy', 'pydantic'}"
    code = f"import sys, edge_glass; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_is_never_needed(tmp_path: Path) -> None:
    code = """
import sys
from edge_glass.cli.main import main
media = ["clotho_sample", "pixmo_cap_sample", "valor_video_sample"]
try: main(["build", *media, "--out", sys.argv[1]])
except SystemExit as end: assert not end.code
import edge_glass
row = edge_glass.load("clotho_sample", repo=sys.argv[1], split="train")[0]
assert row["audio"]["array"].dtype == "float32"
assert not {"torch", "torchcodec"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "configs").glob("*.yaml"))])
def test_expected_counts_say_who_counted(name: str) -> None:
    lines = (ROOT / "configs" / f"{name}.yaml").read_text().splitlines()
    said = [lines[at - 1].startswith("# ") for at, line in enumerate(lines) if line == "expected:"]
    assert all(said), f"{name}: whose counts are these?"


def test_a_package_without_init_is_passed_over_in_plain_words(tmp_path: Path) -> None:
    site = other_package(tmp_path / "site")
    (site / "lab/configs/__init__.py").unlink()
    run = [sys.executable, "-m", "edge_glass", "list", "--json"]
    env = {"PYTHONPATH": str(site), "HOME": str(tmp_path)}
    listed = subprocess.run(run, capture_output=True, check=True, env=env, text=True)
    assert "put an empty __init__.py into lab/configs" in " ".join(listed.stderr.split())
    assert '"clotho"' in listed.stdout


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("builders/birds.py", "def (:", "birds: passed over, it cannot be read: its builder"),
        ("builders/birds.py", "", "no class in it that inherits from Corpus"),
        ("configs/birds.yaml", None, "no configs/*.yaml is installed: name it in package-data"),
        ("configs/__init__.py", "raise SystemExit(3)", "SystemExit(3)"),
    ],
)
def test_what_another_package_lacks_costs_nobody_else_a_sample(
    file: str, text: str | None, told: str, lab: Path
) -> None:
    path = lab / file
    path.unlink() if text is None else path.write_text(text)
    with pytest.warns(UserWarning, match=f"lab.*{re.escape(told)}"):
        found = catalog.samples()
    assert found == [f"{name}_sample" for name in catalog.corpora() if name != "birds"]


BROKEN = [  # file of the package, what is in it, the config that is named, and what is said
    ("builders/birds.py", "x = 1\n\ndef (:", "birds.py:3: SyntaxError"),
    ("builders/birds.py", "import json\nimport nothing_there\n", "birds.py:2: ModuleNotFoundError"),
    ("builders/birds.py", "\n\n\n1 / 0\n", "birds.py:4: ZeroDivisionError"),
    ("builders/birds.py", "raise SystemExit(3)", "birds.py:1: SystemExit: 3"),
    ("builders/birds.py", None, "No module named 'lab.builders.birds'"),
    ("builders/__init__.py", None, "put an empty __init__.py into lab/builders"),
    ("configs/birds.yaml", BIRDS_YAML.partition("configs:")[0], "birds.yaml:1: configs: Field"),
    ("configs/birds.yaml", BIRDS_YAML.replace("title: Birds", ""), "birds.yaml:2: title: Field"),
    ("configs/birds.yaml", BIRDS_YAML + "x: [", "birds.yaml: not YAML"),
    ("samples/__init__.py", None, "put an empty __init__.py into lab/samples"),
]


@pytest.mark.filterwarnings("ignore:lab")  # a file that cannot be read is passed over first
@pytest.mark.parametrize(("file", "text", "told"), BROKEN)
def test_a_broken_corpus_that_is_named_is_one_error(
    file: str, text: str | None, told: str, lab: Path, here: Path, cli: Cli
) -> None:
    path = lab / file
    path.unlink() if text is None else path.write_text(text)
    (here / "birds_sample").mkdir()  # is no data to be built instead
    done = cli("build", "birds_sample", "--out", here)
    error = " ".join(done.err.partition("error: ")[2].split())
    assert done.code == 1 and "lab" in error and told in error, done.err


def test_a_package_without_its_samples_says_so(lab: Path, here: Path, cli: Cli) -> None:
    shutil.rmtree(lab / "samples" / "birds")
    done = cli("build", "birds_sample")
    assert done.code == 1 and "its package is installed without its data" in done.err


def test_a_corpus_without_a_sample_is_none_of_the_samples(lab: Path) -> None:
    """Of one that a YAML alone describes it may be left out."""
    (lab / "configs" / "talks.yaml").write_text(TALKS)
    assert {"talks", "birds"} <= catalog.corpora().keys()
    assert {f"{name}_sample" for name in catalog.corpora()} - {*catalog.samples()} == {
        "talks_sample"
    }


def test_a_table_that_is_not_in_chunks_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "captions.csv").write_text("file,caption\n1.jpg,a tench\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["match", "captions.csv", "--out", "matched"])
    assert "give the folder of its chunks by --raw" in capsys.readouterr().err
    assert not (tmp_path / "matched").exists()


def test_a_config_is_looked_for_in_the_yaml_of_its_corpus_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = list[str]()

    def of_package(package: str, name: str) -> Spec:
        read.append(name)
        return spec.of_package(package, name)

    monkeypatch.setattr(catalog, "of_package", of_package)
    assert catalog.is_our_sample("clotho_sample")
    assert not catalog.is_our_sample("clotho_16k")
    assert {*read} == {"clotho"}
    assert catalog.owner("clotho_9k") is None
    assert catalog.owner("clothos") is None
