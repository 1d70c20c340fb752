"""Pushing to the Hub for tests, and what must be there afterwards."""

from pathlib import Path
from typing import Any

from hub import Hub
from huggingface_hub import CommitOperationAdd, DatasetCard, HfApi

from edge_glass.release import publish
from edge_glass.release.publish import Release

REPO = "org/edge-glass"
SAMPLE = "clotho_sample"
README = """---
license: cc0-1.0
tags:
- birds
configs:
- config_name: mine
  data_files:
  - split: train
    path: mine/train-*.parquet
dataset_info:
- config_name: mine
  features:
  - name: id
    dtype: string
---
# Birds, and more

By hand.
"""


def command(*more: object) -> list[object]:
    """Arguments of a push."""
    return ["push", SAMPLE, "--repo", REPO, "--version", "1.0.0", *more]


def push(hub: Hub, out: Path, version: str = "1.0.0", *configs: str, **more: Any) -> Release:
    return publish.push(out, [*configs] or [SAMPLE], REPO, version, **more)


def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token)


def commit(hub: Hub, files: dict[str, bytes]) -> None:
    """Somebody else's commit."""
    operations = [CommitOperationAdd(path, data) for path, data in files.items()]
    if REPO not in hub.store.repos:
        api(hub).create_repo(REPO, repo_type="dataset")
    api(hub).create_commit(REPO, operations, commit_message="by hand", repo_type="dataset")


def sent(hub: Hub) -> int:
    """Bytes of all uploads that arrived whole."""
    return sum(request.received for request in hub.seen("PUT", "/lfs/") if request.status == 200)


def tags(hub: Hub) -> set[str]:
    refs = hub.store.repos[REPO].refs if REPO in hub.store.repos else {}
    return {ref.removeprefix("refs/tags/") for ref in refs if ref.startswith("refs/tags/")}


def header(hub: Hub) -> dict[str, Any]:
    return DatasetCard(hub.read(REPO, "README.md").decode()).data.to_dict()


def names(hub: Hub, rev: str = "main") -> set[str]:
    return {path for path in hub.files(REPO, rev) if path.startswith(f"{SAMPLE}/")}


def assert_released(hub: Hub, out: Path, rev: str = "v1.0.0") -> None:
    """The version holds the build, file by file, and a card that lists it."""
    wanted = {f"{SAMPLE}/{path.name}": path.read_bytes() for path in (out / SAMPLE).iterdir()}
    assert names(hub, rev) == wanted.keys()
    assert {path: hub.read(REPO, path, rev) for path in wanted} == wanted
    listed = DatasetCard(hub.read(REPO, "README.md", rev).decode()).data.get("configs")
    assert {SAMPLE, f"{SAMPLE}_ledger"} <= {config["config_name"] for config in listed}
