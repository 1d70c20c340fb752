"""docs/from-img2dataset.md: each command of ours is run as it stands, and makes the rows."""

import gzip
import io
import json
import re
import shlex
import tarfile
from pathlib import Path

import datasets
import pytest
from kit import ROOT, rows
from own_pictures import class_folders, metadata_csv
from own_recordings import kaldi, lhotse_cuts, ljspeech
from ownfiles import put, table
from PIL import Image
from server import Files

from edge_glass.cli.main import main
from edge_glass.core import manifest

PAGE = (ROOT / "docs" / "from-img2dataset.md").read_text()
COMMANDS = [found[1] for found in re.finditer(r"\| `edge-glass (.*)` \|$", PAGE, re.MULTILINE)]
SIDES = {
    "border": {(256, 256)},
    "center_crop": {(128, 128)},
    "smallest": {(342, 256), (343, 256)},
}
SOUNDS = ("calls", "LJSpeech-1.1", "egs", "cuts")
ROWS = {"birds": 8, "egs": 4}
BUILDS = [command for command in COMMANDS if command.startswith("build")]


def write_lists(at: Path, url: str) -> None:
    """The lists that the commands name, of two pictures each, and the folders."""
    for number in (1, 2):
        out = io.BytesIO()
        Image.new("RGB", (400 + number, 300), (9, 90, 200)).save(out, "JPEG")
        put(at / "web" / f"{number}.jpg", out.getvalue())
    urls = [f"{url}/web/{number}.jpg" for number in (1, 2)]
    lower = [{"url": each, "caption": f"No. {n}"} for n, each in enumerate(urls)]
    upper = [
        {"URL": each, "TEXT": f"No. {n}", "NSFW": "UNLIKELY", "similarity": 0.3, "LICENSE": "?"}
        for n, each in enumerate(urls)
    ]
    put(at / "myimglist.txt", "\n".join(urls) + "\n")
    table(at / "cc3m.tsv", lower, "\t")
    put(at / "list.tsv.gz", gzip.compress((at / "cc3m.tsv").read_bytes(), mtime=0))
    table(at / "list.json", lower)
    table(at / "mscoco.parquet", upper)
    table(at / "laion400m-meta" / "part-00000.parquet", upper)
    for write in (class_folders, metadata_csv, ljspeech, kaldi, lhotse_cuts):
        write(at, url)


def run(command: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0, command


def built(command: str, at: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run one of our commands in a folder with the lists; the folder of its config."""
    monkeypatch.setenv("EDGE_GLASS_CACHE", str(at / "cache"))
    monkeypatch.chdir(at)
    words = shlex.split(command)
    with Files(at) as server:
        write_lists(at, server.url)
        local = [] if words[1] in ("birds", *SOUNDS) else ["--intranet"]
        run([*words, *local, "--jobs", "1"])
    (folder,) = manifest.built(at / words[words.index("--out") + 1]).values()
    return folder


@pytest.mark.parametrize("command", BUILDS)
def test_each_command_makes_the_rows(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = built(command, tmp_path, monkeypatch)
    found = list(rows(folder).values())
    media = "audio" if command.split()[1] in SOUNDS else "image"
    assert len(found) == ROWS.get(command.split()[1], 2)
    assert all(row[media]["bytes"] for row in found)
    if "caption" in command.lower():
        assert sorted(row["caption"] for row in found) == ["No. 0", "No. 1"]
    if "laion" in command:
        assert {"NSFW", "similarity", "LICENSE"} <= found[0].keys()
    if resize := re.search(r"resize=(\w+)", command):
        sides = {(row["width"], row["height"]) for row in found}
        assert sides == SIDES[resize[1]]
    assert ("label" in found[0]) == ("birds" in command and "folder=none" not in command)


def test_a_folder_is_loaded_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built("build birds --out data", tmp_path, monkeypatch)
    birds = datasets.load_dataset("./data", "birds")
    assert {split: len(rows_) for split, rows_ in birds.items()} == {"train": 4, "test": 4}


def test_webdataset_is_written_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (export,) = (command for command in COMMANDS if command.startswith("export"))
    built("build myimglist.txt --out whole", tmp_path, monkeypatch)
    run(shlex.split(export))
    stats = json.loads((tmp_path / "tars" / "train" / "00000_stats.json").read_text())
    assert stats["successes"] == 2
    with tarfile.open(tmp_path / "tars" / "train" / "00000.tar") as tar:
        samples = [tar.extractfile(name) for name in tar.getnames() if name.endswith(".json")]
        captions = [json.load(sample)["caption"] for sample in samples if sample]
    assert captions == [None, None]  # the list has URLs alone


def test_a_new_corpus_is_begun_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (new,) = set(COMMANDS) - set(BUILDS) - {c for c in COMMANDS if c.startswith("export")}
    monkeypatch.chdir(tmp_path)
    run(shlex.split(new))
    assert (tmp_path / "sparrows" / "pyproject.toml").is_file()
