"""What the engine kept for later is believed only while its bytes are what they were."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from test_archives import FEW, MAKERS
from test_archives import unpack as unpacked
from test_tars import MEMBERS, indexed, pack

from edge_glass.core import manifest, records
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.manifest import HIDDEN
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan, worker
from edge_glass.pipeline.build import build
from edge_glass.sources.contents import contents

VARIANT = catalog.variant("clotho_sample")


def flip(path: Path, at: int | None = None) -> None:
    """Change one bit of a file, in the middle if nothing else is said."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_text("{}")


DAMAGE = [flip, cut, emptied, Path.unlink]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Caches


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


@pytest.mark.parametrize("damage", [cut, emptied, flip])
def test_a_record_that_is_damaged_is_no_record(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    records.write(tmp_path / "r.json", {"bytes": 5, "name": "é"})
    assert records.read(tmp_path / "r.json") == {"bytes": 5, "name": "é"}
    damage(tmp_path / "r.json")
    assert records.read(tmp_path / "r.json") is None
    for text in ("[]", "null", "[" * 100_000, '{"bytes": 5}'):
        (tmp_path / "r.json").write_text(text)
        assert records.read(tmp_path / "r.json") is None


# Work under way


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work of a build of several shards that stopped before its last step."""
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 250_000)

    def stop(*_: object) -> None:
        raise EdgeGlassError("stopped")

    with monkeypatch.context() as patch, pytest.raises(EdgeGlassError, match="stopped"):
        patch.setattr(manifest, "check_balance", stop)
        build(VARIANT, tmp_path)
    return tmp_path / HIDDEN / "work" / VARIANT.name


PARTS = ["train-00001-of-*.parquet", "train-00001.ledger.parquet", "train-00001.done.json"]
PLANS = ["train-00001.rows.gz", "plan.json", "inputs.json"]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", [*PARTS, *PLANS])
def test_work_that_was_damaged_is_done_again(
    damage: Callable[[Path], None], part: str, stopped: Path, in_pieces: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make, again = worker._make, list[str]()

    def counted(task: worker.Task, *more: object) -> object:
        again.append(task.order.stem)
        return make(task, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "_make", counted)
    [path] = stopped.glob(part)
    damage(path)
    build(VARIANT, stopped.parents[2])
    assert files(stopped.parents[2] / VARIANT.name) == files(in_pieces / VARIANT.name)
    if part in PARTS:
        assert again == ["train-00001"]
    elif part != "inputs.json":  # nobody knows any more what the shards were made of
        assert again == []
