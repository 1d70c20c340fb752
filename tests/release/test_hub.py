"""The Hub for tests against the real clients, in this process and in one of their own."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Fault, Hub
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    constants,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from kit import client

REPO = "org/birds"
README = """---
license: cc0-1.0
configs:
- config_name: small
  default: true
  data_files:
  - {split: train, path: small/train-*.parquet}
- config_name: large
  data_files:
  - {split: train, path: large/train-*.parquet}
---
# Birds
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
def api(hub: Hub) -> HfApi:
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo(REPO, repo_type="dataset")
    return api


def write_folder(folder: Path, rows: int = 300) -> Path:
    for config, count in {"small": rows, "large": 10 * rows}.items():
        (folder / config).mkdir(parents=True, exist_ok=True)
        table = pa.table({"id": list(range(count)), "name": [f"bird {i}" for i in range(count)]})
        pq.write_table(table, folder / config / "train-00000-of-00001.parquet")
    (folder / "README.md").write_text(README)
    return folder


def upload(api: HfApi, folder: Path, **more: Any) -> Any:
    return api.upload_folder(repo_id=REPO, repo_type="dataset", folder_path=folder, **more)


def uploaded(hub: Hub) -> int:
    return sum(request.received for request in hub.seen("PUT", "/lfs/"))


def add(path: str, data: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, data)


def send(api: HfApi, *operations: Any, **more: Any) -> Any:
    return api.create_commit(
        REPO, list(operations), commit_message="c", repo_type="dataset", **more
    )


def test_datasets_loads_and_streams_a_tag(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    upload(api, write_folder(tmp_path))
    api.create_tag(REPO, tag="v1.0.0", repo_type="dataset")
    upload(api, write_folder(tmp_path, rows=7))
    code = f"""if True:
        import json
        from datasets import load_dataset
        from functools import partial
        load = partial(load_dataset, "{REPO}", split="train")
        rows = list(load("large", revision="v1.0.0", streaming=True))
        print(json.dumps({{
            "v1": load("small", revision="v1.0.0").num_rows,
            "main": load().num_rows,
            "streamed": [len(rows), rows[0]],
        }}))
    """
    first = {"id": 0, "name": "bird 0"}
    assert client(hub, code) == {"v1": 300, "main": 7, "streamed": [3000, first]}
    away = {request.path.partition("?")[0] for request in hub.log if request.path[0] != "/"}
    assert away == {f"{hub.url.replace('://', '://datasets-server.')}/info"}


def test_push_to_hub(hub: Hub, api: HfApi) -> None:
    code = f"""if True:
        from datasets import Dataset, load_dataset
        Dataset.from_dict({{"x": [1, 2, 3]}}).push_to_hub("{REPO}", "pushed", split="test")
        print(load_dataset("{REPO}", "pushed", split="test")["x"][:])
    """
    assert client(hub, code) == [1, 2, 3]
    assert "pushed/test-00000-of-00001.parquet" in hub.files(REPO)
    assert b"config_name: pushed" in hub.read(REPO, "README.md")


def test_what_is_there_is_not_sent_again(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    first = upload(api, write_folder(tmp_path))
    assert uploaded(hub) == sum(blob.size for blob in hub.files(REPO).values() if blob.lfs) > 0
    hub.reset_log()
    assert upload(api, tmp_path).oid == first.oid
    assert not hub.seen("POST", "/commit/")
    upload(api, tmp_path, path_in_repo="copy")
    assert uploaded(hub) == 0
    assert hub.files(REPO)["copy/README.md"] == hub.files(REPO)["README.md"]
    assert len(api.list_repo_commits(REPO, repo_type="dataset")) == 3


def test_stale_parent_is_refused(hub: Hub, api: HfApi) -> None:
    first = send(api, add("a", b"1"))
    second = send(api, add("a", b"2"), parent_commit=first.oid)
    with pytest.raises(HfHubHTTPError) as caught:
        send(api, add("a", b"3"), parent_commit=first.oid)
    assert caught.value.response.status_code == 412
    assert api.dataset_info(REPO).sha == second.oid
    assert hub.read(REPO, "a") == b"2"


def test_pull_request(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    made = send(api, add("a", b"1"), create_pr=True)
    assert (made.pr_revision, made.pr_num) == ("refs/pr/1", 1)
    send(api, add("b", b"2"), revision="refs/pr/1")
    assert set(hub.files(REPO, "refs/pr/1")) == {".gitattributes", "a", "b"}
    assert set(hub.files(REPO)) == {".gitattributes"}
    refs = api.list_repo_refs(REPO, repo_type="dataset", include_pull_requests=True)
    assert [ref.ref for ref in refs.pull_requests or []] == ["refs/pr/1"]
    path = api.hf_hub_download(
        REPO, "b", repo_type="dataset", revision="refs/pr/1", cache_dir=tmp_path
    )
    assert Path(path).read_bytes() == b"2"


def test_tags_and_branches(api: HfApi) -> None:
    first = send(api, add("a", b"1"))
    api.create_branch(REPO, branch="next/1", repo_type="dataset")
    second = send(api, add("a", b"2"), revision="next/1")
    api.create_tag(REPO, tag="v1", revision="next/1", repo_type="dataset")
    create = [partial(api.create_tag, tag="v1"), partial(api.create_branch, branch="next/1")]
    for again in create:
        again(REPO, repo_type="dataset", exist_ok=True)
        with pytest.raises(HfHubHTTPError, match="409"):
            again(REPO, repo_type="dataset")
    refs = api.list_repo_refs(REPO, repo_type="dataset")
    heads = {ref.name: ref.target_commit for ref in refs.branches + refs.tags}
    assert heads == {"main": first.oid, "next/1": second.oid, "v1": second.oid}
    api.delete_tag(REPO, tag="v1", repo_type="dataset")
    api.delete_branch(REPO, branch="next/1", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(REPO, tag="v1", repo_type="dataset")
    assert api.dataset_info(REPO, revision=second.oid).sha == second.oid


def test_listing_and_deleting(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    upload(api, write_folder(tmp_path))
    shard = "small/train-00000-of-00001.parquet"
    listed = {entry.path: entry for entry in api.list_repo_tree(REPO, repo_type="dataset")}
    assert list(listed) == [".gitattributes", "README.md", "large", "small"]
    deep = api.list_repo_tree(REPO, "small", recursive=True, expand=True, repo_type="dataset")
    assert [entry.path for entry in deep] == [shard]
    found = api.get_paths_info(REPO, [shard, "small", "nothing"], repo_type="dataset")
    assert [entry.path for entry in found] == [shard, "small"]
    file = found[0]
    assert isinstance(file, RepoFile)
    assert file.lfs and file.lfs.sha256 == hub.files(REPO)[shard].sha256
    info = api.dataset_info(REPO, files_metadata=True)
    assert {other.rfilename: other.size for other in info.siblings or []}[shard] == file.size
    send(api, CommitOperationDelete("large/"), CommitOperationDelete("README.md"))
    assert set(hub.files(REPO)) == {".gitattributes", shard}
    with pytest.raises(EntryNotFoundError):
        send(api, CommitOperationDelete("README.md"))
    api.delete_repo(REPO, repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info(REPO)


def test_snapshot_of_a_tag(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    upload(api, write_folder(tmp_path / "in"))
    api.create_tag(REPO, tag="v1.0.0", repo_type="dataset")
    upload(api, write_folder(tmp_path / "in", rows=7))
    path = snapshot_download(
        REPO,
        repo_type="dataset",
        revision="v1.0.0",
        allow_patterns=["small/*"],
        cache_dir=tmp_path / "cache",
        endpoint=hub.url,
    )
    files = [file for file in Path(path).rglob("*") if file.is_file()]
    assert [file.name for file in files] == ["train-00000-of-00001.parquet"]
    assert pq.read_table(files[0]).num_rows == 300


@pytest.mark.parametrize(
    ("repo", "revision", "path", "error"),
    [
        ("org/none", "main", "a", RepositoryNotFoundError),
        (REPO, "v9", "a", RevisionNotFoundError),
        (REPO, "main", "none", EntryNotFoundError),
    ],
)
def test_what_is_not_found(
    hub: Hub, api: HfApi, tmp_path: Path, *, repo: str, revision: str, path: str, error: type
) -> None:
    send(api, add("a", b"1"))
    with pytest.raises(error):
        hf_hub_download(
            repo,
            path,
            repo_type="dataset",
            revision=revision,
            cache_dir=tmp_path,
            endpoint=hub.url,
        )
    assert hub.log[-1].status == 404


def test_private_repo_wants_the_token(hub: Hub, api: HfApi) -> None:
    api.create_repo("org/secret", repo_type="dataset", private=True)
    assert api.dataset_info("org/secret").private
    with pytest.raises(RepositoryNotFoundError) as caught:
        api.dataset_info("org/secret", token=False)
    assert caught.value.response.status_code == 401
    assert api.whoami()["name"] == "tester"
    for token in (False, "hf_wrong"):
        with pytest.raises(HfHubHTTPError, match="401"):
            send(api, add("a", b"1"), token=token)


def test_readme_is_validated(api: HfApi) -> None:
    with pytest.raises(ValueError, match="Invalid metadata"):
        send(api, add("README.md", b"---\nconfigs: [\n---\n"))
    with pytest.warns(UserWarning, match="empty or missing yaml"):
        send(api, add("README.md", b"# No metadata\n"))


SHARD = bytes(range(256)) * 400


@pytest.mark.parametrize(
    ("fault", "nap"),
    [
        (Fault("PUT", "/lfs/", status=500), 1),
        (Fault("PUT", "/lfs/", status=429, retry_after=30), 31),
        (Fault("PUT", "/lfs/", cut=5_000), 1),
        (Fault("PUT", "/lfs/", lost=True), 1),
        (Fault("POST", "/preupload/", status=503), 1),
    ],
)
def test_upload_is_tried_again(
    hub: Hub, api: HfApi, naps: list[float], fault: Fault, nap: float
) -> None:
    hub.fail(fault)
    send(api, add("x.parquet", SHARD))
    assert naps == [nap]
    assert hub.read(REPO, "x.parquet") == SHARD
    requests = hub.seen(fault.method, fault.path)
    assert [request.status for request in requests] == [fault.status or 0, 200]
    if fault.cut is not None:
        assert requests[0].received == fault.cut


def test_server_that_stays_down(hub: Hub, api: HfApi, naps: list[float]) -> None:
    hub.fail(Fault("PUT", "/lfs/", nth=2, times=99, status=500))
    send(api, add("x.parquet", SHARD))
    with pytest.raises(RuntimeError, match=r"uploading 'y\.parquet'"):
        send(api, add("y.parquet", SHARD[1:]))
    assert set(hub.files(REPO)) == {".gitattributes", "x.parquet"}
    hub.heal()
    send(api, add("y.parquet", SHARD[1:]))
    assert hub.read(REPO, "y.parquet") == SHARD[1:]


def test_commit_is_not_tried_again(hub: Hub, api: HfApi) -> None:
    hub.fail(Fault("POST", "/commit/", status=500))
    with pytest.raises(HfHubHTTPError, match="500"):
        send(api, add("a", b"1"))
    for fault in (Fault("POST", "/commit/", cut=10), Fault("POST", "/commit/", nth=2, lost=True)):
        hub.fail(fault)
    with pytest.raises(httpx2.TransportError):
        send(api, add("a", b"1"))
    assert "a" not in hub.files(REPO)
    with pytest.raises(httpx2.TransportError):
        send(api, add("a", b"1"))
    assert "a" in hub.files(REPO)


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        (Fault("GET", "/resolve/", lost=True), [0, 200]),
        (Fault("GET", "/resolve/", cut=0), [200, 200]),
        (Fault("GET", "/resolve/", cut=70_000), [200, 206]),
        (Fault("GET", "/resolve/", status=429, retry_after=3), [429, 200]),
        (Fault("GET", "/resolve/", drip=0.01), [200]),
    ],
)
def test_download_recovers(
    hub: Hub,
    api: HfApi,
    naps: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fault: Fault,
    statuses: list[int],
) -> None:
    # The client resumes at a multiple of its chunk, 10 MB: a smaller file starts again.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    send(api, add("x.parquet", SHARD))
    hub.fail(fault)
    path = api.hf_hub_download(REPO, "x.parquet", repo_type="dataset", cache_dir=tmp_path)
    assert Path(path).read_bytes() == SHARD
    requests = hub.seen("GET", "/resolve/")
    assert [request.status for request in requests] == statuses
    if fault.status is None:
        assert sum(request.sent for request in requests) == len(SHARD)


def test_ranges(hub: Hub, api: HfApi) -> None:
    send(api, add("x.parquet", SHARD))
    with HfFileSystem(endpoint=hub.url, skip_instance_cache=True).open(
        f"datasets/{REPO}/x.parquet", block_size=1_000
    ) as file:
        file.seek(60_000)
        assert file.read(10) == SHARD[60_000:60_010]
    (request,) = hub.seen("GET", "/resolve/")
    assert request.status == 206
    assert request.sent < 2_000


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"{}", b'{"files": 1}'])
def test_a_body_that_no_client_sends(hub: Hub, api: HfApi, body: bytes) -> None:
    """Whoever tries the small Hub of the examples by hand gets an answer, and no traceback."""
    send(api, add("x.parquet", SHARD))
    token = {"Authorization": f"Bearer {hub.token}"}
    for path in ("preupload/main", "commit/main"):
        url = f"{hub.url}/api/datasets/{REPO}/{path}"
        answer = httpx2.post(url, content=body, headers=token, trust_env=False)
        assert answer.status_code == 400 and answer.json()["error"]
