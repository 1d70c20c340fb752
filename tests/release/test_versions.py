"""Versions on the Hub, read in place: compared, and built again."""

from pathlib import Path

import pytest
from hub import Hub
from kit import HORSE, HORSE_FILE, Cli, build_clotho, encoded, tones
from releases import REPO, push

from edge_glass.core import manifest

STILL = {"splits": ["train", "test"]}


@pytest.fixture
def published(hub: Hub, clotho: Path, tmp_path: Path) -> Path:
    """Version 1.0.0 of Clotho's test and training splits, and the folder it was built in."""
    folder = build_clotho(clotho, tmp_path / "published", **STILL)
    push(hub, folder.parent, "1.0.0", "clotho_test")
    return folder


def test_two_versions_are_compared_in_place(
    hub: Hub, clotho: Path, published: Path, tmp_path: Path, cli: Cli
) -> None:
    (clotho / HORSE_FILE).write_bytes(encoded(tones(1.7, 44100, 440), 44100))
    folder = build_clotho(clotho, tmp_path / "next", **STILL)
    push(hub, folder.parent, "1.1.0", "clotho_test")
    same = cli("diff", f"{REPO}@1.0.0", published)
    assert (same.code, same.out) == (0, "clotho_test: byte-identical\n")
    hub.reset_log()
    changed = cli("diff", f"hf://datasets/{REPO}@v1.0.0", f"{REPO}@1.1.0", "--json")
    (found,) = changed.json
    assert changed.code == 1
    assert found["ids"]["changed audio"] == [HORSE]
    shards = manifest.read(folder).splits["test"].shards
    assert not any(shard.file in request.path for request in hub.log for shard in shards)


def test_a_version_is_reproduced(
    hub: Hub, clotho: Path, published: Path, tmp_path: Path, cli: Cli
) -> None:
    again = ("reproduce", REPO, "1.0.0", "--raw", clotho, "--out")
    done = cli(*again, tmp_path / "again", "--jobs", 1)
    assert (done.code, done.out) == (0, "clotho_test: byte-identical\n"), done.err
    (clotho / HORSE_FILE).unlink()
    done = cli(*again, tmp_path / "later", "--json")
    (found,) = done.json
    assert done.code == 1
    assert found["ids"] == {"removed": [HORSE], "kept -> missing_media": [HORSE]}
    assert found["outcomes"]["missing_media"] == [0, 1]


def test_what_is_not_there(hub: Hub, published: Path, cli: Cli) -> None:
    for words in (("diff", published, f"{REPO}@9.0.0"), ("reproduce", "org/nothing", "1.0.0")):
        done = cli(*words)
        assert done.code == 1
        assert done.err.startswith("error: org/") and "hf auth login" in done.err
    assert "no config clotho_48k; there are clotho_test" in (
        cli("reproduce", REPO, "1.0.0", "--config", "clotho_48k").err
    )
