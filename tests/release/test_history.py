"""The versions of a dataset: listed with what each changed, and two of them on a page."""

import shutil
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Hub
from kit import Cli, rows
from releases import REPO, SAMPLE, api, push

import edge_glass as eg
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError


@pytest.fixture
def out(in_pieces: Path, tmp_path: Path) -> Path:
    """Clotho's sample, whose first row was amended and whose second was withdrawn."""
    out = Path(shutil.copytree(in_pieces, tmp_path / "data"))
    id, other = sorted(rows(out / SAMPLE))[:2]
    told = {"id": id, "column": "manufacturer", "value": "<b>Somebody else", "who": "w", "why": "y"}
    pq.write_table(pa.Table.from_pylist([told]), tmp_path / "edits.parquet")
    eg.amend(out, tmp_path / "edits.parquet")
    eg.withdraw(out, ids=[other])
    return out


def test_each_version_says_what_it_changed(hub: Hub, in_pieces: Path, out: Path, cli: Cli) -> None:
    for version in ("1.9.0", "1.10.0-rc1"):
        push(hub, in_pieces, version)
    push(hub, out, "1.10.0")
    hub.reset_log()
    found = eg.history(REPO)
    assert not hub.seen("GET", r"resolve/.*\d-of-\d")
    assert len(hub.seen("GET", "/commits/")) == 1  # the last has the dates of all before it
    assert [version.tag for version in found] == ["v1.9.0", "v1.10.0-rc1", "v1.10.0"]
    commits = {
        c.commit_id: c.created_at for c in api(hub).list_repo_commits(REPO, repo_type="dataset")
    }
    assert [datetime.fromisoformat(version.date) for version in found] == [
        commits[version.commit] for version in found
    ]
    first, again, last = (version.configs[SAMPLE] for version in found)
    shards = len(manifest.read(out / SAMPLE).shards())
    assert (first.rows, first.change, first.new_shards) == (first.rows, first.rows, shards)
    assert (again.change, again.new_shards) == (0, 0)
    assert (last.change, last.withdrawn, last.edits) == (-1, 1, 1) and 1 <= last.new_shards <= 2
    done = cli("history", REPO)
    assert done.code == 0 and "v1.10.0-rc1" in done.out and found[0].date[:10] in done.out
    assert cli("history", REPO, "--json").json[2]["configs"][SAMPLE]["withdrawn"] == 1
    tags = [version.tag for version in found]
    kept, withdrawn = sorted(rows(in_pieces / SAMPLE))[2], sorted(rows(in_pieces / SAMPLE))[1]
    assert [one.versions for one in eg.why(REPO, kept)] == [tags]
    assert [one.versions for one in eg.why(f"{REPO}@1.9.0", withdrawn)] == [tags[:2]]
    assert "v1.10.0-rc1" in cli("why", f"{REPO}@1.9.0", withdrawn).out
    assert not eg.why(in_pieces, kept)[0].versions  # a folder is no version
    with pytest.raises(EdgeGlassError, match="org/nothing"):
        eg.history("org/nothing")


def test_changed_rows_stand_side_by_side(
    in_pieces: Path, out: Path, tmp_path: Path, cli: Cli
) -> None:
    id, other = sorted(rows(in_pieces / SAMPLE))[:2]
    old = rows(in_pieces / SAMPLE)
    done = cli("diff", in_pieces, out, "--page", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert done.code == 1 and len(page.encode()) < 2_000_000
    for words in ("changed manufacturer", "&lt;b&gt;Somebody else", f"before: {other}", "audio"):
        assert words in page
    assert page.index(f"before: {id}") < page.index(f"now: {id}")
    assert old[id]["manufacturer"] in page and "<b>Somebody" not in page
    assert "now: not there" in page
    assert "data:audio/" in page
