"""A disk that is full: one clear error, nothing half written, and going on once there is room."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rawclotho import House, contents, edge_glass, write_raw
from server import Files
from test_archives import MAKERS, MEMBERS, read

from edge_glass.core.atomic_files import disk_full
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.key_digests import Keys
from edge_glass.corpora.catalog import variant
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release import write_card
from edge_glass.release.write_card import build
from edge_glass.sources import archives

PAGE = os.sysconf("SC_PAGE_SIZE")


class Disk:
    """A small disk in memory. Whoever is not root gets it in a namespace of their own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._inside: list[str] = []
        self._holder: subprocess.Popen[str] | None = None
        place.mkdir()
        self.path = place
        if self._mount("size=100k"):
            self._hold()
            if self._mount("size=100k"):
                raise OSError("mount is not allowed here")
            assert self._holder
            self.path = Path(f"/proc/{self._holder.pid}/root{place}")

    def _mount(self, options: str) -> int:
        mount = ["mount", "-t", "tmpfs", "-o", options, "edge-glass-test", str(self._place)]
        return subprocess.run([*self._inside, *mount], capture_output=True, check=False).returncode

    def _hold(self) -> None:
        code = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "echo; read _"]
        pipe = subprocess.PIPE
        self._holder = subprocess.Popen(code, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert self._holder.stdout
        if self._holder.stdout.readline() != "\n":
            raise OSError("neither mount nor unshare is allowed here")
        target = ["--target", str(self._holder.pid)]
        self._inside = ["nsenter", *target, "--user", "--mount", "--preserve-credentials"]

    def resize(self, size: int) -> None:
        assert self._mount(f"remount,size={size}") == 0

    def used(self) -> int:
        return shutil.disk_usage(self.path).used

    def close(self) -> None:
        if self._holder is None:
            subprocess.run(["umount", "--lazy", self._place], check=True)
        else:
            self._holder.communicate("\n")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        disk = Disk(tmp_path / "disk")
    except OSError as error:
        pytest.skip(f"no disk of its own can be had: {error}")
    yield disk
    disk.close()


def told(done: subprocess.CompletedProcess[str], *parts: object) -> None:
    """It ended with one clear error."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr, done.stderr
    assert done.stderr.count("error:") == 1, done.stderr
    for part in parts:
        assert str(part) in done.stderr, done.stderr


def test_the_output_disk_is_full(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, out = write_raw(tmp_path / "raw", clips=30), disk.path / "out"
    monkeypatch.setattr(shard_plan, "SHARD_BYTES", 300_000)
    undisturbed = tmp_path / "whole" / "out"
    build(variant("clotho"), undisturbed, Options(raw, unverified=True))
    write_card.write_report(undisturbed)
    expected = contents(undisturbed)
    arguments = ("build", "clotho", "--raw", raw, "--unverified", "--out", out)
    shards: dict[str, tuple[int, int]] = {}
    for size, jobs in ((8 * PAGE, 1), (1_400_000, 2)):
        disk.resize(size)
        done = edge_glass(*arguments, "--jobs", str(jobs), shard_bytes=300_000)
        told(done, disk.path, "disk is full", "Make room", "same command")
        assert not (out / "clotho").exists()
        # a shard is whole once its record is: the disk may fill between the two
        names = [json.loads(p.read_text())["shard"]["file"] for p in out.rglob("*.done.json")]
        shards = {p.name: _identity(p) for p in out.rglob("*-of-*.parquet") if p.name in names}
    assert 2 < len(shards) < sum("-of-" in name for name in expected)
    for size in (2_300_000, 2_600_000, 2_700_000):
        disk.resize(size)
        with pytest.raises(EdgeGlassError, match="disk is full"):
            build(variant("clotho"), out, Options(raw, unverified=True))
        assert (contents(out) if out.exists() else {}).items() <= expected.items()
    disk.resize(20_000_000)
    done = edge_glass(*arguments, "--jobs", "2", shard_bytes=300_000)
    assert done.returncode == 0, done.stderr
    assert contents(out) == expected
    assert shards.items() <= {p.name: _identity(p) for p in out.rglob("*.parquet")}.items()
    assert not list(out.rglob("*.tmp"))


def _identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_the_store_is_full(disk: Disk, tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", clips=30, archives=True)
    size = sum(path.stat().st_size for path in raw.iterdir())
    store = disk.path / "store"
    finished: dict[str, int] = {}  # files, and how often they had been asked for
    with Files(raw) as files:
        house = House.build(tmp_path / "house", raw, url=files.url)
        build = ("build", "meadow", "--jobs", "1", "--out", tmp_path / "out")
        for room in (size // 2, size + 50 * PAGE):
            disk.resize(room)
            told(edge_glass(*build, env=house.env(store)), store, "EDGE_GLASS_CACHE", "Make room")
            assert not list(disk.path.rglob("*.partial"))
            for path in raw.iterdir():
                if (store / "downloads" / "meadow" / path.name).exists():
                    finished.setdefault(path.name, len(files.asked(path.name)))
        assert len(finished) == 9
        assert any(asked.range for asked in files.log)  # of the second run, that goes on
        disk.resize(60_000_000)
        done = edge_glass(*build, env=house.env(store))
        assert done.returncode == 0, done.stderr
        assert finished == {name: len(files.asked(name)) for name in finished}
    for path in raw.iterdir():
        assert (store / "downloads" / "meadow" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "out" / "meadow").glob("*-of-*.parquet"))) == 3


@pytest.mark.parametrize("kind", ["tar", "7z"])
def test_unpacking_fills_the_disk(disk: Disk, tmp_path: Path, kind: str) -> None:
    """A tar does not tell beforehand what it holds, so that the disk itself has to say it."""
    archive = tmp_path / f"a.{kind}"
    MAKERS[f"a.{kind}"](archive, MEMBERS)
    with pytest.raises(EdgeGlassError) as error:
        archives.unpack(archive, disk.path / "store" / "a", lambda *_: None)
    [problem] = error.value.problems
    assert str(disk.path / "store") in problem and "EDGE_GLASS_CACHE" in problem
    assert {path.name for path in (disk.path / "store").iterdir()} <= {"a.lock"}
    assert disk.used() <= 2 * PAGE
    disk.resize(10_000_000)
    archives.unpack(archive, disk.path / "store" / "a", lambda *_: None)
    assert read(disk.path / "store" / "a") == MEMBERS


def test_the_disk_of_temporary_files_is_full(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names that disk, not the one of the output."""
    monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
    with (
        pytest.raises(EdgeGlassError, match=f"^{disk.path}/keys: the disk is full"),
        disk_full(Path("out"), ""),
        Keys(disk.path / "keys") as keys,
    ):
        for number in range(100_000):
            keys.add(str(number))
