"""Releases on the Hub for tests, by the commands and the unmodified client."""

import json
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hub import Fault, Hub, Request
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetCard, HfApi
from kit import ROOT, Cli, build_clotho, client, edit

from edge_glass import manifest, publish
from edge_glass.errors import EdgeGlassError
from edge_glass.publish import Release

REPO = "org/edge-glass"
SAMPLE = "clotho_sample"
LOAD = """if True:
    import datasets, hashlib, json
    def plain(row):
        if "audio" in row:
            row["audio"] = hashlib.sha256(row["audio"]["bytes"]).hexdigest()
        return row
    found = {}
    for config in ("clotho_sample", "clotho_sample_ledger"):
        for streaming in (False, True):
            loaded = datasets.load_dataset(
                "org/edge-glass", config, revision="v1.0.0", streaming=streaming
            )
            for split, rows in loaded.items():
                if "audio" in rows.features:
                    rows = rows.cast_column("audio", datasets.Audio(decode=False))
                found[f"{config} {split} {streaming}"] = [plain(row) for row in rows]
    print(json.dumps(found))
"""
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


# A first release


def test_a_first_release_loads_with_the_plain_client(hub: Hub, built: Path) -> None:
    done = subprocess.run(
        [sys.executable, "upload.py", *map(str, command("--from", built)[1:])],
        cwd=ROOT, env=hub.env(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "Tagged v1.0.0. Load it with" in done.stdout
    assert hub.token not in done.stdout + done.stderr
    assert_released(hub, built)
    found = client(hub, LOAD)
    for split in ("train", "validation", "test"):
        shard = pq.read_table(built / SAMPLE / f"{split}-00000-of-00001.parquet")
        for streaming in (False, True):
            rows = found[f"{SAMPLE} {split} {streaming}"]
            for column in set(shard.column_names) - {"audio"}:
                assert [row[column] for row in rows] == shard[column].to_pylist()
            entries = found[f"{SAMPLE}_ledger ledger {streaming}"]
            hashes = [e["sha256"] for e in entries if e["split"] == split]
            assert [row["audio"] for row in rows] == hashes


def test_edge_glass_push_does_the_same(hub: Hub, built: Path, cli: Cli) -> None:
    done = cli(*command("--from", built, "--json"))
    told = done.json
    assert (told["tag"], told["tagged"], told["repo"]) == ("v1.0.0", True, REPO)
    assert told["commit"] == hub.store.repos[REPO].refs["refs/tags/v1.0.0"]
    assert told["send_bytes"] >= sent(hub) > 0
    assert_released(hub, built)
    order = [r.path.split("/")[-2] for r in hub.seen("POST", "/(commit|tag)/")]
    assert order == ["commit", "tag"]


# The card


def test_what_others_wrote_stays(hub: Hub, built: Path) -> None:
    commit(hub, {"README.md": README.encode(), "mine/train-0.parquet": b"PAR1"})
    push(hub, built)
    text = hub.read(REPO, "README.md").decode()
    assert "# Birds, and more\n\nBy hand.\n" in text
    found = header(hub)
    assert found["license"] == ["cc0-1.0", "other"]
    assert found["tags"] == ["birds"]
    mine, *ours = found["configs"]
    assert mine == {
        "config_name": "mine",
        "data_files": [{"split": "train", "path": "mine/train-*.parquet"}],
    }
    assert [config["config_name"] for config in ours] == [SAMPLE, f"{SAMPLE}_ledger"]
    assert found["dataset_info"][0]["config_name"] == "mine"
    assert "mine/train-0.parquet" in hub.files(REPO)
    commit(hub, {"README.md": (text + "\nMore by hand.\n").encode()})
    push(hub, built, "1.0.1")
    again = hub.read(REPO, "README.md").decode()
    assert again == text + "\nMore by hand.\n"


def test_the_default_is_the_full_config_or_what_it_was(
    hub: Hub, built: Path, clotho: Path, tmp_path: Path
) -> None:
    def defaults() -> list[str]:
        return [c["config_name"] for c in header(hub)["configs"] if c.get("default")]

    push(hub, built)
    assert defaults() == []
    build_clotho(clotho, tmp_path)
    build_clotho(clotho, tmp_path, "clotho_16k")
    push(hub, tmp_path, "1.1.0", "clotho_16k")
    assert defaults() == []
    push(hub, tmp_path, "1.2.0", "clotho")
    assert defaults() == ["clotho"]
    text = hub.read(REPO, "README.md").decode()
    assert {c["config_name"] for c in header(hub)["configs"]} == {
        "clotho", "clotho_ledger", "clotho_16k", "clotho_16k_ledger", SAMPLE, f"{SAMPLE}_ledger"
    }  # fmt: skip
    assert all(f"| {c} | train | 5 |" in text for c in ("clotho", "clotho_16k", SAMPLE))
    chosen = text.replace("  default: true\n", "").replace(
        f"- config_name: {SAMPLE}\n  data_files",
        f"- config_name: {SAMPLE}\n  default: true\n  data_files",
    )
    commit(hub, {"README.md": chosen.encode()})
    push(hub, tmp_path, "1.3.0", "clotho", "clotho_16k")
    assert defaults() == [SAMPLE]


def test_a_card_that_cannot_be_read_is_not_overwritten(hub: Hub, built: Path) -> None:
    api(hub).create_repo(REPO, repo_type="dataset")
    broken = b"---\nconfigs: [\n---\n# Mine\n"
    repo = hub.store.repos[REPO]
    file = {"path": "README.md", "content": b64encode(broken).decode(), "encoding": "base64"}
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": file}]
    hub.store.commit(repo, "main", [json.dumps(line).encode() for line in lines], False)
    with pytest.raises(EdgeGlassError, match=r"README\.md: its header cannot be read"):
        push(hub, built)
    assert hub.read(REPO, "README.md") == broken


# Later releases


def test_shards_of_the_version_before_are_gone(hub: Hub, built: Path, in_pieces: Path) -> None:
    push(hub, in_pieces)
    commit(hub, {f"{SAMPLE}/notes.txt": b"by hand"})
    done = push(hub, built, "2.0.0")
    assert sorted(done.delete) == sorted(
        f"{SAMPLE}/{path.name}" for path in (in_pieces / SAMPLE).glob("*-of-*.parquet")
        if not (built / SAMPLE / path.name).exists()
    )  # fmt: skip
    api(hub).create_commit(
        REPO, [CommitOperationDelete(f"{SAMPLE}/notes.txt")], commit_message="x",
        repo_type="dataset",
    )  # fmt: skip
    assert f"{SAMPLE}/notes.txt" in hub.files(REPO, "v2.0.0")
    assert_released(hub, built, "main")
    assert_released(hub, in_pieces, "v1.0.0")
    with pytest.raises(EdgeGlassError, match=r"version v1\.0\.0 exists and is never overwritten"):
        push(hub, built)
    assert_released(hub, in_pieces, "v1.0.0")


def test_the_same_build_again_sends_nothing(hub: Hub, in_pieces: Path) -> None:
    first = push(hub, in_pieces)
    assert sent(hub) == first.send_bytes - sum(
        hub.files(REPO)[path].size for path in first.send
        if path in hub.files(REPO) and not hub.files(REPO)[path].lfs and path != "README.md"
    )  # fmt: skip
    hub.reset_log()
    second = push(hub, in_pieces, "1.0.1")
    assert (second.send, second.commit) == ([], first.commit)
    assert not hub.seen("PUT", "") and not hub.seen("POST", "/commit/")
    assert tags(hub) == {"v1.0.0", "v1.0.1"}


def test_many_files_come_in_several_commits_the_card_in_the_last(
    hub: Hub, built: Path, in_pieces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "COMMIT_FILES", 3)
    push(hub, built)
    before = hub.read(REPO, "README.md")
    hub.reset_log()
    done = push(hub, in_pieces, "2.0.0")
    assert_released(hub, in_pieces, "v2.0.0")
    count = len(hub.seen("POST", "/commit/"))
    assert count == -(-len(done.send + done.delete) // 3)
    for made in hub.store.repos[REPO].history("main")[:count]:
        if hub.read(REPO, "README.md", made.oid) == before:
            assert names(hub, made.oid) >= names(hub, "v1.0.0")  # nothing is gone
        else:
            assert names(hub, made.oid) >= names(hub, "v2.0.0")  # all of it is there


def test_a_dry_run_writes_nothing(hub: Hub, built: Path, in_pieces: Path, cli: Cli) -> None:
    done = cli(*command("--from", in_pieces, "--dry-run"))
    assert done.code == 0
    assert f"  send {SAMPLE}/ledger.parquet\n" in done.out
    assert REPO not in hub.store.repos
    push(hub, in_pieces)
    hub.reset_log()
    done = cli(*command("--from", built, "--dry-run", "--version", "2.0.0"))
    assert "  delete clotho_sample/train-0000" in done.out
    assert {request.method for request in hub.log} <= {"GET", "HEAD"}


def test_private(hub: Hub, built: Path) -> None:
    push(hub, built, private=True)
    assert hub.store.repos[REPO].private
    push(hub, built, "1.0.1", private=True)
    hub.store.repos[REPO].private = False
    with pytest.raises(EdgeGlassError, match="exists and is public"):
        push(hub, built, "1.0.2", private=True)


@pytest.mark.parametrize("files", [100, 3])
def test_a_pull_request_is_tagged_once_it_is_merged(
    files: int, hub: Hub, in_pieces: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "COMMIT_FILES", files)
    arguments = command("--from", in_pieces)
    done = cli(*arguments, "--pr")
    assert done.code == 0
    assert f"Opened {hub.url}/datasets/{REPO}/discussions/1. Nothing is tagged" in done.out
    repo = hub.store.repos[REPO]
    assert [ref for ref in repo.refs if "pr" in ref] == ["refs/pr/1"]
    assert (tags(hub), names(hub)) == (set(), set())
    repo.refs["refs/heads/main"] = repo.refs["refs/pr/1"]  # merged
    hub.reset_log()
    assert "merged already" in cli(*arguments, "--pr").out
    done = cli(*arguments)
    assert done.code == 0 and "Tagged v1.0.0" in done.out
    assert not hub.seen("PUT", "") and not hub.seen("POST", "/commit/")
    assert_released(hub, in_pieces)


# What goes wrong on the way

PHASES = [
    ("GET", "/refs$"),
    ("POST", "/api/repos/create"),
    ("GET", f"/api/datasets/{REPO}(/revision/|$)"),
    ("POST", "/validate-yaml"),
    ("POST", "/preupload/"),
    ("POST", "/objects/batch"),
    ("PUT", "/lfs/"),
    ("POST", "/commit/"),
    ("POST", "/tag/"),
]
LATER = [("GET", "/refs$"), ("GET", "/tree/"), ("GET|HEAD", "/resolve/"), ("POST", "/commit/")]


def until_done(hub: Hub, out: Path, version: str) -> None:
    """Push while something is wrong, and again when it no longer is."""
    try:
        push(hub, out, version)
    except EdgeGlassError as error:
        (told,) = error.problems
        what, advice = told.split("\n")
        assert what.startswith(f"{REPO}: ")
        assert hub.token not in told
        assert "Nothing is tagged. Run the same command again" in advice
        assert f"v{version}" not in tags(hub)
        hub.heal()
        push(hub, out, version)
    assert_released(hub, out, f"v{version}")


@pytest.mark.parametrize(("status", "times"), [(500, 1), (500, 99), (429, 99)])
@pytest.mark.parametrize(("method", "path"), PHASES)
def test_a_hub_that_fails_a_first_release(
    status: int, method: str, path: str, times: int, hub: Hub, built: Path, naps: list[float]
) -> None:
    wait = 7 if status == 429 else None
    hub.fail(Fault(method, path, times=times, status=status, retry_after=wait))
    until_done(hub, built, "1.0.0")
    assert hub.seen(method, path)[0].status == status


@pytest.mark.parametrize(("method", "path"), LATER)
def test_a_hub_that_fails_a_later_release(
    method: str, path: str, hub: Hub, built: Path, in_pieces: Path, naps: list[float]
) -> None:
    push(hub, in_pieces)
    commit(hub, {"README.md": README.encode()})
    hub.reset_log()
    hub.fail(Fault(method, path, times=99, status=500))
    until_done(hub, built, "2.0.0")
    assert hub.seen(method, path)[0].status == 500
    assert "By hand." in hub.read(REPO, "README.md").decode()


@pytest.mark.parametrize("fault", [{"cut": 1000}, {"lost": True}])
@pytest.mark.parametrize(("method", "path"), [*PHASES[-4:], ("GET", "/refs$")])
def test_a_line_that_breaks(
    fault: dict[str, Any], method: str, path: str, hub: Hub, in_pieces: Path, naps: list[float]
) -> None:
    hub.fail(Fault(method, path, times=99, **fault))
    until_done(hub, in_pieces, "1.0.0")


def test_uploads_that_arrived_are_not_sent_again(
    hub: Hub, in_pieces: Path, naps: list[float]
) -> None:
    hub.fail(Fault("PUT", "/lfs/", nth=4, times=99, cut=50_000))
    with pytest.raises(EdgeGlassError, match="Error while uploading"):
        push(hub, in_pieces)
    arrived = {request.path for request in hub.seen("PUT", "") if request.status == 200}
    assert len(arrived) >= 3
    assert names(hub) == set()
    hub.heal()
    hub.reset_log()
    push(hub, in_pieces)
    assert_released(hub, in_pieces)
    assert not arrived & {request.path for request in hub.seen("PUT", "")}
    stored = {blob.sha256: blob.size for blob in hub.files(REPO).values() if blob.lfs}
    assert sent(hub) == sum(n for sha256, n in stored.items() if f"/lfs/{sha256}" not in arrived)


def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub: Hub, built: Path) -> None:
    hub.fail(Fault("POST", "/commit/", lost=True))
    with pytest.raises(EdgeGlassError, match="Nothing is tagged"):
        push(hub, built)
    commits = len(hub.store.repos[REPO].history("main"))
    done = push(hub, built)
    assert (done.send, len(hub.store.repos[REPO].history("main"))) == ([], commits)
    assert_released(hub, built)


def test_a_tag_whose_answer_is_lost_is_there(hub: Hub, built: Path) -> None:
    hub.fail(Fault("POST", "/tag/", lost=True))
    assert push(hub, built).tagged
    assert tags(hub) == {"v1.0.0"}


def test_somebody_who_pushes_meanwhile(
    hub: Hub, built: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    api(hub).create_repo(REPO, repo_type="dataset")
    ordinary, others = hub.next_fault, iter([{"README.md": README.encode()}])

    def meanwhile(request: Request) -> Fault:
        if "/commit/" in request.path and (files := next(others, None)):
            commit(hub, files)
        return ordinary(request)

    monkeypatch.setattr(hub, "next_fault", meanwhile)
    done = cli(*command("--from", built))
    assert done.code == 1
    assert "412" in done.err
    assert "Someone else pushed meanwhile" in done.err
    assert tags(hub) == set()
    assert cli(*command("--from", built)).code == 0
    assert_released(hub, built)
    assert "By hand." in hub.read(REPO, "README.md").decode()


# What is refused before anything is sent


def test_no_token_in_what_is_said(
    hub: Hub, built: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_SecretOfMine")
    done = cli(*command("--from", built))
    assert done.code == 1
    assert "hf_SecretOfMine" not in done.out + done.err
    assert "401" in done.err and "Log in with a token that may write" in done.err
    assert REPO not in hub.store.repos


def flip(folder: Path) -> None:
    path = folder / "train-00000-of-00001.parquet"
    edit(path, lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])


def lose(folder: Path) -> None:
    (folder / "test-00000-of-00001.parquet").unlink()


def cut(folder: Path) -> None:
    made = manifest.read(folder) | {"limit": 3}
    (folder / manifest.FILE).write_text(json.dumps(made))


def empty(folder: Path) -> None:
    made = manifest.read(folder)
    for facts in made["splits"].values():
        facts |= {"rows": 0, "outcomes": {"missing_media": 3}}
    (folder / manifest.FILE).write_text(json.dumps(made))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (flip, "train-00000-of-00001.parquet: sha256 differs from the manifest's: build again"),
        (lose, "test-00000-of-00001.parquet is missing: build again"),
        (cut, "clotho_sample: built with --limit, for a look: build it whole"),
        (empty, "clotho_sample: not one row was kept: see its ledger for why"),
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
        (["--repo", "a/b/c"], "error: a/b/c: HFValidationError: Repo id must be in the form"),
        (["clotho_48k"], "not built: clotho_48k. Run `edge-glass build clotho_48k --out"),
    ],
)
def test_mistakes(arguments: list[str], why: str, hub: Hub, built: Path, cli: Cli) -> None:
    done = cli(*command("--from", built, *arguments))
    assert done.code == 1
    assert why in done.err
    assert not hub.seen("POST|PUT", "")
