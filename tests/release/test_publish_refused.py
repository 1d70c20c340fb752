"""What is not published: builds that are not whole, and mistakes of who asks."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hub import Hub
from kit import Cli, edit
from releases import (
    REPO,
    SAMPLE,
    command,
    push,
)

from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError


def flip(folder: Path) -> None:
    path = folder / "train-00000-of-00001.parquet"
    edit(path, lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])


def lose(folder: Path) -> None:
    (folder / "test-00000-of-00001.parquet").unlink()


def cut(folder: Path) -> None:
    made = manifest.read(folder).plain() | {"limit": 3}
    (folder / manifest.FILE).write_text(json.dumps(made))


def empty(folder: Path) -> None:
    made = manifest.read(folder).plain()
    for facts in made["splits"].values():
        facts |= {"rows": 0, "outcomes": {"missing_media": 3}}
    (folder / manifest.FILE).write_text(json.dumps(made))


def uneven(folder: Path) -> None:
    made = manifest.read(folder).plain()
    made["splits"]["train"]["rows"] -= 1
    (folder / manifest.FILE).write_text(json.dumps(made))


def lacking(folder: Path) -> None:
    """Its shards hold fewer rows than the split is said to."""
    made = manifest.read(folder).plain()
    made["splits"]["train"]["shards"][0]["rows"] -= 1
    (folder / manifest.FILE).write_text(json.dumps(made))


def swollen(folder: Path) -> None:
    """A row more than is kept, though each gives one example."""
    made = manifest.read(folder).plain()
    train = made["splits"]["train"]
    train["rows"] += 1
    train["shards"][0]["rows"] += 1
    (folder / manifest.FILE).write_text(json.dumps(made))


def shorten(folder: Path) -> None:
    """A row that the ledger has and the manifest has not, with a digest that fits."""
    made = manifest.read(folder).plain()
    made["splits"]["train"]["outcomes"]["missing_media"] = 1
    (folder / manifest.FILE).write_text(json.dumps(made))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (flip, "train-00000-of-00001.parquet: sha256 differs from the manifest's: build again"),
        (lose, "test-00000-of-00001.parquet is missing: build again"),
        (cut, "clotho_sample: built with --limit, rows are missing: build it whole"),
        (empty, "clotho_sample: not one row was kept: see its ledger for why"),
        (uneven, "train does not balance: 4 rows are published"),
        (lacking, "train does not balance: 5 rows are published"),
        (swollen, "train does not balance: 6 rows are published"),
        (shorten, "train does not balance: .* its ledger {'kept': 5}: build again"),
        (shutil.rmtree, "nothing is built here"),
    ],
)
def test_builds_that_are_not_whole(
    spoil: Callable[[Path], None], why: str, hub: Hub, built: Path, tmp_path: Path
) -> None:
    shutil.copytree(built / SAMPLE, tmp_path / SAMPLE)
    spoil(tmp_path / SAMPLE)
    with pytest.raises(EdgeGlassError, match=why):
        push(hub, tmp_path)
    assert REPO not in hub.store.repos


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--version", "1.0"], "error: --version 1.0: write it as 1.0.0"),
        (["--version", "01.0.0"], "error: --version 01.0.0: write it as 1.0.0"),
        (["--version", "1.0.\u0661"], "write it as 1.0.0"),
        (["--repo", "a/b/c"], "error: a/b/c: a dataset on the Hub is wanted here, as org/name"),
        (["clotho_48k"], "not built: clotho_48k. Run `edge-glass build clotho_48k --out"),
    ],
)
def test_mistakes(arguments: list[str], why: str, hub: Hub, built: Path, cli: Cli) -> None:
    done = cli(*command("--from", built, *arguments))
    assert done.code == 1
    assert why in done.err
    assert not hub.seen("POST|PUT", "")
