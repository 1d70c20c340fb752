"""Withdrawn rows go from a dataset's history on the Hub as well."""

import io
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hub import Fault, Hub
from kit import Cli, rows
from releases import REPO, SAMPLE, commit, push, tags

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError


@pytest.fixture
def id(hub: Hub, in_pieces: Path) -> str:
    """The id of a row that two versions hold, and a pull request."""
    push(hub, in_pieces, "1.0.0")
    push(hub, in_pieces, "1.1.0")
    return min(rows(in_pieces / SAMPLE))


def held(hub: Hub, wanted: bytes) -> list[str]:
    """The refs in whose history a file holds these bytes."""
    repo = hub.store.repos[REPO]
    blobs = {
        (ref, blob.sha256)
        for ref in repo.refs
        for commit in repo.history(ref)
        for blob in commit.files.values()
    }
    return sorted({ref for ref, sha in blobs if wanted in hub.store.path(sha).read_bytes()})


def test_a_dry_run_says_what_would_go_and_changes_nothing(
    hub: Hub, in_pieces: Path, id: str, tmp_path: Path, cli: Cli
) -> None:
    refs, gone = dict(hub.store.repos[REPO].refs), tmp_path / "gone.txt"
    gone.write_text(id)
    words = ("withdraw", REPO, "--ids", gone, "--version", "1.2.0", "--purge")
    done = cli(*words, "--dry-run")
    assert done.code == 0, done.err
    assert "v1.0.0: would be gone" in done.out and "v1.1.0: would be gone" in done.out
    assert hub.store.repos[REPO].refs == refs
    assert cli("withdraw", REPO, "--ids", gone, "--purge").code == 1
    planned = cli(*words, "--dry-run", "--json").json
    purged = cli(*words, "--certificate", tmp_path / "papers", "--json").json["purged"]
    assert planned == purged and purged["bytes"] > 100_000


@pytest.mark.parametrize("fault", ["", "/super-squash/", "/tag/", "/lfs-files/batch"])
def test_the_history_goes_too(
    hub: Hub, in_pieces: Path, id: str, tmp_path: Path, fault: str
) -> None:
    assert len(held(hub, id.encode())) == 3
    shards = set(manifest.read(in_pieces / SAMPLE).digests())
    call = {"ids": [id], "version": "1.2.0", "certificate": tmp_path, "purge": True}
    if fault:
        hub.fail(Fault("POST|DELETE", fault, nth=2 if fault == "/tag/" else 1, status=403))
        with pytest.raises(EdgeGlassError):
            eg.withdraw(REPO, **call)
        hub.heal()
    done = eg.withdraw(REPO, **call)
    assert tags(hub) == {"v1.2.0"} and not held(hub, id.encode())
    assert (
        hub.store.repos[REPO].refs["refs/tags/v1.2.0"]
        == (hub.store.repos[REPO].refs["refs/heads/main"])
    )
    assert done.purged and done.purged.tags == ("v1.0.0", "v1.1.0") and not done.earlier_versions
    made = manifest.parse(hub.read(REPO, f"{SAMPLE}/manifest.json", "v1.2.0"), "v1.2.0")
    lost = shards - set(made.digests())
    assert len(lost) == 1 and not any(hub.store.path(sha).exists() for sha in lost)
    assert all(hub.read(REPO, f"{SAMPLE}/{file.file}", "v1.2.0") for file in made.files())


def test_what_is_not_ours_to_delete_is_named(
    hub: Hub, in_pieces: Path, id: str, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(in_pieces, tmp_path / "data"))
    eg.withdraw(out, ids=[sorted(rows(out / SAMPLE))[1]])
    push(hub, out, "1.1.1", pr=True)
    done = eg.withdraw(REPO, ids=[id], version="1.2.0", certificate=tmp_path / "c", purge=True)
    assert done.purged and done.purged.left == ("refs/pr/1",)


def test_a_purge_of_what_was_withdrawn_before_goes_with_its_version(
    hub: Hub, in_pieces: Path, id: str, tmp_path: Path, cli: Cli
) -> None:
    call = {"ids": [id], "certificate": tmp_path}
    eg.withdraw(REPO, **call, version="1.2.0")
    (tmp_path / "gone.txt").write_text(id)
    words = ("withdraw", REPO, "--ids", tmp_path / "gone.txt", "--version", "1.3.0", "--purge")
    done = cli(*words, "--dry-run")
    assert done.code == 1 and "the --version that withdrew them" in done.err
    with pytest.raises(EdgeGlassError, match="the --version that withdrew them"):
        eg.withdraw(REPO, **call, version="1.3.0", purge=True)
    assert tags(hub) == {"v1.0.0", "v1.1.0", "v1.2.0"} and "`edge-glass purge`" in done.err
    assert eg.withdraw(REPO, **call, version="1.2.0", purge=True).purged
    assert tags(hub) == {"v1.2.0"}


@pytest.mark.parametrize("fault", ["", "/super-squash/", "/tag/"])
def test_what_an_earlier_version_withdrew_is_purged_later(
    hub: Hub, in_pieces: Path, id: str, tmp_path: Path, cli: Cli, fault: str
) -> None:
    assert "no row was withdrawn from v1.1.0" in cli("purge", REPO).err
    eg.withdraw(REPO, ids=[id], certificate=tmp_path, version="1.2.0")
    eg.withdraw(REPO, ids=[rows_left(hub)], certificate=tmp_path, version="1.3.0")
    done = cli("purge", REPO, "--dry-run")
    assert done.code == 0 and "v1.2.0: would be gone" in done.out
    assert cli("purge", REPO, "--dry-run", "--json").json["tags"] == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert tags(hub) == {"v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"}
    if fault:
        hub.fail(Fault("POST|DELETE", fault, nth=1, status=403))
        assert cli("purge", REPO).code == 1
        hub.heal()
    done = cli("purge", REPO)
    assert done.code == 0 and "v1.0.0: is gone" in done.out, done.err
    assert tags(hub) == {"v1.3.0"} and not held(hub, id.encode())
    commit(hub, {"notes.txt": b"by hand"})
    assert "push that as a version first" in cli("purge", REPO).err


def rows_left(hub: Hub) -> str:
    """The id of a row of the last version."""
    table = pq.read_table(io.BytesIO(hub.read(REPO, f"{SAMPLE}/ledger.parquet", "v1.2.0")))
    kept = table.filter(pc.equal(table["outcome"], "kept"))
    return str(min(kept["id"].to_pylist()))
