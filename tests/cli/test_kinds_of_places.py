"""Each verb that reads a dataset takes it in all its forms, or says in a line why it does not."""

from pathlib import Path

import pytest
from hub import Fault, Hub
from kit import Cli, rows
from releases import REPO, SAMPLE, push

import edge_glass as eg

PLACES = {
    "folder": "{folder}",
    "name": REPO,
    "version": f"{REPO}@1.0.0",
    "address": f"hf://datasets/{REPO}",
    "address and version": f"hf://datasets/{REPO}@v1.0.0",
}
READ = {
    "ledger": "ledger {place}",
    "verify": "verify {place}",
    "diff": "diff {place} {folder}",
    "why": "why {place} {id}",
    "audit": "audit {place} --check short_caption --out {out}",
    "export as a table": "export {place} --out {out}/tsv --format tsv",
    "export as tars": "export {place} --out {out}/tars",
    "export as files": "export {place} --out {out}/files --format files",
    "page": f"page {{place}} --out {{out}}/page --config {SAMPLE}",
    "history": "history {place}",
    "report": "report {place}",
    "embed": "embed {place} --encoder none:none --columns audio",
    "index": "index {place}",
    "search": "search {place} words",
    "serve": "serve {place}",
    "score": "score {place} --name fit --of a",
}
LOCAL = {"report", "embed", "index", "search", "serve", "score"}


@pytest.fixture
def published(hub: Hub, in_pieces: Path) -> Path:
    """A folder, which is version 1.0.0 of a dataset as well."""
    push(hub, in_pieces, "1.0.0")
    return in_pieces


@pytest.mark.parametrize("place", PLACES)
def test_a_place(place: str, published: Path, tmp_path: Path, cli: Cli) -> None:
    words = {"folder": published, "id": min(rows(published / SAMPLE)), "out": tmp_path / "out"}
    where = PLACES[place].format(**words)
    local = place == "folder"
    for verb, line in READ.items():
        if local and verb in LOCAL:
            continue  # what they do with one has tests of its own
        done = cli(*(word.format(**words, place=where) for word in line.split()))
        told = " ".join(done.err.split())
        if verb in LOCAL:
            assert done.code == 1 and f"{where}: no such folder here" in told, verb
            assert f"hf download {REPO} --repo-type dataset" in told
            assert ("--revision v1.0.0" in told) == ("1.0.0" in where)
        elif verb == "history" and local:
            assert done.code == 1 and "a folder has none" in told
        else:
            assert done.code == 0, (verb, told)


def test_versions_up_to_one(hub: Hub, published: Path) -> None:
    push(hub, published, "1.1.0")
    assert [one.tag for one in eg.history(f"{REPO}@1.0.0")] == ["v1.0.0"]
    assert [one.tag for one in eg.history(f"hf://datasets/{REPO}")] == ["v1.0.0", "v1.1.0"]
    with pytest.raises(eg.HubError, match=r"no version v1.2.0; there are v1.0.0, v1.1.0"):
        eg.history(f"{REPO}@1.2.0")
    hub.fail(Fault("GET", "/refs$", status=500, times=50))
    with pytest.raises(eg.EdgeGlassError, match="Is the name right") as failed:
        eg.history(REPO)
    assert "tagged" not in str(failed.value)  # nothing was to be


@pytest.mark.parametrize("place", PLACES)
def test_rows_are_loaded_from_each(place: str, published: Path) -> None:
    where = PLACES[place].format(folder=published)
    assert len(eg.load(SAMPLE, where, split="test")) == 3
    if "1.0.0" in where:
        with pytest.raises(eg.ConfigError, match="names a version"):
            eg.load(SAMPLE, where, "1.0.0")
