"""Splits of data of one's own by lists of names, as image sets and speech commands have them."""

import json
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kit import Cli, entries
from own_pictures import docvqa, vqa
from own_recordings import TALK, kaldi, lhotse_cuts
from ownfiles import WAV, jpeg, lines, png, put, table, tarred

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import Splits
from edge_glass.corpora.layouts.record import Record
from edge_glass.corpora.layouts.tables import split_word
from edge_glass.corpora.layouts.values import member, said_of_split, split_of
from edge_glass.corpora.understand import Choices, understand


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "d"


def splits(folder: str = "d") -> dict[str, str]:
    """The split of each row that was kept."""
    every = entries(Path("data") / folder).items()
    return {id: entry["split"] for id, entry in every if entry["outcome"] == "kept"}


def pictures(at: Path, *names: str) -> None:
    for number, name in enumerate(names):
        put(at / f"{name}.jpg", jpeg(number))


def voc(at: Path) -> None:
    pictures(at / "JPEGImages", *(f"00000{n}" for n in range(1, 6)))
    for task in ("Main", "Segmentation"):
        sets = at / "ImageSets" / task
        put(sets / "train.txt", "000001\n000002\n")
        put(sets / "val.txt", "000003\n")
        put(sets / "trainval.txt", "000001\n000002\n000003\n")
    put(at / "ImageSets" / "Main" / "cat_train.txt", "000001  1\n000002 -1\n")


def test_of_several_sets_of_lists_one_is_to_be_chosen(at: Path, cli: Cli) -> None:
    voc(at)
    lists = "ImageSets/Main/train.txt,ImageSets/Main/val.txt"
    with pytest.raises(EdgeGlassError, match=f"--split list={lists}"):
        understand(at)
    told = cli("plan", "d", "--split", "list=Main/val.txt").err
    assert "no file Main/val.txt; there are" in told and "mean ImageSets/Main/val.txt" in told
    assert cli("build", "d", "--split", f"list={lists}").code == 0
    assert Counter(splits().values()) == {"train": 2, "validation": 1}
    lost = [e for e in entries(Path("data/d")).values() if e["outcome"] == "not_in_config"]
    assert [e["detail"] for e in lost] == ["no list names it"] * 2
    assert not [finding for finding in verify(Path("data")) if finding.kind == "error"]


@pytest.mark.parametrize(
    "line",
    ["apple_pie/1", "images/apple_pie/1.jpg", "./images/apple_pie/1.jpg 0",
     "{at}/images/apple_pie/1.jpg", "d/images/apple_pie/1.jpg", "apple_pie/1.jpg|A pie.",
     "apple_pie/1\t7"],
)  # fmt: skip
def test_a_line_names_a_file_with_or_without_folders_suffix_and_more(
    line: str, at: Path, cli: Cli
) -> None:
    """As Food-101, YOLO, ImageNet and text-to-speech write them."""
    pictures(at / "images", "apple_pie/1", "apple_pie/11", "waffles/2")
    put(at / "meta" / "test.txt", line.replace("{at}", str(at)) + "\n")
    assert cli("build", "d").code == 0
    assert splits() == {
        "images/apple_pie/1.jpg": "test", "images/apple_pie/11.jpg": "train",
        "images/waffles/2.jpg": "train",
    }  # fmt: skip


def test_of_other_lists_beside_those_of_splits_each_is_told(at: Path, cli: Cli) -> None:
    voc(at)
    shutil.rmtree(at / "ImageSets" / "Segmentation")
    assert cli("build", "d").code == 0
    every = entries(Path("data/d"))
    assert Counter(splits().values()) == {"train": 2, "validation": 1}
    others = {"ImageSets/Main/cat_train.txt", "ImageSets/Main/trainval.txt"}
    assert {id for id, e in every.items() if e["outcome"] == "missing_media"} == others
    assert understand(at).rows == len(every)


def test_lists_name_the_files_of_a_table_or_a_key(at: Path, cli: Cli) -> None:
    table(at / "metadata.csv", [{"file_name": f"{n}.wav", "who": f"s{n}"} for n in range(3)])
    for number in range(3):
        put(at / f"{number}.wav", WAV)
    put(at / "val.txt", "1\n")
    put(at / "people.txt", "s2\n")
    assert cli("build", "d").code == 0
    assert splits() == {"0.wav": "train", "1.wav": "validation", "2.wav": "train"}
    assert cli("build", "d", "--split", "list=people.txt by who", "--name", "d_2").code == 0
    assert splits("d_2") == {"0.wav": "train", "1.wav": "train", "2.wav": "people"}


def test_lists_split_a_table_that_is_read_in_batches(at: Path, cli: Cli) -> None:
    table(at / "all.csv", [{"key": f"k{n}", "text": f"No. {n}"} for n in range(4)])
    put(at / "ids" / "dev.lst", "k1\nk3\n")
    assert cli("build", "d", "--split", "list=ids/dev.lst by key").code == 0
    assert splits() == {"k0": "train", "k1": "validation", "k2": "train", "k3": "validation"}


def test_ljspeech_with_file_lists(at: Path, cli: Cli) -> None:
    put(at / "metadata.csv", "LJ001-0001|One|One\nLJ001-0002|Two|Two\n")
    for number in (1, 2):
        put(at / "wavs" / f"LJ001-000{number}.wav", WAV)
    put(at / "filelists" / "val.txt", "wavs/LJ001-0002.wav|Two\n")
    assert cli("build", "d", "--split", "list=filelists/val.txt by audio").code == 0
    assert splits() == {"LJ001-0001": "train", "LJ001-0002": "validation"}


def test_names_of_no_record_and_records_of_no_list_are_told(at: Path, cli: Cli) -> None:
    pictures(at, "1", "2", "3")
    put(at / "train.txt", "1\nnone.jpg\n")
    put(at / "test.txt", "2\n")
    seen = understand(at)
    assert seen.left_out == {
        "train.txt": "1 of its names match no record: none.jpg",
        "test.txt": "names the files of a split",
        "1 records": "no list names them",
    }
    assert seen.spec.splits.names == {"train": ["train.txt"], "test": ["test.txt"]}
    Path("d.yaml").write_text(cli("init", "d").out)
    said = cli("build", "d.yaml").err
    assert "train.txt: 1 of its names match no record: none.jpg" in said
    assert "1 records: no list names them" in said


@pytest.mark.parametrize("line", ["2.jpg", "b/2"])
def test_a_record_in_two_lists_is_an_error(line: str, at: Path, cli: Cli) -> None:
    pictures(at / "b", "1", "2")
    put(at / "train.txt", "1\n2\n")
    put(at / "test.txt", f"{line}\n")
    told = cli("build", "d")
    assert told.code == 1 and "train.txt" in told.err and "test.txt" in told.err
    written = cli("init", "d", "--split", "all").out
    spec = yaml.safe_load(written)
    spec["splits"] = {"by": "list", "names": {"train": ["train.txt"], "test": ["test.txt"]}}
    Path("d.yaml").write_text(yaml.safe_dump(spec))
    told = cli("build", "d.yaml")
    assert told.code == 1 and "train.txt" in told.err and "test.txt" in told.err
    assert not list(Path("data").rglob("*.parquet"))


def test_what_init_writes_of_lists_is_built(at: Path, cli: Cli) -> None:
    pictures(at, "1", "2")
    put(at / "val.txt", "2.jpg\n")
    Path("d.yaml").write_text(cli("init", "d").out)
    assert cli("build", "d.yaml").code == 0
    assert splits() == {"1.jpg": "train", "2.jpg": "validation"}
    (at / "val.txt").unlink()
    assert "the list of a split val.txt is not there" in cli("build", "d.yaml", "--rebuild").err


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [("a/1.jpg", "1"), ("a/*.jpg", "12"), ("**/*.jpg", "1234"), ("*.jpg", "4"), ("a/**", "123"),
     ("?/[!1].jpg", "2"), ("*.*", "45")],
)  # fmt: skip
def test_patterns_of_files_say_the_split(pattern: str, numbers: str, at: Path, cli: Cli) -> None:
    pictures(at, "a/1", "a/2", "a/b/3", "4")
    put(at / "5.png", png(5))
    spec = yaml.safe_load(cli("init", "d").out)
    spec["splits"] = {"by": "file", "names": {"test": [pattern], "train": ["**"]}}
    Path("d.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    assert cli("build", "d.yaml").code == 0
    chosen = [Path(id).stem for id, split in splits().items() if split == "test"]
    assert sorted(chosen) == [*numbers]


def test_lists_and_folders_that_both_say_splits_stop(at: Path) -> None:
    pictures(at, "train/1", "test/2")
    put(at / "val.txt", "1\n")
    with pytest.raises(EdgeGlassError, match=r"folders and lists may each say the splits"):
        understand(at)
    assert understand(at, Choices(split="folder")).spec.splits.by == "folder"


@pytest.mark.parametrize("rule", ["train:.5,test:.5", "train:.5,test:.5 by speaker"])
def test_shares_keep_the_rows_of_a_file_or_group_in_one_split(
    rule: str, at: Path, cli: Cli
) -> None:
    records = [
        {"file_name": f"{n}.jpg", "text": f"{lang} {n}", "speaker": spelling}
        for n in range(20)
        for lang in ("en", "de", "fr")
        for spelling in (unicodedata.normalize("NFD" if lang == "en" else "NFC", f"é{n % 9}"),)
    ]
    pictures(at, *map(str, range(20)))
    table(at / "metadata.csv", records)
    assert cli("build", "d", "--split", rule).code == 0
    build = manifest.read(Path("data/d"))
    assert build.outcomes() == {"kept": 60}
    wholes = Counter[str]()
    for split, each in build.splits.items():
        key = "speaker" if "by" in rule else "image"
        for shard in each.shards:
            every = pq.read_table(Path("data/d", shard.file), columns=[key])[key].to_pylist()
            wholes.update({unicodedata.normalize("NFC", str(value)) for value in every})
        assert each.rows, split
    assert {*wholes.values()} == {1} and len(wholes) == (9 if "by" in rule else 20)


@given(
    groups=st.lists(st.text(), min_size=1, max_size=30),
    shares=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_a_group_is_in_one_split_whatever_the_shares(
    groups: list[str], shares: list[int], seed: int
) -> None:
    parts = {f"part{n}": share / sum(shares) for n, share in enumerate(shares)}
    rule = Splits(by="share", key="g", names={n: [] for n in parts}, shares=parts, seed=seed)
    for group in groups:
        records = [Record(f"row {n}", {"g": group, "n": n}) for n in range(3)]
        records.append(Record("row 3", {"g": unicodedata.normalize("NFD", group)}))
        (split,) = {split_of(rule, said_of_split(rule, record)) for record in records}
        assert split in parts


@pytest.mark.parametrize(
    "kind", ["{word}/{n}.jpg", "{word}.csv", "{word}-0.tar", "keys.csv", "{word}.txt"]
)
def test_words_of_one_split_that_are_there_together_keep_their_names(kind: str, at: Path) -> None:
    """`dev` and `val`, `test` and `eval`: `datasets` makes one split of them."""
    words = ["dev", "eval", "test", "train", "val"]
    for number, word in enumerate(words):
        name = at / kind.format(word=word, n=number)
        if name.suffix == ".tar":
            tarred(name, {f"{number}.jpg": jpeg(number)})
        elif name.suffix == ".csv":
            table(name, [{"text": f"{n}", "split": n} for n in words])
        else:
            put(name, jpeg(number) if name.suffix == ".jpg" else f"{number}\n")
    if kind.endswith(".txt"):
        pictures(at, *map(str, range(5)))
    lists = f"list={','.join(f'{word}.txt' for word in words)}"
    asked = {"{word}.txt": [lists], "keys.csv": ["key=split"], "{word}.csv": ["folder"]}
    for rule in asked.get(kind, [None, "folder"]):
        splits = understand(at, Choices(split=rule)).spec.splits
        assert [*splits.names] == ["train", "dev", "val", "eval", "test"]


@pytest.mark.parametrize(("one", "other"), [("Train", "train"), ("a-b", "a_b")])
def test_values_whose_splits_would_have_one_name_stop(one: str, other: str, at: Path) -> None:
    table(at / "all.csv", [{"text": word, "split": word} for word in (one, other, "test")])
    with pytest.raises(EdgeGlassError, match=f"'{one}' and '{other}' would be one split"):
        understand(at, Choices(split="key=split"))


def test_shares_of_rows_with_several_files_ask_which_stay_together(at: Path, cli: Cli) -> None:
    """Two lists that share a page came into two splits."""
    pictures(at, "1", "2", "3")
    records = [{"file_names": [f"{n}.jpg", f"{n + 1}.jpg"], "deck": "a"} for n in (1, 2)]
    put(at / "metadata.jsonl", lines(records))
    told = cli("plan", "d", "--split", "train:0.5,test:0.5")
    assert told.code == 1 and "--split 'train:0.5,test:0.5 by KEY'" in told.err
    for key in ("deck", "file_names"):
        assert cli("plan", "d", "--split", f"train:0.5,test:0.5 by {key}").code == 0


def test_shares_keep_what_is_cut_out_of_a_recording_in_one_split(at: Path, cli: Cli) -> None:
    for n in range(12):
        put(at / f"{n}.wav", TALK)
        cues = "".join(f"00:0{k}.000 --> 00:0{k}.500\n{n} {k}\n\n" for k in range(3))
        put(at / f"{n}.vtt", f"WEBVTT\n\n{cues}")
    assert cli("build", "d", "--split", "train:0.5,test:0.5").code == 0
    splits = Counter[str]()
    for split in manifest.read(Path("data/d")).splits.values():
        tables = [pq.read_table(Path("data/d", shard.file)) for shard in split.shards]
        splits.update({text.split()[0] for each in tables for text in each["caption"].to_pylist()})
    assert splits == {str(n): 1 for n in range(12)}


@pytest.mark.parametrize(
    ("write", "key"), [(kaldi, "audio"), (lhotse_cuts, "audio"), (vqa, "image"), (docvqa, "image")]
)
def test_shares_keep_the_rows_of_a_file_in_one_split_in_each_layout(
    write: Callable[[Path, str], None], key: str, at: Path
) -> None:
    write(at, "")
    rule = understand(next(at.iterdir()), Choices(split="train:.5,test:.5")).spec.splits
    assert rule.key == key


def test_split_by_folders_that_are_not_there_is_an_error(at: Path, cli: Cli) -> None:
    table(at / "a.csv", [{"text": "One"}])
    told = cli("plan", "d", "--split", "folder")
    assert told.code == 1 and "--split folder: use all, folder" in told.err


@pytest.mark.parametrize("archive", ["", ".zip", ".tar"])
def test_a_plan_counts_the_rows_that_lists_split(archive: str, at: Path, cli: Cli) -> None:
    pictures(at, "1", "2", "3")
    put(at / "test.txt", "2\n")
    if archive:
        shutil.make_archive("d", archive[1:], at)
    (plan,) = json.loads(cli("plan", f"d{archive}", "--json").out)
    assert plan["rows"] == {"train": 2, "test": 1} and plan["exact"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("val/a/1.jpg", "val"),
        ("a/Train.tar.gz/1.jpg", "train"),
        ("training/val/1.jpg", "training"),
        ("trainset/1.jpg", ""),
        ("a/train.jpg", ""),
        ("a/train-00.csv.gz", "train"),
        ("val/test.csv", "val"),
        ("train\n/1.jpg", ""),
    ],
)
def test_the_word_for_a_split_is_a_whole_folder_or_in_the_name_of_a_table(
    name: str, word: str
) -> None:
    assert split_word(name) == word


def test_files_that_records_of_an_inner_folder_name_lie_there(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    assert member("./1.jpg", "a", inner, tmp_path) == "inner/a/1.jpg"
    assert member("../1.jpg", "a", inner, inner) == "1.jpg"
    assert member("b//1.jpg", "", inner / "list.csv", inner) == "b/1.jpg"
