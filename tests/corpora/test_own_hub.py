"""Datasets on the Hub in any form: Parquet, tables, media, tars; as their READMEs say or not."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hub import Fault, Hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from kit import Cli, entries, rows, sound
from ownfiles import jpeg, lines, png, put, table, tarred
from server import Files

from edge_glass.audit.verify import verify
from edge_glass.core import manifest

Write = Callable[[Path], None]


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "repo"


def sent(hub: Hub, folder: Path, gone: tuple[str, ...] = ()) -> str:
    """The commit of a folder's files in org/birds."""
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo("org/birds", repo_type="dataset", exist_ok=True)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    adds = [CommitOperationAdd(path.relative_to(folder).as_posix(), path) for path in files]
    steps = [*adds, *map(CommitOperationDelete, gone)]
    return api.create_commit("org/birds", steps, repo_type="dataset", commit_message="all").oid


def readme(at: Path, *configs: dict[str, object]) -> None:
    put(at / "README.md", f"---\n{yaml.safe_dump({'configs': [*configs]})}---\n# Birds\n")


def parquet(path: Path, *numbers: int) -> None:
    images = [{"bytes": jpeg(n), "path": f"{n}.jpg"} for n in numbers]
    put(path, b"")
    pq.write_table(pa.table({"image": images, "text": [f"No. {n}" for n in numbers]}), path)


def parquet_at_the_root(at: Path) -> None:
    parquet(at / "train-00000-of-00001.parquet", 1, 2)
    parquet(at / "test-00000-of-00001.parquet", 3)
    put(at / "README.md", "# Birds\n")
    put(at / "cover.jpg", jpeg(9))


def parquet_in_folders_of_splits(at: Path) -> None:
    parquet(at / "data" / "train" / "0000.parquet", 1, 2)
    parquet(at / "data" / "test" / "0000.parquet", 3)


def parquet_as_the_readme_says(at: Path) -> None:
    parquet(at / "part0" / "a.parquet", 1)
    parquet(at / "part1" / "b.parquet", 2)
    parquet(at / "held" / "c.parquet", 3)
    parquet(at / "old.parquet", 4)
    files = [{"split": "train", "path": ["part0/*.parquet", "part1/*"]},
             {"split": "test", "path": "held/c.parquet"}]  # fmt: skip
    readme(at, {"config_name": "default", "data_files": files})


def imagefolder(at: Path) -> None:
    for split, number in (("train", 1), ("train", 2), ("test", 3)):
        put(at / split / f"{number}.jpg", jpeg(number))
    for split, numbers in (("train", (1, 2)), ("test", (3,))):
        records = [{"file_name": f"{n}.jpg", "text": f"No. {n}"} for n in numbers]
        table(at / split / "metadata.csv", records)
    put(at / "birds.py", "raise SystemExit('a script')\n")


def audiofolder(at: Path) -> None:
    for number in (1, 2, 3):
        put(at / "clips" / f"{number}.wav", sound())
    records = [{"file_name": f"clips/{n}.wav", "text": f"No. {n}"} for n in (1, 2, 3)]
    put(at / "metadata.jsonl", lines(records[:2]))
    put(at / "held" / "metadata.jsonl", lines([records[2] | {"file_name": "../clips/3.wav"}]))
    files = [{"split": "train", "path": "metadata.jsonl"},
             {"split": "test", "path": "held/metadata.jsonl"}]  # fmt: skip
    readme(at, {"config_name": "default", "data_files": files})


def webdataset(at: Path) -> None:
    for split, numbers in (("train", (1, 2)), ("test", (3,))):
        members: dict[str, bytes | str] = {f"{n}.png": png(n) for n in numbers}
        members |= {f"{n}.json": json.dumps({"caption": f"No. {n}"}) for n in numbers}
        tarred(at / f"{split}-0000.tar", members)
    put(at / "sizes.json", "{}")


def tables_as_the_readme_says(at: Path) -> None:
    """As datasets-examples/doc-yaml-2 on the Hub."""
    table(at / "data" / "abc.csv", [{"kind": "dog", "text": "No. 1"}])
    table(at / "data" / "def.csv", [{"kind": "cat", "text": "No. 2"}])
    table(at / "holdout" / "ghi.csv", [{"kind": "horse", "text": "No. 3"}])
    files = [{"split": "train", "path": ["data/abc.csv", "data/def.csv"]},
             {"split": "test", "path": "holdout/ghi.csv"}]  # fmt: skip
    readme(at, {"config_name": "default", "data_files": files})


FORMS = [
    parquet_at_the_root, parquet_in_folders_of_splits, parquet_as_the_readme_says, imagefolder,
    audiofolder, webdataset, tables_as_the_readme_says,
]  # fmt: skip


@pytest.mark.parametrize("write", FORMS)
def test_a_dataset_in_any_form_is_built_by_its_name(
    write: Write, at: Path, hub: Hub, cli: Cli
) -> None:
    write(at)
    commit = sent(hub, at)
    assert cli("build", "org/birds", "--jobs", "1").code == 0
    folder = Path("data/org_birds")
    made = manifest.read(folder)
    assert {name: split.rows for name, split in made.splits.items()} == {"train": 2, "test": 1}
    assert made.outcomes() == {"kept": 3}
    assert {row["caption"] for row in rows(folder).values()} == {"No. 1", "No. 2", "No. 3"}
    assert made.sources[0].revision == commit and made.sources[0].as_published
    assert not [finding for finding in verify(Path("data")) if finding.kind == "error"]
    Path("birds.yaml").write_text(cli("init", "org/birds").out)
    hub.reset_log()
    spec = yaml.safe_load(Path("birds.yaml").read_text())
    spec["configs"] = {"birds": {}}
    Path("birds.yaml").write_text(yaml.safe_dump(spec))
    assert cli("build", "birds.yaml", "--jobs", "1").code == 0
    assert rows(Path("data/birds")).keys() == rows(folder).keys()


@pytest.mark.parametrize("write", FORMS)
def test_a_clone_is_read_as_the_dataset_itself(write: Write, at: Path, hub: Hub, cli: Cli) -> None:
    write(at)
    sent(hub, at)
    put(at / ".git" / "lfs" / "1.jpg", jpeg(7))
    assert cli("build", "org/birds", "--jobs", "1").code == 0
    assert cli("build", "repo", "--jobs", "1").code == 0
    there, here = Path("data/org_birds"), Path("data/repo")
    assert rows(here) == rows(there)
    splits = [{n: s.rows for n, s in manifest.read(each).splits.items()} for each in (here, there)]
    assert splits[0] == splits[1]
    Path("birds.yaml").write_text(cli("init", "repo").out.replace(" repo:", " birds:"))
    assert cli("build", "birds.yaml", "--jobs", "1").code == 0
    assert rows(Path("data/birds")) == rows(here)


def test_a_later_commit_is_read_without_what_it_took_away(at: Path, hub: Hub, cli: Cli) -> None:
    imagefolder(at)
    sent(hub, at)
    assert cli("build", "org/birds").code == 0
    (at / "train" / "2.jpg").unlink()
    table(at / "train" / "metadata.csv", [{"file_name": "1.jpg", "text": "Once more."}])
    later = sent(hub, at, ("train/2.jpg",))
    assert cli("build", "org/birds", "--rebuild").code == 0
    folder = Path("data/org_birds")
    assert manifest.read(folder).sources[0].revision == later
    assert rows(folder)["1.jpg"]["caption"] == "Once more."
    assert Counter(entry["outcome"] for entry in entries(folder).values()) == {"kept": 2}


def test_bytes_that_are_not_what_git_knows_are_refused(at: Path, hub: Hub, cli: Cli) -> None:
    tables_as_the_readme_says(at)
    sent(hub, at)
    blob = hub.store.repos["org/birds"].find("main").blob("data/abc.csv")
    path = hub.store.path(blob.sha256)
    path.write_bytes(path.read_bytes().replace(b"dog", b"dig"))
    told = cli("build", "org/birds")
    assert told.code == 1 and "data/abc.csv" in told.err and "Git knows" in told.err


def test_several_configs_are_a_choice(at: Path, hub: Hub, cli: Cli) -> None:
    table(at / "a.csv", [{"text": "One."}])
    table(at / "b.csv", [{"text": "Two."}])
    readme(at, {"config_name": "one", "data_files": "a.csv"},
           {"config_name": "two", "data_files": ["b.csv"]})  # fmt: skip
    sent(hub, at)
    told = cli("build", "org/birds").err
    assert "edge-glass build org/birds:one" in told and "org/birds:two" in told
    assert cli("build", "org/birds:two").code == 0
    assert "edge-glass build repo:two" in cli("build", "repo").err
    assert "no config three; there are one, two" in cli("build", "repo:three").err
    assert cli("build", "repo:two").code == 0
    for made in ("org_birds_two", "repo_two"):
        (row,) = rows(Path("data", made)).values()
        assert row["caption"] == "Two."


@pytest.mark.parametrize(
    ("configs", "told"),
    [
        ([{"config_name": "a", "data_files": "gone.csv"}], "names gone.csv, and there is no such"),
        ([{"config_name": "a", "data_files": 7}], "its README's configs cannot be read"),
        ([{"config_name": "a", "data_files": [{"split": "a-b", "path": "*"}]}], "not accept: a-b"),
    ],
)  # fmt: skip
def test_a_readme_that_cannot_be_right_is_one_error(
    configs: list[dict[str, object]], told: str, at: Path, hub: Hub, cli: Cli
) -> None:
    table(at / "a.csv", [{"text": "One."}])
    readme(at, *configs)
    sent(hub, at)
    shown = cli("build", "org/birds")
    assert shown.code == 1 and told in shown.err
    put(at / "README.md", "# Nothing\n")
    (at / "a.csv").unlink()
    sent(hub, at, ("a.csv",))
    assert "it has no data" in cli("build", "org/birds").err


def test_a_private_dataset_is_built_and_the_token_goes_to_the_hub_alone(
    at: Path, hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(at / "train-00000-of-00001.parquet", 1, 2)
    HfApi(endpoint=hub.url, token=hub.token).create_repo(
        "org/birds", repo_type="dataset", private=True
    )
    sent(hub, at)
    with Files(at) as store:  # where the Hub leads to: another server, which wants no token
        url = f"{store.url}/train-00000-of-00001.parquet"
        hub.fail(Fault("GET", r"/resolve/.*\.parquet$", status=302, leads_to=url))
        assert cli("build", "org/birds").code == 0
        (asked,) = store.asked("train-00000-of-00001.parquet")
        assert asked.authorization is None
    assert len(rows(Path("data/org_birds"))) == 2
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(at / "second"))
    assert cli("build", "org/birds", "--out", "second").code == 0  # from the Hub itself
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(at / "empty"))
    assert cli("build", "org/birds", "--out", "other").code == 1


@pytest.mark.parametrize(
    "head",
    [b"---\nconfigs: [\n---\n", b"---\n- a\n---\n", b"---\n\xff\n---\n", b"", b"---\na: 1\n---\n"],
)
def test_a_readme_that_says_nothing_of_configs_is_prose(head: bytes, at: Path, cli: Cli) -> None:
    put(at / "1.jpg", jpeg(1))
    put(at / "README.md", head + b"# Birds\n")
    assert cli("build", "repo").code == 0
    assert [*rows(Path("data/repo"))] == ["1.jpg"]


def test_a_dataset_that_is_not_given_says_what_to_do(
    at: Path, hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = cli("build", "org/none").err
    assert "no file or folder of this name here" in told and "none that you may see" in told
    parquet(at / "train-00000-of-00001.parquet", 1)
    sent(hub, at)
    access = f"ask for it at {hub.url}/datasets/org/birds, then log in"
    for asked in ("/api/datasets/", "/resolve/"):
        hub.fail(Fault("GET", asked, status=403))
        told = cli("build", "org/birds").err
        assert access in told and "--mirror" not in told, asked
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    told = cli("build", "t/shar").err
    assert "no file or folder of this name here" in told and "the Hub is out of reach" in told
