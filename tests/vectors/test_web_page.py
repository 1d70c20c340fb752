"""The files of a page without a server, and what may lie where they go; a browser is not asked."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pyarrow.parquet as pq
import pytest
import searchkit
from hub import Hub
from kit import Cli
from releases import REPO, SAMPLE

import edge_glass as eg
from edge_glass.release import publish

INDEX = {"0.lists", "0.codes", "0.vectors", "0.near"}


def records(site: Path) -> list[dict[str, Any]]:
    """What a browser reads of each row."""
    ends, data = np.fromfile(site / "places", "<u8"), (site / "rows").read_bytes()
    parts = [data[a:b] for a, b in pairwise(ends)]
    return [json.loads(part[4 : 4 + int.from_bytes(part[:4], "little")]) for part in parts]


def sounds(folder: Path) -> list[bytes]:
    tables = [pq.read_table(path, columns=["audio"]) for path in folder.glob("*-of-*.parquet")]
    return [row["audio"]["bytes"] for table in tables for row in table.to_pylist()]


def test_media_are_ranges_of_the_shards(cli: Cli, built: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    said = cli("page", built, "--config", SAMPLE, "--out", site)
    assert (said.code, "opened as a file it is empty" in said.err) == (0, True)
    told = json.loads((site / "site.json").read_text())
    assert (site / told["data"]).resolve() == (built / SAMPLE).resolve()
    found = []
    for row in records(site):
        [(column, kind, shard, start, size)] = row["media"]
        assert (column, kind) == ("audio", "audio/wav")
        path = site / told["data"] / told["shards"][shard]
        found.append(path.read_bytes()[start : start + size])
    assert sorted(found) == sorted(sounds(built / SAMPLE)) and len(found) == told["rows"]
    assert told["columns"] == [] and (site / "report.html").is_file()


def test_from_python_it_is_the_page_of_the_command(cli: Cli, built: Path, tmp_path: Path) -> None:
    page = eg.page(built, tmp_path / "ours", SAMPLE, data="/shards", progress=False)
    cli("page", built, "--config", SAMPLE, "--out", tmp_path / "theirs", "--data", "/shards")
    written = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    assert page.name in written
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == written


def test_of_a_version_on_the_hub(cli: Cli, hub: Hub, built: Path, tmp_path: Path) -> None:
    publish.push(built, [SAMPLE], REPO, "1.0.0")
    site = tmp_path / "site"
    assert cli("page", f"{REPO}@1.0.0", "--out", site).code == 0  # of the one config that is there
    other = cli("page", f"{REPO}@1.0.0", "--config", "other", "--out", site)
    assert f"{REPO}@1.0.0 holds {SAMPLE}: choose one with --config" in other.err
    told = json.loads((site / "site.json").read_text())
    assert told["data"] == f"{hub.url}/datasets/{REPO}/resolve/v1.0.0/{SAMPLE}"
    [(_, _, shard, start, size)] = records(site)[0]["media"]
    asked = Request(f"{told['data']}/{told['shards'][shard]}")
    asked.add_header("Range", f"bytes={start}-{start + size - 1}")
    with urlopen(asked) as answer:
        assert answer.read()[:size] in sounds(built / SAMPLE)
    assert "connect-src 'self' http:" in (site / "index.html").read_text()
    assert cli("page", "nothing/here", "--config", SAMPLE, "--out", site).code == 1


def test_an_earlier_page_goes_and_what_is_anybodys_stays(cli: Cli, tmp_path: Path) -> None:
    column = "../../caption"  # a name out of a file is no path
    folder = searchkit.write(
        tmp_path / "in", {column: searchkit.clustered(300)}, **{column: ["a"] * 300}
    )
    site = tmp_path / "site"
    assert cli("page", folder, "--out", site).code == 0
    names = {path.name for path in site.iterdir()}
    assert names > INDEX and sorted(path.name for path in tmp_path.iterdir()) == [
        "in",
        "site",
    ]
    first = (site / "0.codes").read_bytes()
    (folder.parent / "embeddings").rename(tmp_path / "apart")
    assert cli("page", folder, "--out", site).code == 0
    assert {path.name for path in site.iterdir()} == names - INDEX
    assert cli("page", folder, "--out", site, "--embeddings", tmp_path / "apart").code == 0
    assert (site / "0.codes").read_bytes() == first
    (site / "notes.txt").write_text("mine")
    refused = cli("page", folder, "--out", site)
    assert refused.code == 1 and "notes.txt" in refused.err
    assert (site / "notes.txt").read_text() == "mine" and (site / "0.codes").is_file()


@pytest.mark.parametrize(
    ("rows", "dim", "known", "files"),
    [(1, 8, True, 1), (2, 8, True, 1), (20, 1, True, 1), (20, 8, False, 0)],
    ids=["one row", "two rows", "one number a vector", "no vectors"],
)
def test_few_rows_and_odd_vectors(
    rows: int, dim: int, known: bool, files: int, cli: Cli, tmp_path: Path
) -> None:
    vectors = searchkit.clustered(rows, dim) if known else np.full((rows, dim), np.nan)
    folder = searchkit.write(tmp_path / "in", {"caption": vectors.astype(np.float32)})
    site = tmp_path / "site"
    assert cli("page", folder, "--out", site).code == 0
    assert len(records(site)) == rows and len(list(site.glob("*.codes"))) == files


def test_what_is_no_number_is_none_to_a_browser(cli: Cli, tmp_path: Path) -> None:
    scores = [1.5, float("nan"), float("inf"), float("-inf")]
    folder = searchkit.write(tmp_path / "in", {}, score=scores)
    assert cli("page", folder, "--out", tmp_path / "site").code == 0
    rows = records(tmp_path / "site")
    assert [row["columns"]["score"] for row in rows] == [1.5, None, None, None]


@pytest.mark.parametrize("out", ["in", "in/data", "in/data/site"])
def test_a_page_within_its_data_is_refused(out: str, cli: Cli, tmp_path: Path) -> None:
    folder = searchkit.write(tmp_path / "in", {"caption": searchkit.clustered(30)})
    assert cli("page", folder, "--out", tmp_path / out).code == 1
    assert not (tmp_path / out / "site.json").exists() and folder.is_dir()
