"""An argument that would do nothing is an error in Python, as on the command line."""

from pathlib import Path

import pytest
from kit import ROOT, Cli
from releases import SAMPLE

import edge_glass
from edge_glass.core.errors import ConfigError
from edge_glass.sources.row_fetch import Limits, Network

URL = "http://127.0.0.1:9"
IN_PYTHON: list[tuple[str, dict[str, object]]] = [  # the last argument of each would do nothing
    (SAMPLE, {"mirror": URL}),
    (SAMPLE, {"raw": "samples/clotho"}),
    (SAMPLE, {"unverified": True}),
    (SAMPLE, {"retry_failed": True}),
    (SAMPLE, {"network.proxy": Network(proxy=URL)}),
    (SAMPLE, {"network.beside_raw": Network(beside_raw=True)}),
    (SAMPLE, {"network.web": Network(web=Limits(intranet=True))}),
    ("clotho", {"raw": "samples/clotho", "mirror": URL}),
    ("cc3m_sample", {"refresh": "BUILT", "retry_failed": True}),
    ("musiccaps", {"raw": "samples/musiccaps", "network.cookies": Network(Path("README.md"))}),
]


@pytest.mark.parametrize(("config", "given"), IN_PYTHON)
def test_an_argument_that_would_do_nothing_is_an_error_in_python(
    config: str, given: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    named = {name.partition(".")[0]: value for name, value in given.items()}
    with pytest.raises(ConfigError, match=f"{[*given][-1]}: .*; leave it out"):
        edge_glass.build(config, tmp_path / "out", **named)
    assert not (tmp_path / "out").exists()


def test_arguments_of_a_plan_that_would_do_nothing_are_errors_in_python() -> None:
    with pytest.raises(ConfigError, match="raw: bundled files are read"):
        edge_glass.plan(SAMPLE, raw=ROOT / "samples")
    with pytest.raises(ConfigError, match="limit: no rows are here"):
        edge_glass.plan("clotho", limit=5)


def test_an_empty_argument_is_an_error(cli: Cli) -> None:
    for words in (["--out", ""], ["--out="], ["--raw", ""]):
        assert "an argument is empty" in cli("build", SAMPLE, *words).err
    for call in (edge_glass.build, edge_glass.plan):
        with pytest.raises(ConfigError, match="a folder's name is empty"):
            call(SAMPLE, "")
