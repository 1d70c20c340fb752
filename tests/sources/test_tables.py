"""Folders of Parquet files: rows in order, media by position, from disk and from the Hub."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Fault, Hub
from huggingface_hub import CommitOperationAdd, HfApi
from hypothesis import given, settings
from hypothesis import strategies as st
from rawlibri import clips

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import Source, SourceFacts
from edge_glass.sources import download
from edge_glass.sources import hub_files as hubs
from edge_glass.sources.parquet_folder import Tables

REPO = "org/speech"
ROWS = [
    {"id": f"id{i}", "audio": {"bytes": clips()[i % 9] + bytes([i]), "path": f"{i}.flac"}}
    for i in range(25)
]


def write(folder: Path, sizes: tuple[int, ...] = (10, 0, 15), group: int = 4) -> Tables:
    """ROWS in files of so many rows each, in row groups of `group`."""
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    schema = pa.Table.from_pylist(ROWS).schema
    for number, size in enumerate(sizes):
        table = pa.Table.from_pylist(ROWS[start : start + size], schema=schema)
        pq.write_table(table, folder / f"{number:04d}.parquet", row_group_size=group)
        start += size
    return Tables(folder)


def test_rows_in_order(tmp_path: Path) -> None:
    tables = write(tmp_path)
    names, records = zip(*tables.records(["id"]), strict=True)
    assert [record["id"] for record in records] == [row["id"] for row in ROWS]
    assert list(tables.names()) == list(names)
    assert names[0] == "0000.parquet/0" and names[10] == "0002.parquet/0"


@settings(max_examples=25, deadline=None)
@given(order=st.lists(st.integers(0, 24), min_size=1, max_size=12), group=st.integers(1, 12))
def test_values_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], group: int
) -> None:
    tables = write(tmp_path_factory.mktemp("tables"), group=group)
    names = list(tables.names())
    for i in order:
        assert tables.read(f"{names[i]}/audio.bytes") == ROWS[i]["audio"]["bytes"]
        assert tables.read(f"{names[i]}/id") == f"id{i}".encode()


def test_sizes_are_about_right(tmp_path: Path) -> None:
    tables = write(tmp_path)
    sizes = [tables.size(f"{name}/audio.bytes") or 0 for name in tables.names()]
    whole = sum(len(row["audio"]["bytes"]) for row in ROWS)
    assert abs(sum(sizes) - whole) < whole / 100


@pytest.mark.parametrize(
    "name",
    ["0000.parquet/10/id", "0009.parquet/0/id", "0000.parquet/x/id", "0000.parquet", "a/../b", ""],
)
def test_values_that_are_not_there(name: str, tmp_path: Path) -> None:
    tables = write(tmp_path)
    assert tables.size(name) is None
    with pytest.raises(FileNotFoundError):
        tables.read(name)


def test_null_values(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary())])
    values = [{"bytes": b"a"}, None, {"bytes": None}, {"bytes": b""}]
    pq.write_table(pa.table({"audio": pa.array(values, kind)}), tmp_path / "a.parquet")
    tables = Tables(tmp_path)
    assert tables.read("a.parquet/3/audio.bytes") == b""
    assert tables.read("a.parquet/0/audio.bytes") == b"a"
    for number in (1, 2):
        with pytest.raises(FileNotFoundError):
            tables.read(f"a.parquet/{number}/audio.bytes")


def test_files_that_are_no_such_tables(tmp_path: Path) -> None:
    with pytest.raises(EdgeGlassError, match=r"no \*\.parquet file"):
        list(Tables(tmp_path).names())
    tables = write(tmp_path)
    with pytest.raises(EdgeGlassError, match="no column text; found id, audio"):
        list(tables.records(["text"]))
    with pytest.raises(EdgeGlassError, match="no column image"):
        tables.read("0000.parquet/0/image")
    whole = (tmp_path / "0000.parquet").read_bytes()
    (tmp_path / "0000.parquet").write_bytes(whole[:-100])
    with pytest.raises(EdgeGlassError, match=r"0000\.parquet: damaged"):
        list(tables.records(["id"]))


READ_ALL = """
import sys
from pathlib import Path
import pyarrow.compute, pyarrow.parquet  # whose own memory is not that of a row group
from memory import forget, peak
from edge_glass.sources.parquet_folder import Tables
tables = Tables(Path(sys.argv[1]))
forget()
base = peak()
total = sum(len(tables.read(f"{name}/media")) for name in tables.names())
print(total, peak() - base)
"""


def test_memory_does_not_grow_with_the_row_group(tmp_path: Path) -> None:
    media = pa.array([bytes([i % 251]) * 1_000_000 for i in range(200)], pa.binary())
    path = tmp_path / "one" / "0.parquet"
    path.parent.mkdir()
    options = {"compression": "none", "use_dictionary": False, "write_batch_size": 4}
    pq.write_table(pa.table({"media": media}), path, **options)  # pages of 4 MB
    assert pq.read_metadata(path).num_row_groups == 1
    run = [sys.executable, "-c", READ_ALL, str(path.parent)]
    total, grown = map(
        int, subprocess.check_output(run, cwd=Path(__file__).parents[1] / "support").split()
    )
    assert total == 200_000_000
    assert grown * 1024 < 80_000_000


# From the Hub


@pytest.fixture
def source(hub: Hub, tmp_path: Path) -> Source:
    """Three Parquet files and other things in a repository, at a commit that is not its last."""
    folder = write(tmp_path / "made").root
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo(REPO, repo_type="dataset")
    files = [CommitOperationAdd(f"all/dev/{p.name}", p) for p in sorted(folder.iterdir())]
    others = [CommitOperationAdd(f"all/{n}", b"x") for n in ("dev/notes.txt", "test/0.parquet")]
    commit = api.create_commit(
        REPO, [*files, *others], repo_type="dataset", commit_message="one"
    ).oid
    late = [CommitOperationAdd("all/dev/0003.parquet", files[0].path_or_fileobj)]
    api.create_commit(REPO, late, repo_type="dataset", commit_message="two")
    where = {"url": f"{hub.url}/datasets/{REPO}", "folder": "all/dev"}
    return Source.model_validate(where | {"hub": {"repo": REPO, "revision": commit}})


def fetch(source: Source, folder: Path) -> SourceFacts:
    files = hubs.files(source, folder)
    download.fetch([hubs.job(source, folder, file) for file in files], lambda *_: None)
    return hubs.facts(files)


def test_files_of_a_commit(source: Source, hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    assert hubs.state(source, folder) == (None, "to fetch")
    hub.fail(Fault("GET", "resolve.*0002", cut=1000))  # goes on from there
    facts = fetch(source, folder)
    assert [path.name for path in Tables(folder).files()] == [f"000{i}.parquet" for i in range(3)]
    assert [record for _, record in Tables(folder).records(["id", "audio"])] == ROWS
    assert source.hub and facts.revision == source.hub.revision and facts.files == 3
    assert hubs.state(source, folder) == (facts.bytes, "here")
    hub.reset_log()
    assert fetch(source, folder) == facts
    assert hub.log == []  # a second build asks for nothing
    (folder / "0000.parquet").unlink()
    assert hubs.state(source, folder)[1] == "partly here"


def test_main_is_the_commit_that_it_was_at_first(source: Source, hub: Hub, tmp_path: Path) -> None:
    assert source.hub
    unpinned = source.model_copy(update={"hub": source.hub.model_copy(update={"revision": "main"})})
    facts = fetch(unpinned, tmp_path / "store")
    head = HfApi(endpoint=hub.url).dataset_info(REPO).sha
    assert facts.revision == head != source.hub.revision and facts.files == 4
    late = CommitOperationAdd("all/dev/0004.parquet", b"x")
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_commit(REPO, [late], repo_type="dataset", commit_message="three")
    assert fetch(unpinned, tmp_path / "store") == facts


def test_what_the_hub_does_not_have(source: Source, tmp_path: Path) -> None:
    def changed(**parts: str) -> Source:
        hub = source.model_dump(mode="json")["hub"] | {k: parts[k] for k in parts if k != "folder"}
        folder = parts.get("folder", "all/dev")
        return Source.model_validate({"url": "https://x.org", "hub": hub, "folder": folder})

    for wrong, told in (
        (changed(repo="org/none"), "org/none at .* the Hub has none of this name"),
        (changed(revision="0" * 40), "RevisionNotFound"),
        (changed(folder="none"), "folder none: .*EntryNotFound"),
    ):
        with pytest.raises(EdgeGlassError, match=told):
            hubs.files(wrong, tmp_path / "store")
    assert not list(tmp_path.glob("store/*"))
    with pytest.raises(ValueError, match="needs `folder`"):
        Source.model_validate({"url": "https://x.org", "hub": source.hub})
    with pytest.raises(ValueError, match="revision"):
        changed(revision="v1")
