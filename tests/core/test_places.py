"""Builds are read where they lie: a folder, a version on the Hub, a URL."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hub import Hub
from huggingface_hub import constants
from kit import Cli
from releases import REPO, SAMPLE, api, push

from edge_glass.audit.verify import verify
from edge_glass.core import locations, manifest
from edge_glass.core.errors import NetworkError
from edge_glass.train import loader


def test_what_a_place_may_be(tmp_path: Path) -> None:
    assert locations.at(tmp_path) == tmp_path
    assert locations.at("a/b/c") == Path("a/b/c")
    assert str(locations.at("org/name@1.0.0")) == "hf://datasets/org/name@v1.0.0"
    assert str(locations.at("org/name@main")) == "hf://datasets/org/name@main"
    assert str(locations.at("hf://datasets/org/name/clotho")) == "hf://datasets/org/name/clotho"


def test_a_version_on_the_hub_is_verified_without_being_kept(
    hub: Hub, in_pieces: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(hub, in_pieces)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    hub.reset_log()
    done = cli("verify", f"{REPO}@1.0.0")
    assert done.code == 0 and f"{SAMPLE}: 0 errors" in done.out
    assert {asked.status for asked in hub.seen("GET", "-of-")} == {206}  # shards come in ranges
    kept = [Path(folder, name) for folder, _, names in os.walk(tmp_path) for name in names]
    assert not [path for path in kept if path.suffix == ".parquet"]
    assert list(verify(locations.at(f"hf://datasets/{REPO}@v1.0.0/{SAMPLE}"))) == []


def test_what_is_wrong_on_the_hub_is_found(hub: Hub, in_pieces: Path, cli: Cli) -> None:
    push(hub, in_pieces)
    made = manifest.read(in_pieces / SAMPLE)
    file = made.splits["train"].shards[0].file
    data = bytearray((in_pieces / SAMPLE / file).read_bytes())
    data[2000] ^= 1
    api(hub).upload_file(
        path_or_fileobj=bytes(data), path_in_repo=f"{SAMPLE}/{file}", repo_id=REPO,
        repo_type="dataset",
    )  # fmt: skip
    done = cli("verify", REPO, "--json")
    assert done.code == 1
    [found] = json.loads(done.out)
    assert found["where"] == file and hashlib.sha256(data).hexdigest() in found["what"]
    assert cli("verify", f"{REPO}@1.0.0").code == 0


def test_places_that_are_not_there(hub: Hub, cli: Cli, tmp_path: Path) -> None:
    done = cli("verify", "org/nothing@1.0.0")
    assert done.code == 1 and "org/nothing@v1.0.0: no such folder here; on the Hub" in done.err
    assert cli("verify", tmp_path).code == 1
    assert "Unsupported" in cli("verify", "nosuch://x/y").err


def test_a_folder_that_is_not_there_and_no_network_are_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NetworkError, match=r"^data/clotho: no such folder here; on the Hub: "):
        loader("data/clotho")
