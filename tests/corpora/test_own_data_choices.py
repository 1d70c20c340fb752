"""Where data of one's own can be read in two ways the choice is asked for; and what a YAML says."""

import bz2
import gzip
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from kit import Cli, entries, rows
from otherlab import other_package
from ownfiles import WAV, jpeg, put, table

import edge_glass as eg
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora import catalog, own
from edge_glass.corpora.understand import Choices, understand
from edge_glass.release.write_card import build

HEAD = "title: x\nversion: 1.0.0\nlicence: x\nlicence_tag: other\nsources: {data: {}}\n"
Write = Callable[[Path], None]


def two_captions(at: Path) -> None:
    table(
        at / "metadata.csv", [{"file_name": "1.jpg", "text": "A bird.", "sentence": "Un oiseau."}]
    )
    put(at / "1.jpg", jpeg(1))


def two_urls(at: Path) -> None:
    table(at / "list.csv", [{"image_url": "http://a/1.jpg", "thumb_url": "http://a/t.jpg"}])


def odd_folders(at: Path) -> None:
    for folder in ("train", "extra"):
        put(at / folder / "1.jpg", jpeg(len(folder)))


def folders_and_key(at: Path) -> None:
    put(at / "train" / "1.jpg", jpeg(1))
    table(at / "train" / "metadata.csv", [{"file_name": "1.jpg", "split": "test"}])


def two_stems(at: Path) -> None:
    table(at / "list.csv", [{"a": "1", "b": "2"}, {"a": "2", "b": "1"}])
    for number in (1, 2):
        put(at / f"{number}.jpg", jpeg(number))


def clips_of_recordings(at: Path) -> None:
    """Half a second each, as UrbanSound8K, whose times are of the recordings they are out of."""
    for number in range(3):
        put(at / f"{number}.wav", WAV)
    times = [{"file": f"{n}.wav", "start": 3.0 * n, "end": 3.0 * n + 0.5} for n in range(3)]
    table(at / "list.csv", times)


CHOICES: list[tuple[Write, str, Choices, Callable[[Any], Any]]] = [
    (two_captions, "--caption sentence", Choices(roles={"sentence": "caption"}),
     lambda spec: (spec.columns["caption"].key, spec.columns["text"].role) == ("sentence", "text")),
    (clips_of_recordings, "--column start=number", Choices(roles={"start": "number"}),
     lambda spec: {spec.columns[key].role for key in ("start", "end")} == {"number"}),
    (clips_of_recordings, "--column start=start", Choices(roles={"start": "start"}),
     lambda spec: [spec.columns[key].role for key in ("start", "end")] == ["start", "end"]),
    (two_urls, "--url thumb_url", Choices(roles={"thumb_url": "url"}),
     lambda spec: spec.columns["image"].key == "thumb_url"),
    (odd_folders, "--split all", Choices(split="all"),
     lambda spec: [*spec.splits.names] == ["train"]),
    (folders_and_key, "--split key=split", Choices(split="key=split"),
     lambda spec: [*spec.splits.names] == ["test"]),
    (two_stems, "--column a=text", Choices(roles={"a": "text"}),
     lambda spec: spec.columns["image"].key == "{b}.jpg"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("write", "option", "choices", "decided"), CHOICES, ids=lambda v: getattr(v, "__name__", None)
)
def test_two_readings_stop_with_the_option_that_decides(
    write: Write, option: str, choices: Choices, decided: Callable[[Any], Any], tmp_path: Path
) -> None:
    write(tmp_path / "d")
    with pytest.raises(EdgeGlassError, match=option):
        understand(tmp_path / "d")
    assert decided(understand(tmp_path / "d", choices).spec)


def test_a_caller_reads_the_choices_from_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two_captions(tmp_path / "birds")
    for verb in (eg.plan, eg.build):
        with pytest.raises(eg.ChoiceError) as told:
            verb("./birds")
        assert told.value.question == "text, sentence may each be the caption"
        assert told.value.choices[1].startswith("--caption sentence")
        assert pickle.loads(pickle.dumps(told.value)).choices == told.value.choices
    made = eg.build("./birds", choices=eg.Choices(roles={"sentence": "caption"}), progress=False)
    assert [row["caption"] for row in rows(made.folder).values()] == ["Un oiseau."]


@pytest.mark.parametrize("limit, rows", [(None, 3), (2, 2)])
def test_a_plan_says_what_lies_there_and_what_is_fetched(
    limit: int | None, rows: int, tmp_path: Path, cli: Cli
) -> None:
    urls = [{"image_url": f"http://127.0.0.1:9/{number}.jpg", "text": "A"} for number in range(3)]
    table(tmp_path / "list.csv", urls)
    planned = cli("plan", tmp_path / "list.csv", *(["--limit", limit] if limit else []))
    said = " ".join(planned.out.split())
    assert f" list.csv {(tmp_path / 'list.csv').stat().st_size} here fetched " in said
    assert f"To fetch: about {rows * 200_000:,} bytes." in planned.out
    put(tmp_path / "birds" / "a" / "1.jpg", jpeg(1))
    put(tmp_path / "birds" / "b" / "2.jpg", jpeg(2))
    (tmp_path / "birds" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (folder,) = eg.plan(tmp_path / "birds").sources
    assert (folder.file, folder.bytes) == ("birds", len(jpeg(1)) + len(jpeg(2)))


@pytest.mark.parametrize("splits", [[""], ["train/", "test/"]])
def test_a_stray_note_takes_neither_classes_nor_splits(splits: list[str], tmp_path: Path) -> None:
    for number, split in enumerate(splits * 2):
        for name in ("robin", "wren"):
            put(tmp_path / "d" / split / name / f"{number}.jpg", jpeg(number))
    put(tmp_path / "d" / "notes.txt", b"bought in May")
    spec = understand(tmp_path / "d").spec
    assert spec.columns["label"].names == ["robin", "wren"]
    assert {*spec.splits.names} == {split[:-1] or "train" for split in splits}


def spoken(at: Path, count: int = 40) -> None:
    records = [
        {"file_name": f"{n}.jpg", "speaker": f"s{n % 8}", "text": f"No. {n}"} for n in range(count)
    ]
    table(at / "metadata.jsonl", records)
    for number in range(count):
        put(at / f"{number}.jpg", jpeg(number))


def test_a_share_keeps_groups_whole(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoken(tmp_path / "talks")
    assert cli("build", "talks", "--split", "train:0.5,test:0.5 by speaker").code == 0
    folder = tmp_path / "data" / "talks"
    seen = {
        split: {
            row["speaker"]
            for p in folder.glob(f"{split}-*")
            for row in pq.read_table(p).to_pylist()
        }
        for split in ("train", "test")
    }
    assert seen["train"] | seen["test"] == {f"s{n}" for n in range(8)}
    assert not seen["train"] & seen["test"] and all(seen.values())
    assert len(rows(folder)) == 40


def test_what_init_writes_can_be_edited_and_built(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoken(tmp_path / "talks", 4)
    written = cli("init", "talks").out
    spec = yaml.safe_load(written)
    spec["columns"]["label"] = {"role": "label", "key": "speaker", "names": ["s0", "s1", "s2"]}
    spec["columns"]["name"] = {"role": "text", "key": "{speaker}/{text}"}
    spec["configs"]["talks_small"] = {"resize": "longest", "image_size": 24}
    Path("talks.yaml").write_text(yaml.safe_dump(spec))
    assert cli("build", "talks.yaml:talks_small").code == 0
    found = rows(tmp_path / "data" / "talks_small")
    assert {row["width"] for row in found.values()} == {24}
    assert found["1.jpg"]["label"] == 1 and found["1.jpg"]["name"] == "s1/No. 1"
    (lost,) = (
        e for e in entries(tmp_path / "data" / "talks_small").values() if e["outcome"] != "kept"
    )
    assert lost["outcome"] == "malformed_row" and "s3" in lost["detail"]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("list.txt.gz", Choices(roles={"url": "text"})),
        ("list.tsv.bz2", Choices(layout="tsv")),
    ],
)
def test_packed_lines_are_read_by_both_readers(
    name: str, choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}[name[name.rindex(".") :]]
    put(tmp_path / name, pack("\ufeffa wren\té\nan owl\n".encode()))
    seen = understand(tmp_path / name, choices)
    made = []
    for batched in (True, False):
        if not batched:
            monkeypatch.setattr(own.OwnCorpus, "parts", lambda *_: [])
        build(catalog.variant(str(tmp_path / name), {}, None, seen.own), tmp_path / f"{batched}")
        made.append(entries(tmp_path / f"{batched}" / "list"))
    assert made[0] == made[1] and len(made[0]) == seen.rows == 2
    outcomes = [entry["outcome"] for entry in made[0].values()]
    assert outcomes == ["kept", "malformed_row" if ".tsv" in name else "kept"]


def test_splits_have_names_that_datasets_takes(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = ["../out", "dev/clean", "train"]
    table(Path("list.csv"), [{"text": split, "part": split} for split in said])
    assert cli("build", "list.csv", "--split", "key=part").code == 0
    assert sorted(file.name.partition("-")[0] for file in tmp_path.rglob("*-of-*.parquet")) == [
        "_out", "dev_clean", "train"
    ]  # fmt: skip
    assert len(rows(tmp_path / "data" / "list")) == 3
    assert "which add up to 1" in cli("build", "list.csv", "--split", "train:0.9,test:0.9").err


def test_raw_without_a_name_is_an_error(tmp_path: Path, cli: Cli) -> None:
    told = cli("build", "--raw", str(tmp_path), "--out", str(tmp_path / "out"))
    assert told.code == 1 and "name the config" in told.err
    put(tmp_path / "d" / "1.jpg", jpeg(1))
    for verb in (eg.plan, eg.build):
        with pytest.raises(EdgeGlassError, match="is where the data are"):
            verb(str(tmp_path / "d"), raw=tmp_path)


def test_a_package_of_yamls_and_a_broken_one(tmp_path: Path) -> None:
    site = other_package(tmp_path / "site")
    (site / "lab/configs/talks.yaml").write_text(
        f"{HEAD}layout: table\n"
        "columns:\n  image: {role: image, key: file_name}\n  said: {role: text, key: text}\n"
        "configs: {talks: {}}\n"
    )
    (site / "lab/configs/broken.yaml").write_text("title: [")
    spoken(tmp_path / "mine", 3)
    run = [sys.executable, "-m", "edge_glass"]
    kwargs: dict[str, Any] = {
        "env": {"PYTHONPATH": str(site), "HOME": str(tmp_path)}, "cwd": tmp_path, "text": True,
        "capture_output": True,
    }  # fmt: skip
    listed = subprocess.run([*run, "list", "--json"], check=True, **kwargs)
    assert {"birds", "talks", "clotho"} <= json.loads(listed.stdout).keys()
    assert "lab: broken" in listed.stderr and "broken" not in json.loads(listed.stdout)
    subprocess.run([*run, "build", "talks", "--raw", "mine"], check=True, **kwargs)
    assert len(rows(tmp_path / "data" / "talks")) == 3


def test_lists_and_nested_values_keep_their_kind(tmp_path: Path) -> None:
    records = [
        {"file_name": "1.jpg", "tags": ["a"], "box": [[1.5, 2.0]], "more": {"a": 1}, "n": 1},
        {"file_name": "2.jpg", "tags": [], "box": None, "more": None, "n": 2.5},
    ]
    table(tmp_path / "d" / "metadata.jsonl", records)
    for number in (1, 2):
        put(tmp_path / "d" / f"{number}.jpg", jpeg(number))
    types = {n: c.type for n, c in understand(tmp_path / "d").spec.columns.items()}
    assert types == {
        "image": "string", "id": "string", "tags": "[string]", "box": "[[float64]]", "more": "json",
        "n": "float64",
    }  # fmt: skip


def test_numbers_in_a_csv_are_such_only_if_all_are(tmp_path: Path) -> None:
    keys = ("zip", "age", "part", "odd", "yes")
    values = [("007", "3", "1.5", "1", "True"), ("100", "", "2", "n/a", "false")]
    records = [{"file_name": "1.jpg"} | dict(zip(keys, row, strict=True)) for row in values]
    table(tmp_path / "d" / "metadata.csv", records)
    put(tmp_path / "d" / "1.jpg", jpeg(1))
    types = {
        n: c.type for n, c in understand(tmp_path / "d").spec.columns.items() if c.role != "image"
    }
    assert types == {
        "zip": "string",
        "age": "int64",
        "part": "float64",
        "odd": "string",
        "yes": "bool",
    }


def test_a_name_that_leads_out_of_the_folder_is_a_row_of_the_ledger(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [{"file_name": "1.jpg"}, {"file_name": "../../etc/passwd.jpg"}]
    table(tmp_path / "d" / "metadata.csv", records)
    put(tmp_path / "d" / "1.jpg", jpeg(1))
    assert cli("build", "d").code == 0
    outcomes = sorted(entry["outcome"] for entry in entries(tmp_path / "data" / "d").values())
    assert outcomes == ["kept", "malformed_row"]


def test_no_row_of_a_table_is_lost_with_its_type(tmp_path: Path) -> None:
    records = pa.table({"image": pa.array([jpeg(1), None], pa.binary()), "n": [1, 2]})
    pq.write_table(records, tmp_path / "d.parquet")
    assert understand(tmp_path / "d.parquet").rows == 2


def test_options_say_the_same_to_each_command(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [
        {"name": "1.jpg", "text": "A bird.", "sentence": "Un oiseau.", "from_url": "http://a"}
    ]
    table(tmp_path / "d" / "list.csv", records)
    put(tmp_path / "d" / "1.jpg", jpeg(1))
    said = ["--caption", "sentence", "--column", "text=none", "--layout", "table"]
    said += ["--split", "all", "--licence", "cc0-1.0"]
    written = yaml.safe_load(cli("init", "d", *said).out)
    assert written["columns"]["caption"]["key"] == "sentence" and "text" not in written["columns"]
    assert written["licence_tag"] == "cc0-1.0"
    assert "left out: text: as you said" in cli("plan", "d", *said).err
    assert cli("build", "d", *said).code == 0
    (row,) = rows(tmp_path / "data" / "d").values()
    assert row["caption"] == "Un oiseau." and "text" not in row
    for verb in ("init", "plan", "build"):
        told = cli(verb, "d", "--url", "elsewhere")
        assert told.code == 1 and "no key elsewhere; there are name, text" in told.err
    assert "edit the YAML" in cli("build", "clotho_sample", "--caption", "text").err


def test_two_folders_of_one_name_do_not_replace_each_other(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoken(tmp_path / "one" / "talks", 3)
    spoken(tmp_path / "two" / "talks", 4)
    assert cli("build", "one/talks").code == 0
    told = cli("build", "two/talks")
    assert told.code == 1 and "--name talks_2" in told.err and "one/talks" in told.err
    assert len(rows(tmp_path / "data" / "talks")) == 3
    assert cli("build", "two/talks", "--name", "talks_2").code == 0
    assert len(rows(tmp_path / "data" / "talks_2")) == 4
    (tmp_path / "one").rename(tmp_path / "moved")
    assert cli("build", "moved/talks").code == 0


def test_a_pattern_of_names_says_the_split(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s1_a", "s1_b", "s2_a", "s3_a"):
        put(tmp_path / "scans" / f"{name}.jpg", jpeg(len(name) + int(name[1])))
    spec = yaml.safe_load(cli("init", "scans").out)
    names = {"train": ["1"], "test": ["2"]}
    spec["splits"] = {"by": "pattern", "pattern": r"^s(\d)_", "names": names}
    Path("scans.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    assert cli("build", "scans.yaml").code == 0
    found = {id: entry["split"] for id, entry in entries(tmp_path / "data" / "scans").items()}
    assert found["s1_a.jpg"] == found["s1_b.jpg"] == "train" and found["s2_a.jpg"] == "test"
    lost = entries(tmp_path / "data" / "scans")["s3_a"]
    assert (lost["outcome"], lost["split"]) == ("not_in_config", "train")
