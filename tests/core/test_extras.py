"""The command that an error names is the one that works where the package is installed."""

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from edge_glass.core import extras
from edge_glass.core.errors import EdgeGlassError
from edge_glass.train import loader
from edge_glass.vectors import models

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh() -> None:
    extras._clone.cache_clear()


def test_a_clone_is_installed_from_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert extras.command("audit") == "pip install -e '.[audit]'"
    monkeypatch.chdir("/")
    assert extras.command("audit") == f"pip install -e '{ROOT}[audit]'"


def test_what_pip_installed_comes_from_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "edge_glass-9.dist-info"
    record.mkdir()
    monkeypatch.setattr(extras, "distributions", lambda name: [Distribution.at(record)])
    with pytest.raises(EdgeGlassError, match=r"pip install 'edge-glass\[audit\]'"):
        extras.needs("An audit", "audit", "no_such_library")
    extras.needs("An audit", "audit", "json")


def test_torch_is_wanted_before_a_model_is_fetched(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(EdgeGlassError, match=r"clap-htsat-unfused needs torch, .*\[encoders\]"):
        models.locate("clap")
    with pytest.raises(EdgeGlassError, match="A DataLoader needs torch"):
        loader(built / "clotho_sample").torch()
