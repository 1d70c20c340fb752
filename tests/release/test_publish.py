"""Releases on the Hub for tests, by the commands and the unmodified client."""

import json
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Hub
from huggingface_hub import CommitOperationDelete, constants
from kit import ROOT, Cli, build_clotho, client, rows
from releases import (
    README,
    REPO,
    SAMPLE,
    api,
    assert_released,
    command,
    commit,
    header,
    names,
    push,
    sent,
    tags,
)

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.release import publish

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


# A first release


def test_the_plots_of_a_config_go_with_its_card(hub: Hub, built: Path) -> None:
    push(hub, built)
    plot = hub.read(REPO, f"plots/{SAMPLE}.png")
    assert plot == (built / "plots" / f"{SAMPLE}.png").read_bytes()
    assert f"](plots/{SAMPLE}.png)" in hub.read(REPO, "README.md").decode()
    again = push(hub, built, "1.0.1")
    assert f"plots/{SAMPLE}.png" not in again.send and tags(hub) >= {"v1.0.0", "v1.0.1"}


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
    assert found["tags"][0] == "birds"
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


def test_a_mark_before_the_header_loses_nobodys_configs(hub: Hub, built: Path) -> None:
    commit(hub, {"README.md": b"\xef\xbb\xbf" + README.encode()})
    push(hub, built)
    configs = [config["config_name"] for config in header(hub)["configs"]]
    assert configs == ["mine", SAMPLE, f"{SAMPLE}_ledger"] and header(hub)["tags"][0] == "birds"


def test_what_is_edited_by_hand_is_kept_or_refused_aloud(hub: Hub, built: Path, cli: Cli) -> None:
    push(hub, built)
    text, cited = (hub.read(REPO, name).decode() for name in ("README.md", "CITATION.cff"))
    commit(hub, {"CITATION.cff": cited.replace("title: ", "title: My ", 1).encode()})
    mine = hub.read(REPO, "CITATION.cff")
    done = cli("push", SAMPLE, "--repo", REPO, "--from", built, "--version", "1.0.1")
    assert done.code == 0 and "CITATION.cff: not as Edge Glass wrote it" in done.out
    assert hub.read(REPO, "CITATION.cff") == mine != cited.encode()
    edited = text.replace("## [", "By hand.\n\n## [", 1)
    commit(hub, {"README.md": edited.encode()})
    with pytest.raises(EdgeGlassError, match="edited by hand"):
        push(hub, built, "1.0.2")
    assert hub.read(REPO, "README.md").decode() == edited
    start = edited.index("<!-- edge-glass")
    end = edited.index("-->", edited.index("<!-- /edge-glass")) + 3
    commit(hub, {"README.md": (edited[:start] + "By hand.\n" + edited[end:]).encode()})
    push(hub, built, "1.0.2")
    assert "By hand.\n" in hub.read(REPO, "README.md").decode()


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


def test_the_same_build_again_sends_no_data(hub: Hub, in_pieces: Path) -> None:
    first = push(hub, in_pieces)
    assert sent(hub) == first.send_bytes - sum(
        hub.files(REPO)[path].size for path in first.send
        if path in hub.files(REPO) and not hub.files(REPO)[path].lfs and "/" in path
    )  # fmt: skip
    hub.reset_log()
    second = push(hub, in_pieces, "1.0.1")
    assert second.send == ["CITATION.cff", "croissant.json"]  # they name the version
    assert not hub.seen("PUT", "")
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
        assert ("sha256 of its manifest" in made.message) == (made.oid == done.commit)


def test_a_shard_that_is_there_under_another_name_is_not_sent(hub: Hub, built: Path) -> None:
    shard = "train-00000-of-00001.parquet"
    commit(hub, {f"other/{shard}": (built / SAMPLE / shard).read_bytes()})
    done = push(hub, built)
    assert f"{SAMPLE}/{shard}" in done.already_there and f"{SAMPLE}/{shard}" not in done.send
    assert_released(hub, built)


def test_what_is_read_is_of_the_commit_that_the_version_stands_on(hub: Hub, built: Path) -> None:
    push(hub, built)
    head = hub.store.repos[REPO].refs["refs/heads/main"]
    hub.reset_log()
    push(hub, built, "1.1.0", "mm_imdb_sample")
    read = [request.path for request in hub.seen("GET|HEAD", "/(tree|resolve)/")]
    assert len(read) > 3 and all(f"/{head}" in path for path in read)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-9], f"{REPO}: other/manifest.json"),
        (lambda data: data, f"other/manifest.json is of {SAMPLE}: mend or delete it"),
    ],
    ids=["cut", "of_another"],
)
def test_a_manifest_there_that_is_not_what_it_should_be_is_named(
    change: Callable[[bytes], bytes], why: str, hub: Hub, built: Path
) -> None:
    made = change((built / SAMPLE / manifest.FILE).read_bytes())
    commit(hub, {f"other/{manifest.FILE}": made, "other/ledger.parquet": b"PAR1"})
    with pytest.raises(EdgeGlassError, match=why):
        push(hub, built)
    assert tags(hub) == set() and names(hub) == set()


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


def test_private(hub: Hub, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.delenv("HF_TOKEN")
        without.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        push(hub, built, private=True, token=hub.token, endpoint=hub.url)
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


def test_a_pull_request_brings_a_page_of_what_changes(
    hub: Hub, in_pieces: Path, tmp_path: Path
) -> None:
    push(hub, in_pieces)
    out = Path(shutil.copytree(in_pieces, tmp_path / "data"))
    id = sorted(rows(out / SAMPLE))[0]
    told = {"id": id, "column": "manufacturer", "value": "Nobody else", "who": "w", "why": "y"}
    pq.write_table(pa.Table.from_pylist([told]), tmp_path / "edits.parquet")
    eg.amend(out, tmp_path / "edits.parquet")
    done = push(hub, out, "1.1.0", pr=True)
    assert publish.REVIEW in done.send and not done.tagged
    page = hub.read(REPO, publish.REVIEW, "refs/pr/1").decode()
    assert len(page) < 2_000_000 and str(tmp_path) not in page
    for words in ("changed manufacturer", "Nobody else", f"{REPO} v1.1.0"):
        assert words in page
    commit = hub.store.repos[REPO].find("refs/pr/1")
    assert publish.REVIEW in commit.message
    hub.store.repos[REPO].refs["refs/heads/main"] = commit.oid  # merged
    done = push(hub, out, "1.1.0")
    assert done.tagged and done.delete == [publish.REVIEW] and not done.send
    assert publish.REVIEW not in hub.files(REPO, "v1.1.0")
    assert_released(hub, out, "v1.1.0")
    assert eg.history(REPO)[-1].configs[SAMPLE].edits == 1


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


def test_other_peoples_manifests_are_no_obstacle(hub: Hub, built: Path) -> None:
    push(hub, built, "1.0.0")
    for path, text in (("notes/manifest.json", "[]"), ("a/b/manifest.json", "no JSON")):
        api(hub).upload_file(
            path_or_fileobj=text.encode(), path_in_repo=path, repo_id=REPO, repo_type="dataset"
        )
    push(hub, built, "1.1.0", "mm_imdb_sample")
    assert {"v1.0.0", "v1.1.0"} <= tags(hub)
