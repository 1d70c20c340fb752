"""Shards as other libraries write them: WebDataset's ShardWriter, `save_to_disk`, MDSWriter."""

import io
import json
import tarfile
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import Cli, entries, rows
from own_pictures import mds_shards
from ownfiles import jpeg, put, table, tarred

from edge_glass.audit.verify import verify
from edge_glass.corpora.understand import understand


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "d"


def test_shards_of_one_name_are_in_the_splits_of_their_folders(at: Path, cli: Cli) -> None:
    for split, numbers in (("train", (0, 1)), ("test", (2,))):
        members = {f"{n:09d}.{ending}": jpeg(n) if ending == "jpg" else f"No. {n}"
                   for n in numbers for ending in ("jpg", "txt")}  # fmt: skip
        tarred(at / split / "00000.tar", members)
    assert cli("build", "d").code == 0
    said = {row["media"][0]: row["split"] for row in entries(Path("data/d")).values()}
    assert said == {
        "data/train/00000.tar/000000000.jpg": "train",
        "data/train/00000.tar/000000001.jpg": "train",
        "data/test/00000.tar/000000002.jpg": "test",
    }


def test_texts_of_a_sample_may_have_several_endings(at: Path, cli: Cli) -> None:
    members = {"0.jpg": jpeg(0), "0.caption.txt": "An owl.", "0.meta.json": '{"a": [1]}',
               "0.source.txt": "web"}  # fmt: skip
    tarred(at / "0.tar", members)
    assert cli("build", "d").code == 0
    [row] = rows(Path("data/d")).values()
    assert (row["caption"], row["meta_json"], row["source_txt"]) == ("An owl.", '{"a": [1]}', "web")


def test_the_key_of_a_sample_has_its_folders(at: Path, cli: Cli) -> None:
    tarred(at / "train-0.tar", {"a/0.jpg": jpeg(0), "a/0.cls": "1"})
    tarred(at / "train-1.tar.gz", {"b/0.jpg": jpeg(1), "b/0.cls": "0"})
    assert cli("build", "d", "--layout", "webdataset").code == 0
    assert sorted(rows(Path("data/d"))) == ["a/0", "b/0"]


@pytest.mark.parametrize("keys", ["aab", "aba", "baa"])
def test_samples_of_one_key_are_rows_and_the_last_is_read(keys: str, at: Path, cli: Cli) -> None:
    """WebDataset's reader gives both, or stops where they stand beside each other."""
    members: list[tuple[str, bytes]] = []
    for number, key in enumerate(keys):
        members += [(f"{key}.jpg", jpeg(number)), (f"{key}.txt", f"No. {number}".encode())]
    appended(at / "0.tar", members)
    assert cli("build", "d").code == 0 and list(verify(Path("data"))) == []
    ledger = entries(Path("data/d"))
    assert {id: (row["outcome"], row["detail"]) for id, row in ledger.items()} == {
        "a": ("kept", ""), "b": ("kept", ""),
        "0.tar/a 1 of 2": ("duplicate_id", "0.tar/a.jpg is there 2 times, and the last is read"),
    }  # fmt: skip
    built, last = rows(Path("data/d")), keys.rindex("a")
    assert built["a"]["caption"] == f"No. {last}" and built["a"]["image"]["bytes"] == jpeg(last)
    assert understand(at).rows == 3


def test_a_file_that_was_appended_to_a_tar_again_is_one(at: Path, cli: Cli) -> None:
    """`tar --append` writes it behind, and unpacking leaves the last."""
    old, new = (f"file_name,text\na.jpg,{word}\n".encode() for word in ("old", "new"))
    table, pictures = ("metadata.csv", old), [("a.jpg", jpeg(0)), ("a.jpg", jpeg(1))]
    appended(at / "x.tar", [table, *pictures, ("metadata.csv", new)])
    assert cli("build", "d/x.tar").code == 0
    [row] = rows(Path("data/x")).values()
    assert (row["caption"], row["image"]["bytes"]) == ("new", jpeg(1))


def appended(path: Path, members: list[tuple[str, bytes]]) -> None:
    """A tar of members whose names may come again."""
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def saved(at: Path, **splits: list[dict[str, object]]) -> None:
    picture = {"image": datasets.Image(), "text": datasets.Value("string")}
    every = {
        name: datasets.Dataset.from_list(records, features=datasets.Features(picture))
        for name, records in splits.items()
    }
    datasets.DatasetDict(every).save_to_disk(str(at))


def picture(number: int) -> dict[str, object]:
    return {"image": {"bytes": jpeg(number), "path": f"{number}.jpg"}, "text": f"No. {number}"}


def test_what_datasets_left_beside_a_saved_dataset_is_no_data(at: Path, cli: Cli) -> None:
    saved(at, train=[picture(0)], test=[picture(1)])
    for dataset in datasets.load_from_disk(str(at)).values():
        dataset.map(lambda row: {"text": row["text"].upper()})
    assert len([*at.rglob("cache-*.arrow")]) == 2
    result = cli("build", "d")
    assert result.code == 0 and "left out: cache-*.arrow" in result.err
    built = rows(Path("data/d"))
    assert sorted((row["caption"], row["image"]["path"]) for row in built.values()) == [
        ("No. 0", "0.jpg"), ("No. 1", "1.jpg"),
    ]  # fmt: skip


def test_each_folder_of_a_saved_dict_is_a_split(at: Path, cli: Cli) -> None:
    saved(at, train=[picture(0)], **{"hard-cases": [picture(1)]})
    assert cli("build", "d").code == 0
    assert {row["split"] for row in entries(Path("data/d")).values()} == {"train", "hard_cases"}


def test_a_row_of_an_empty_list_has_no_media(at: Path, cli: Cli) -> None:
    features = datasets.Features({"images": datasets.List(datasets.Image())})
    records = [{"images": [picture(0)["image"]]}, {"images": []}]
    datasets.Dataset.from_list(records, features=features).save_to_disk(str(at))
    assert cli("build", "d").code == 0 and list(verify(Path("data"))) == []
    outcomes = [row["outcome"] for row in entries(Path("data/d")).values()]
    assert sorted(outcomes) == ["kept", "missing_media"]


def test_files_inside_of_other_values_are_told(at: Path, cli: Cli) -> None:
    features = datasets.Features({"pair": {"left": datasets.Image()}, "n": datasets.Value("int64")})
    records = [{"pair": {"left": picture(0)["image"]}, "n": 1}]
    datasets.Dataset.from_list(records, features=features).save_to_disk(str(at))
    assert "left out: pair: holds files inside of its values" in cli("plan", "d").err


def test_a_list_of_pictures_may_be_called_as_one(at: Path, cli: Cli) -> None:
    """And a column may have no name: the report is written all the same."""
    features = datasets.Features(
        {"image": datasets.List(datasets.Image()), "": datasets.Value("string")}
    )
    records = [{"image": [picture(0)["image"]], "": "x"}]
    datasets.Dataset.from_list(records, features=features).save_to_disk(str(at))
    assert cli("build", "d").code == 0
    [row] = rows(Path("data/d")).values()
    assert row["width"] == [40] and row["unnamed"] == "x"


def test_what_is_encoded_otherwise_is_told(at: Path, cli: Cli) -> None:
    mds_shards(at, "")
    assert "left out: raw: encoded as pil, which is not read" in cli("plan", "d/mds").err


def of_img2dataset(at: Path, tars: bool, *statuses: str) -> None:
    """Two shards as img2dataset 1.47 writes them, each with rows that became this."""
    for shard in ("00000", "00001"):
        members: dict[str, bytes | str] = {}
        rows = [{"url": f"http://127.0.0.1:9/{n}.jpg", "key": f"{shard}{n}", "status": status,
                 "error_message": None if status == "success" else "HTTP Error 404"}
                for n, status in enumerate(statuses)]  # fmt: skip
        for row, caption in zip(rows, (None, "An owl. "), strict=False):
            if row["status"] == "success":
                members[f"{row['key']}.jpg"] = jpeg(1)
                members[f"{row['key']}.txt"] = caption or ""
                members[f"{row['key']}.json"] = json.dumps(row | {"caption": caption})
        for name, data in members.items() if not tars else ():
            put(at / shard / name, data)
        if tars:
            tarred(at / f"{shard}.tar", members)
        counts = {"count": len(rows), "successes": statuses.count("success")}
        put(at / f"{shard}_stats.json", json.dumps(counts, indent=4))
        pq.write_table(pa.Table.from_pylist(rows), at / f"{shard}.parquet")


@pytest.mark.parametrize("tars", [False, True])
def test_what_img2dataset_wrote_is_read_where_it_lies(tars: bool, at: Path, cli: Cli) -> None:
    """Not fetched once more by the tables beside its shards; what failed is in the ledger."""
    of_img2dataset(at, tars, "success", "success", "failed_to_download")
    assert cli("build", "d").code == 0
    ledger = entries(Path("data/d"))
    assert {key: (row["outcome"], row["detail"]) for key, row in ledger.items()} == {
        "000000": ("blank_caption", ""), "000001": ("kept", ""),
        "000010": ("blank_caption", ""), "000011": ("kept", ""),
        "00000/000002": ("missing_media", "HTTP Error 404"),
        "00001/000012": ("missing_media", "HTTP Error 404"),
    }  # fmt: skip
    built = rows(Path("data/d")).values()
    assert {row["caption"].strip() for row in built} == {"An owl."}
    assert "label" not in next(iter(built))
    assert understand(at).rows == 6 and list(verify(Path("data"))) == []


@pytest.mark.parametrize(("tars", "told"), [(False, "--url url"), (True, "00000/000000")])
def test_an_output_without_any_file_says_why(tars: bool, told: str, at: Path, cli: Cli) -> None:
    at.mkdir()
    of_img2dataset(at, tars, "failed_to_download", "failed_to_resize")
    result = cli("build", "d")
    assert result.code == 1 and told in result.err and "HTTP Error 404" in result.err


def test_hidden_media_and_folders_are_told(at: Path) -> None:
    """`datasets` passes over them without a word, and so did we."""
    hidden = (".2.jpg", ".thumbs/3.jpg", ".m.csv")
    for name in ("1.jpg", *hidden, ".git/4.jpg", ".DS_Store", "._1.jpg", ".gitattributes"):
        put(at / name, jpeg(1))
    seen = understand(at)
    assert seen.rows == 1 and {*seen.left_out} == {"*.thumbs/", ".*.jpg", ".*.csv"}
    table(at / "metadata.csv", [{"file_name": ".2.jpg"}])
    assert "read only where a table names it" in understand(at).left_out[".*.jpg"]
