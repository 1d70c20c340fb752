"""A Hub and a line that fail on the way: the push completes, or the next one does."""

from pathlib import Path
from typing import Any

import pytest
from hub import Fault, Hub, Request
from kit import Cli
from releases import (
    README,
    REPO,
    api,
    assert_released,
    command,
    commit,
    names,
    push,
    sent,
    tags,
)

from edge_glass.core.errors import EdgeGlassError

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


def pushed_before(hub: Hub, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's commit comes in before the first request for `path`."""
    ordinary, others = hub.next_fault, iter([{"README.md": README.encode()}])

    def meanwhile(request: Request) -> Fault:
        if path in request.path and (files := next(others, None)):
            commit(hub, files)
        return ordinary(request)

    monkeypatch.setattr(hub, "next_fault", meanwhile)


def test_the_tag_is_of_what_was_pushed_whatever_came_after_it(
    hub: Hub, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed_before(hub, "/tag/", monkeypatch)
    done = push(hub, built)
    refs = hub.store.repos[REPO].refs
    assert refs["refs/tags/v1.0.0"] == done.commit != refs["refs/heads/main"]


def test_somebody_who_pushes_meanwhile(
    hub: Hub, built: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    api(hub).create_repo(REPO, repo_type="dataset")
    pushed_before(hub, "/commit/", monkeypatch)
    done = cli(*command("--from", built))
    assert done.code == 1
    assert "412" in done.err
    assert "Someone else pushed meanwhile" in done.err
    assert tags(hub) == set()
    assert cli(*command("--from", built)).code == 0
    assert_released(hub, built)
    assert "By hand." in hub.read(REPO, "README.md").decode()
