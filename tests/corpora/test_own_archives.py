"""Archives inside a folder: tars of samples, tars of folders as other layouts have them, zips."""

import gzip
import io
import shutil
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest
from kit import Cli, entries, rows
from ownfiles import WAV, jpeg, lines, put

from edge_glass.audit.verify import verify
from edge_glass.core import manifest
from edge_glass.core.errors import ChoiceError, EdgeGlassError
from edge_glass.corpora.understand import Choices, understand


def tgz(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def speaker(at: Path, name: str, *texts: bytes, readme: bytes = b"") -> None:
    """As VoxForge is downloaded: a .tgz a speaker, with the speaker's folder in it."""
    prompts = (b"%s/mfc/a%04d %s\n" % (name.encode(), n, t) for n, t in enumerate(texts))
    members = {f"{name}/etc/PROMPTS": b"".join(prompts), f"{name}/etc/README": readme}
    members |= {f"{name}/wav/a{n:04d}.wav": WAV for n in range(len(texts))}
    tgz(at / f"{name}.tgz", members)


def test_voxforge_as_it_is_downloaded_has_its_prompts(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    speaker(tmp_path / "vf", "ann-20100101-abc", b"HELLO", b"WORLD", readme=b"Gender: Female\n")
    latin = "Name: José\n\nGender: Male\n".encode("latin-1")
    speaker(tmp_path / "vf", "joe-20110101-abc", b"GOOD", "CAFÉ".encode("latin-1"), readme=latin)
    assert cli("build", "vf").code == 0
    built = Path("data/vf")
    assert {row["caption"] for row in rows(built).values()} == {"HELLO", "WORLD", "GOOD"}
    assert Counter(row["gender"] for row in rows(built).values()) == {"Female": 2, "Male": 1}
    assert Counter(e["outcome"] for e in entries(built).values()) == {"kept": 3, "bad_encoding": 1}
    assert not [finding for finding in verify(Path("data")) if finding.kind == "error"]


def test_tars_of_a_table_and_its_files_are_splits(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for split, numbers in (("train", (1, 2)), ("test", (3,))):
        records = [{"file_name": f"pictures/{n}.jpg", "text": f"No. {n}"} for n in numbers]
        members = {f"pictures/{n}.jpg": jpeg(n) for n in numbers}
        tgz(
            tmp_path / "birds" / f"{split}.tgz",
            {"metadata.jsonl": lines(records).encode()} | members,
        )
    assert cli("build", "birds").code == 0
    built = Path("data/birds")
    assert {row["caption"] for row in rows(built).values()} == {"No. 1", "No. 2", "No. 3"}
    assert {n: s.rows for n, s in manifest.read(built).splits.items()} == {"train": 2, "test": 1}


def test_folders_in_tars_may_be_classes_which_is_asked(tmp_path: Path) -> None:
    for split in ("train", "test"):
        pictures = {f"{bird}/{n}.jpg": jpeg(n) for bird in ("owl", "wren") for n in (1, 2)}
        tgz(tmp_path / "d" / f"{split}.tgz", pictures)
    with pytest.raises(ChoiceError, match="--layout media"):
        understand(tmp_path / "d")
    seen = understand(tmp_path / "d", Choices(layout="media"))
    assert {*seen.spec.splits.names} == {"train", "test"} and seen.rows == 8
    assert understand(tmp_path / "d", Choices(layout="webdataset")).spec.layout == "webdataset"


@pytest.mark.parametrize("suffix", [".tgz", ".tar.gz"])
def test_packed_shards_are_of_the_split_that_their_names_say(suffix: str, tmp_path: Path) -> None:
    for split in ("train", "val"):
        tgz(tmp_path / "d" / f"{split}-0000{suffix}", {"1.jpg": jpeg(1), "1.txt": b"A bird."})
    assert {*understand(tmp_path / "d").spec.splits.names} == {"train", "validation"}


def shar(at: Path, *ids: str) -> None:
    """As Lhotse writes it: cuts beside tars of their recordings."""
    source = {"type": "shar", "channels": [0], "source": ""}
    recording = {"id": "r", "sources": [source], "sampling_rate": 44100, "duration": 0.5}
    said = {"id": "s", "recording_id": "r", "start": 0, "duration": 0.5}
    cuts = [{"id": id, "start": 0, "duration": 0.5, "channel": 0, "type": "MonoCut",
             "recording": recording, "supervisions": [said | {"text": f"{at.name} {id}"}]}
            for id in ids]  # fmt: skip
    tgz(at / "recording.000000.tar", {f"{id}.wav": WAV for id in ids[1:]})
    put(at / "cuts.000000.jsonl.gz", gzip.compress(lines(cuts).encode()))


def test_shar_of_lhotse_has_the_texts_of_its_cuts(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shar(tmp_path / "shar" / "train", "gone", "a", "b")
    shar(tmp_path / "shar" / "dev", "gone", "c")
    assert cli("build", "shar").code == 0
    built = Path("data/shar")
    assert {row["caption"] for row in rows(built).values()} == {"train a", "train b", "dev c"}
    outcomes = Counter(entry["outcome"] for entry in entries(built).values())
    assert outcomes == {"kept": 3, "missing_media": 2}
    assert [*manifest.read(built).splits] == ["train", "validation"]


def zipped(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def metadata(*names: str) -> bytes:
    return "".join(["file_name,text\n", *(f"{name},No. {name}\n" for name in names)]).encode()


def pictures(folder: str = "") -> dict[str, bytes]:
    return {f"{folder}{n}.jpg": jpeg(n) for n in (1, 2)}


def built(cli: Cli, *options: str) -> dict[str, tuple[str, Any]]:
    """The split, and the caption or class, of each row of the folder `d`."""
    assert cli("build", "d", *options).code == 0
    assert not [finding for finding in verify(Path("data")) if finding.kind == "error"]
    listed, kept = entries(Path("data/d")), rows(Path("data/d"))
    assert kept.keys() == listed.keys()
    return {id: (listed[id]["split"], r.get("caption", r.get("label"))) for id, r in kept.items()}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "d"


def test_zips_of_splits_are_the_folders_that_they_hold(at: Path, cli: Cli) -> None:
    """With a folder of that name in them, or without, where imagefolder leaves the classes out."""
    zipped(at / "train.zip", pictures("train/owl/") | pictures("train/wren/"))
    zipped(at / "test.zip", pictures("owl/") | pictures("wren/") | {"__MACOSX/._1.jpg": b""})
    made = built(cli, "--jobs", "2")
    peer = datasets.load_dataset("imagefolder", data_dir=str(at), cache_dir=str(at.parent / "hf"))
    assert Counter(split for split, _ in made.values()) == {s: len(peer[s]) for s in peer}
    assert Counter(made.values()) == {(split, label): 2 for split in peer for label in (0, 1)}


def test_a_table_inside_of_each_zip_or_beside_one_names_its_files(at: Path, cli: Cli) -> None:
    for split in ("train", "test"):
        table = {"metadata.csv": metadata("1.jpg", "2.jpg")}
        zipped(at / f"{split}.zip", pictures() | table)
    assert Counter(built(cli).values()) == {
        (split, f"No. {n}.jpg"): 1 for split in ("train", "test") for n in (1, 2)
    }
    shutil.rmtree(at)
    zipped(at / "images.zip", pictures("images/"))
    put(at / "metadata.csv", metadata("images/1.jpg", "images/2.jpg"))
    put(at / "other.csv", "what\n7\n")
    assert {*built(cli).values()} == {("train", f"No. images/{n}.jpg") for n in (1, 2)}


def test_recordings_in_an_archive_are_cut_where_they_lie(at: Path, cli: Cli) -> None:
    tgz(at / "wav.tar.gz", {"a.wav": WAV})
    cuts = "wav/a.wav,0.1,0.2,One\nwav/a.wav,0,0.1,Two\n"
    put(at / "metadata.csv", f"file_name,start,end,text\n{cuts}")
    assert {*built(cli).values()} == {("train", "One"), ("train", "Two")}
    assert {row["duration"] for row in rows(Path("data/d")).values()} == {0.1}


def test_zips_of_a_clone_are_of_the_splits_of_its_readme(at: Path, cli: Cli) -> None:
    zipped(at / "a.zip", pictures())
    zipped(at / "b.zip", {"3.jpg": jpeg(3)})
    files = "- {split: train, path: a.zip}\n  - {split: test, path: b.zip}"
    put(at / "README.md", f"---\nconfigs:\n- config_name: x\n  data_files:\n  {files}\n---\n")
    assert Counter(split for split, _ in built(cli).values()) == {"train": 2, "test": 1}


def test_an_archive_that_is_unpacked_beside_it_is_not_read_twice(at: Path, cli: Cli) -> None:
    for name, data in pictures("images/").items():
        put(at / name, data)
    zipped(at / "images.zip", pictures("images/"))
    zipped(at / "published.zip", pictures("images/"))
    zipped(at / "more.zip", {"3.jpg": jpeg(3), "inner.zip": b"PK"})
    zipped(at / "4.jpg.zip", {"4.jpg": jpeg(4)})
    assert {*built(cli)} == {"images/1.jpg", "images/2.jpg", "more/3.jpg", "4.jpg/4.jpg"}
    assert "unpacked beside it, in another archive" in understand(at).left_out["*.zip"]


def test_a_damaged_archive_in_a_folder_is_named(at: Path) -> None:
    put(at / "1.jpg", jpeg(1))
    put(at / "more.zip", b"PK")
    with pytest.raises(EdgeGlassError, match=r"more\.zip: damaged"):
        understand(at)


@pytest.mark.parametrize("name", ["1.jpg", "d.parquet", "a.tar", "b.zip"])
def test_pointers_of_git_lfs_are_told(name: str, at: Path) -> None:
    put(at / ".gitattributes", f"*.{name[2:]} filter=lfs diff=lfs merge=lfs -text\n")
    put(at / "x" / "1.txt", "A bird.")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 12345\n"
    put(at / "x" / name, pointer)
    for place in (at, at / "x", at / "x" / name):
        with pytest.raises(EdgeGlassError, match=rf"{name}: a pointer of Git LFS.* `git lfs pull`"):
            understand(place)
