"""What is kept of sources is made again once it is another: unpacked archives, indexes, folders."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from kit import ROOT, build_raw, edit
from test_archives import FEW, MAKERS
from test_archives import unpack as unpacked
from test_kept_bytes import files, flip
from test_tars import MEMBERS, indexed, pack

from edge_glass.core import manifest
from edge_glass.sources.contents import contents


def changed(folder: Path) -> None:
    flip(folder / "d" / "a.wav")


def gone(folder: Path) -> None:
    (folder / "d" / "b.wav").unlink()


def more(folder: Path) -> None:
    (folder / "d" / "c.wav").write_bytes(b"another")


def in_the_record(folder: Path) -> None:
    flip(folder.with_name("unpacked.json"))


def in_the_listing(folder: Path) -> None:
    flip(folder.with_name("unpacked.files"))


@pytest.mark.parametrize("damage", [changed, gone, more, in_the_record, in_the_listing])
def test_an_unpacked_archive_is_unpacked_again_once_it_is_another(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    MAKERS["a.zip"](tmp_path / "a.zip", FEW)
    assert unpacked(tmp_path / "a.zip") == FEW
    folder = tmp_path / "store" / "unpacked"
    first = folder.stat().st_ino
    assert unpacked(tmp_path / "a.zip") == FEW and folder.stat().st_ino == first
    damage(folder)
    assert unpacked(tmp_path / "a.zip") == FEW


def test_a_file_whose_time_was_set_back_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "raw" / "deep").mkdir(parents=True)
    for name in ("a", "deep/b"):
        (tmp_path / "raw" / name).write_bytes(b"sound")
    (tmp_path / "raw" / "loop").symlink_to(tmp_path / "raw")
    first = contents(tmp_path / "raw", tmp_path / "listing", lambda *_: None)
    assert (first.files, first.bytes) == (2, 10)
    assert contents(tmp_path / "raw", tmp_path / "listing", lambda *_: None) == first
    was = (tmp_path / "raw" / "a").stat()
    (tmp_path / "raw" / "a").write_bytes(b"round")
    os.utime(tmp_path / "raw" / "a", ns=(was.st_atime_ns, was.st_mtime_ns))
    assert contents(tmp_path / "raw", tmp_path / "listing", lambda *_: None) != first
    (tmp_path / "raw" / "a").write_bytes(b"sound")
    assert contents(tmp_path / "raw", tmp_path / "listing", lambda *_: None) == first


def swapped(index: Path) -> None:
    with sqlite3.connect(index / "members.sqlite") as db:
        (a, b) = db.execute("SELECT offset FROM members WHERE size > 2000").fetchall()[:2]
        for old, new in ((a[0], -1), (b[0], a[0]), (-1, b[0])):
            db.execute("UPDATE members SET offset = ? WHERE offset = ?", (new, old))
    db.close()


def in_seek_points(index: Path) -> None:
    flip(index / "seek.idx")


def in_its_record(index: Path) -> None:
    flip(index / "index.json")


@pytest.mark.parametrize("damage", [swapped, in_seek_points, in_its_record])
def test_the_index_of_a_tar_is_made_again_once_it_is_another(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    archive = pack(tmp_path / "a.tar.gz", MEMBERS.items())
    damage(indexed(archive).index)
    tar = indexed(archive)
    assert {name: tar.read(name) for name in tar.names()} == MEMBERS


def test_a_build_of_a_folder_that_changed_is_made_again(clotho: Path, tmp_path: Path) -> None:
    folder = build_raw("clotho", clotho, tmp_path / "out")
    before = manifest.read(folder)
    assert {source.folder is None or source.content is not None for source in before.sources} == {
        True
    }
    sound = next((clotho / "evaluation").iterdir())
    was = sound.stat()
    flip(sound)
    os.utime(sound, ns=(was.st_atime_ns, was.st_mtime_ns))
    after = manifest.read(build_raw("clotho", clotho, tmp_path / "out"))
    changed = [a.file for a, b in zip(before.sources, after.sources, strict=True) if a != b]
    assert changed == ["clotho_audio_evaluation.7z"] and before.digests() != after.digests()
    moved = build_raw("clotho", clotho.rename(tmp_path / "elsewhere"), tmp_path / "moved")
    assert files(moved) == files(folder)  # no name or time of this machine is in it


def test_what_is_read_beside_a_folder_is_part_of_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples" / "librispeech", tmp_path / "raw")
    made = []
    for _ in range(2):
        out = tmp_path / "out"
        folder = build_raw("librispeech", tmp_path / "raw", out, splits=["validation.clean"])
        made.append(manifest.read(folder).sources)
        edit(next((tmp_path / "raw").rglob("SPEAKERS.TXT")), lambda data: data + b"; more\n")
    assert made[0] != made[1]
