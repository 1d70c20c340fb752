"""Data of one's own as they really lie about: what is odd is told, kept or in the ledger."""

import csv
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Hub
from kit import Cli, client, rows, sound
from ownfiles import jpeg, lines, put, table, tarred
from server import Files

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora.understand import Choices, understand

LOAD = """if True:
    import datasets, json
    rows = datasets.load_dataset("org/d", "d", split="train", revision="v1.0.0")
    rows = rows.cast_column("audio", datasets.Audio(decode=False))
    print(json.dumps([[row["image"].size[0] > 0 and row["id"][:1], row["audio"] is not None]
                      for row in rows]))
"""
Write = Callable[[Path], None]


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "d"


def outcomes(folder: Path) -> list[str]:
    return sorted(pq.read_table(folder / "ledger.parquet")["outcome"].to_pylist())


def test_one_tar_of_pictures_and_texts_is_built(at: Path, cli: Cli) -> None:
    tarred(at.with_suffix(".tar"), {"0.jpg": jpeg(0), "0.txt": "A bird.", "1.jpg": jpeg(1)})
    assert cli("build", "d.tar").code == 0
    assert outcomes(Path("data/d")) == ["blank_caption", "kept"]


@pytest.mark.parametrize("pictures", [False, True])
def test_a_blank_id_is_none(pictures: bool, at: Path, cli: Cli) -> None:
    """Such a row is called by its place, whether a table is read in batches or row by row."""
    records = [{"id": id, "caption": f"Bird {n}."} for n, id in enumerate(["", "b", " \u2003"])]
    for number, record in enumerate(records if pictures else []):
        record["file_name"] = f"{number}.jpg"
        put(at / f"{number}.jpg", jpeg(number))
    put(at / "metadata.jsonl", lines(records))
    assert cli("build", "d").code == 0
    assert sorted(rows(Path("data/d"))) == ["b", "metadata.jsonl row 1", "metadata.jsonl row 3"]
    assert list(verify(Path("data"))) == []


def test_a_row_may_lack_one_of_its_media(at: Path, cli: Cli) -> None:
    put(at / "1.jpg", jpeg(1))
    put(at / "2.wav", sound())
    put(at / "2.jpg", jpeg(2))
    assert cli("build", "d").code == 0
    assert [row["audio"] is None for row in rows(Path("data/d")).values()] == [True, False]
    assert not [finding for finding in verify(Path("data")) if finding.kind == "error"]


def test_rows_without_a_medium_are_published_loaded_and_withdrawn(
    at: Path, cli: Cli, hub: Hub
) -> None:
    for number in (1, 2, 3):
        put(at / f"{number}.jpg", jpeg(number))
    put(at / "2.wav", sound())
    assert cli("build", "d").code == 0
    assert cli("push", "d", "--from", "data", "--repo", "org/d", "--version", "1.0.0").code == 0
    assert client(hub, LOAD) == [["1", False], ["2", True], ["3", False]]
    put(Path("ids"), "3.jpg\n")
    assert cli("withdraw", "data", "--ids", "ids").code == 0
    assert cli("build", "d", "--rebuild").code == 0
    assert sorted(rows(Path("data/d"))) == ["1.jpg", "2.jpg"]
    assert not [finding for finding in verify(Path("data")) if finding.kind == "error"]


@pytest.mark.parametrize("splits", [[""], ["train/", "Test/"]])
def test_classes_may_lie_in_a_folder_of_the_archive(splits: list[str], at: Path) -> None:
    with zipfile.ZipFile(at.with_suffix(".zip"), "w") as file:
        for split in splits:
            for name in ("robin", "wren"):
                file.writestr(f"birds/{split}{name}/1.jpg", jpeg(1))
        file.writestr("__MACOSX/birds/._1.jpg", b"\0\5\x16\7")
    assert understand(at.with_suffix(".zip")).spec.columns["label"].names == ["robin", "wren"]


def test_folders_at_several_depths_are_no_classes(at: Path) -> None:
    for name in ("a/x/1.jpg", "a/y/1.jpg", "b/x/1.jpg"):
        put(at / name, jpeg(1))
    seen = understand(at)
    assert "label" not in seen.spec.columns and "folder" in seen.left_out


def test_a_stray_note_changes_no_id(at: Path) -> None:
    put(at / "1.jpg", jpeg(1))
    before = understand(at).spec.columns
    put(at / "notes.txt", "bought in May")
    assert understand(at).spec.columns == before


def test_no_place_of_the_users_is_in_an_id(at: Path, cli: Cli) -> None:
    put(at / "a" / "1.wav", sound())
    put(at / "a" / "2.wav", sound())
    table(Path("list.csv"), [{"path": str(at / "a" / f"{n}.wav")} for n in (1, 2)])
    assert cli("build", "list.csv").code == 0
    assert sorted(rows(Path("data/list"))) == ["1.wav", "2.wav"]


def test_recordings_named_in_two_ways_stay_two_rows(at: Path, cli: Cli) -> None:
    put(at / "1.wav", sound())
    table(at / "list.csv", [{"path": "1.wav"}, {"path": str(at / "1.wav")}])
    assert cli("build", "d").code == 0
    assert sorted(rows(Path("data/d"))) == ["1.wav", "list.csv row 2"]


def test_speech_without_a_header_may_have_two_fields(at: Path) -> None:
    put(at / "wavs" / "a.wav", sound())
    put(at / "metadata.csv", "a|A bird.\n")
    assert understand(at).spec.layout == "ljspeech"


def test_whole_numbers_of_any_size_are_kept(at: Path, cli: Cli) -> None:
    table(Path("list.jsonl"), [{"text": "A bird.", "hash": 2**63 + 5}])
    assert cli("build", "list.jsonl").code == 0
    assert [row["hash"] for row in rows(Path("data/list")).values()] == [str(2**63 + 5)]


def test_a_map_is_json(at: Path, cli: Cli) -> None:
    pairs = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32()))
    pq.write_table(pa.table({"text": ["A bird."], "pairs": pairs}), "list.parquet")
    assert cli("build", "list.parquet").code == 0
    assert [row["pairs"] for row in rows(Path("data/list")).values()] == ['[["k", 1]]']


def utf16(at: Path) -> None:
    put(at / "list.csv", "file\ttext\r\n1.jpg\tété\r\n".encode("utf-16"))


def two_metadata(at: Path) -> None:
    for suffix in (".csv", ".jsonl"):
        table(at / f"metadata{suffix}", [{"file_name": "1.jpg"}])


def other_encoding(at: Path) -> None:
    put(at / "metadata.csv", "file_name,text\n1.jpg,été\n".encode("latin-1"))


def backslashes(at: Path) -> None:
    table(at / "list.csv", [{"image": "img\\1.jpg"}])


def odd_split(at: Path) -> None:
    table(at / "list.csv", [{"f": "1.jpg", "split": "Train"}, {"f": "2.jpg", "split": "holdout"}])
    put(at / "2.jpg", jpeg(2))


def languages(at: Path) -> None:
    table(at / "list.csv", [{"f": "1.jpg", "caption_en": "A bird.", "caption_fr": "Un oiseau."}])


def clock(at: Path) -> None:
    put(at / "talk.wav", sound())
    (at / "1.jpg").unlink()
    table(at / "list.csv", [{"path": "talk.wav", "start": "00:00", "end": "00:01"}])


def bytes_elsewhere(at: Path) -> None:
    (at / "1.jpg").unlink()
    table(at / "list.parquet", [{"image": {"bytes": b"", "path": "/x/1.jpg"}, "text": "A bird."}])


def two_lists(at: Path) -> None:
    said = {"data": [{"file_name": "1.jpg"}], "others": [{"file_name": "1.jpg"}]}
    put(at / "metadata.json", json.dumps(said, indent=1))


def splits_in_values(at: Path) -> None:
    for split in ("train", "test"):
        put(at / split / "1.jpg", jpeg(1))
    table(at / "metadata.csv", [{"file_name": f"{split}/1.jpg"} for split in ("train", "test")])


def packed(at: Path) -> None:
    (at / "1.jpg").unlink()
    put(at / "birds.rar", b"Rar!")


def no_rows(at: Path) -> None:
    (at / "1.jpg").unlink()
    pq.write_table(pa.table({"url": pa.array([], pa.string())}), at / "list.parquet")


def our_build(at: Path) -> None:
    for name in ("manifest.json", "ledger.parquet", "train-00000-of-00001.parquet"):
        put(at / name, b"")


STOPS: list[tuple[Write, str]] = [
    (no_rows, r"no rows in it: list.parquet \(a table without rows\)"),
    (our_build, "is already a build: `push` publishes it"),
    (utf16, "UTF-16: save it as UTF-8"),
    (two_metadata, "metadata.csv and metadata.jsonl are both metadata: remove one"),
    (other_encoding, "metadata.csv: no row can be read: not UTF-8"),
    (backslashes, "--layout media"),
    (odd_split, "--split key=split"),
    (languages, "--caption caption_en,caption_fr"),
    (clock, "--column start=text"),
    (bytes_elsewhere, "--column image=none"),
    (two_lists, "lists of objects under data and others"),
    (splits_in_values, "--split all"),
    (packed, "no rows in it: \\*.rar"),
]


@pytest.mark.parametrize(("write", "told"), STOPS, ids=[write.__name__ for write, _ in STOPS])
def test_what_is_not_clear_stops(write: Write, told: str, at: Path) -> None:
    put(at / "1.jpg", jpeg(1))
    write(at)
    with pytest.raises(EdgeGlassError, match=told):
        understand(at)


def test_what_the_user_says_is_done(at: Path) -> None:
    put(at / "1.jpg", jpeg(1))
    backslashes(at)
    assert understand(at, Choices(layout="media")).rows == 1
    odd_split(at)
    names = understand(at, Choices(split="key=split")).spec.splits.names
    assert names == {"train": ["Train"], "holdout": []}


def test_a_table_whose_first_rows_are_broken_is_read(at: Path, cli: Cli) -> None:
    put(at / "metadata.csv", "file_name,text\n1.jpg,one, two\n2.jpg,fine\n")
    for number in (1, 2):
        put(at / f"{number}.jpg", jpeg(number))
    assert cli("build", "d").code == 0
    assert outcomes(Path("data/d")) == ["kept", "malformed_row", "missing_caption"]


def test_files_of_one_name_that_are_not_read_are_listed_once(at: Path) -> None:
    """As the prompts of VoxForge's speakers."""
    for speaker in ("anna-2010.1", "bob"):
        put(at / speaker / "prompted" / "1.jpg", jpeg(1))
        put(at / speaker / "etc" / "PROMPTS", "1 THE QUICK FOX")
    assert understand(at).left_out["*/PROMPTS"] == "neither media nor a table"
    assert not [name for name in understand(at).left_out if "etc" in name]


def test_digests_in_metadata_are_held_against_the_files(at: Path, cli: Cli) -> None:
    digests = [hashlib.md5(jpeg(1)).hexdigest(), "0" * 32]
    records = [{"file_name": f"{n}.jpg", "md5": digest} for n, digest in enumerate(digests, 1)]
    table(at / "metadata.csv", records)
    for number in (1, 2):
        put(at / f"{number}.jpg", jpeg(number))
    assert cli("build", "d").code == 0
    assert outcomes(Path("data/d")) == ["kept", "other_bytes"]


def test_what_is_not_read_is_listed(at: Path) -> None:
    put(at / "a" / "1.jpg", jpeg(1))
    put(at / "list.csv", "who,text\nx,été\n".encode("latin-1"))
    put(Path("big") / "2.jpg", jpeg(2))
    (at / "b").symlink_to("../big")
    left_out = understand(at).left_out
    assert "not UTF-8" in left_out["list.csv"] and "a link to a folder" in left_out["b"]


@pytest.mark.parametrize("listed", [False, True])
def test_what_lies_behind_a_link_is_digested_where_a_table_may_name_it(
    listed: bool, at: Path, cli: Cli
) -> None:
    put(at / "1.jpg", jpeg(1))
    put(Path("big") / "2.jpg", jpeg(2))
    put(Path("big") / "3.bin", b"much more")
    (at / "b").symlink_to("../big")
    if listed:
        table(
            at / "metadata.csv", [{"file_name": n, "text": "A bird."} for n in ("1.jpg", "b/2.jpg")]
        )
    assert cli("build", "d").code == 0
    build = manifest.read(Path("data/d"))
    assert build.outcomes() == {"kept": 2 if listed else 1}
    assert build.sources[0].files == (4 if listed else 1)


def test_lines_that_are_no_urls_are_asked_for(at: Path) -> None:
    put(at / "words.txt", "tench 219\ngoldfish 407\n")
    with pytest.raises(EdgeGlassError, match="neither URLs nor names of files"):
        understand(at)
    assert understand(at, Choices(roles={"url": "text"})).rows == 2


def test_a_list_as_pandas_writes_it_with_bad_urls_in_it(at: Path, cli: Cli) -> None:
    put(at / "1.jpg", jpeg(1))
    with Files(at) as server, Path("list.csv").open("w", newline="") as file:
        urls = [f"{server.url}/1.jpg", "nowhere", f"{server.url}/404.jpg", f"{server.url}/1.jpg"]
        lines = [[number, url, "A bird."] for number, url in enumerate(urls)]
        csv.writer(file).writerows([["", "URL", "TEXT"], *lines])
        file.flush()
        done = cli("build", "list.csv", "--caption", "TEXT", "--intranet")
    assert done.code == 0, done.err
    assert outcomes(Path("data/list")) == ["bad_url", "duplicate_id", "kept", "removed"]
    (row,) = rows(Path("data/list")).values()
    assert row["column_1"] == 0 and row["caption"] == "A bird."
    with pytest.raises(EdgeGlassError, match="TEXT has no URLs"):
        understand("list.csv", Choices(roles={"TEXT": "url"}))


def test_a_name_that_is_not_there_is_told(at: Path, cli: Cli) -> None:
    assert "no file or folder is there" in cli("build", "nowhere.csv").err


def test_what_lies_beside_a_file_is_not_part_of_it(at: Path, cli: Cli) -> None:
    put(at / "1.jpg", jpeg(1))
    put(Path("one.wav"), sound())
    table(Path("list.csv"), [{"id": "1", "text": "a"}])
    put(at / "a.jpg", jpeg(1))
    assert [*understand("list.csv").spec.columns] == ["id", "caption"]
    assert cli("build", "one.wav", "--out", "../out").code == 0
    assert outcomes(Path("../out/one")) == ["kept"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_keys_may_have_any_name(suffix: str, at: Path, cli: Cli) -> None:
    # of the marks of a row and what we write down of it, and names that differ in case alone
    keys = [
        "row",
        "dropped",
        "detail",
        "media",
        "sections",
        "row.source",
        "Nest",
        "nest",
        'a"b',
        "{}",
        "{row}",
    ]
    records = [dict.fromkeys(keys, f"{n}") | {"file_name": f"{n}.jpg"} for n in (1, 2)]
    table(at / f"metadata{suffix}", records)
    for number in (1, 2):
        put(at / f"{number}.jpg", jpeg(number))
    table(Path(f"alone{suffix}"), [dict.fromkeys(keys, "1")])
    assert cli("build", "d").code == cli("build", f"alone{suffix}").code == 0
    for row in [rows(Path("data/d"))["2.jpg"], *rows(Path("data/alone")).values()]:
        ours = {"row.source": "listed_row.source", "nest": "listed_nest"}
        assert {str(row[ours.get(key, key)]) for key in keys} in ({"2"}, {"1"})
    assert not [finding for finding in verify(Path("data")) if finding.kind == "error"]


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_blanks_and_a_mark_are_no_part_of_a_columns_name(
    delimiter: str, mark: str, at: Path, cli: Cli
) -> None:
    lines = [[" id", "text ", " n "], ["a", " A bird.", "1"]]
    put(Path("list.csv"), mark + "\n".join(map(delimiter.join, lines)) + "\n")
    assert cli("build", "list.csv", "--json").code == 0
    assert rows(Path("data/list")) == {"a": {"id": "a", "caption": " A bird.", "n": 1}}
    put(Path("two.csv"), mark + delimiter.join(["text", " text"]) + "\nx\ny\n")
    assert "two columns are called 'text': rename one" in cli("build", "two.csv").err


def test_what_the_user_calls_a_medium_is_one(at: Path, cli: Cli) -> None:
    images = [{"bytes": data, "path": None} for data in (b"no picture", jpeg(1), b"")]
    table(Path("list.parquet"), [{"image": image, "text": "A bird."} for image in images])
    assert cli("build", "list.parquet", "--column", "image=image").code == 0
    assert outcomes(Path("data/list")) == ["empty_media", "kept", "wrong_kind"]
    table(Path("sounds.csv"), [{"url": "https://a.org/1", "file": "rec1", "text": "A bird."}])
    spec = understand("sounds.csv", Choices(roles={"url": "audio"})).spec
    assert spec.columns["audio"].stored_as == "url"
    with pytest.raises(EdgeGlassError, match="file has no names of audio files"):
        understand("sounds.csv", Choices(roles={"file": "audio"}))


def test_what_hf_download_notes_is_no_data(at: Path, cli: Cli) -> None:
    put(at / "1.jpg", jpeg(1))
    assert cli("build", "d").code == 0
    before = manifest.read(Path("data/d")).sources
    put(at / ".cache" / "huggingface" / "download" / "1.jpg.metadata", "a\nb\n1.0\n")
    assert cli("build", "d", "--rebuild").code == 0
    assert manifest.read(Path("data/d")).sources == before
