"""Archives: what is in them comes out, and nothing ever leaves the folder."""

import binascii
import gzip
import io
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rawclotho import SAMPLES

from edge_glass.core.errors import EdgeGlassError
from edge_glass.sources import archives

SOUND = (SAMPLES / "development" / "Cash till.wav").read_bytes()
MEMBERS = {
    "development/ Leading space.wav": SOUND[:50_000],
    "development/L&#39;entity.wav": SOUND[50_000:60_000],
    "development/Bell #1.wav": SOUND[60_000:],
    "development/Café 日本 🎵.wav": SOUND[::-1],
    "development/trailing dots...": b"dots",
    "development/deep/er/still.wav": b"deep",
    "development/nothing.wav": b"",
    "top.txt": b"top",
}


def make_7z(path: Path, members: dict[str, bytes]) -> None:
    with py7zr.SevenZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(data, name)


def make_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def make_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, f"w:{_compression(path)}") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def _compression(path: Path) -> str:
    return path.name.partition(".tar")[2].lstrip(".")


MAKERS: dict[str, Callable[[Path, dict[str, bytes]], None]] = {
    "a.7z": make_7z,
    "a.zip": make_zip,
    "a.tar": make_tar,
    "a.tar.gz": make_tar,
    "a.tar.xz": make_tar,
    "a.tar.bz2": make_tar,
}


STORED = {"unpacked", "unpacked.lock", "unpacked.json", "unpacked.files"}


def unpack(archive: Path) -> dict[str, bytes]:
    """Unpack an archive beside it, and give back what is there."""
    folder = archive.parent / "store" / "unpacked"
    archives.unpack(archive, folder, lambda *_: None)
    return read(folder)


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive: Path, word: str) -> None:
    """Unpacking ends in one clear error, and leaves nothing anywhere."""
    before = set(archive.parent.rglob("*"))
    with pytest.raises(EdgeGlassError, match=word) as error:
        unpack(archive)
    [problem] = error.value.problems
    assert str(archive) in problem and "again from upstream" in problem
    store = archive.parent / "store"
    assert set(archive.parent.rglob("*")) - before <= {store, store / "unpacked.lock"}


@pytest.mark.parametrize("name", MAKERS)
def test_what_was_packed_comes_out(tmp_path: Path, name: str) -> None:
    MAKERS[name](tmp_path / name, MEMBERS)
    assert unpack(tmp_path / name) == MEMBERS


def test_a_7z_of_many_blocks_and_files(tmp_path: Path) -> None:
    """Blocks are unpacked by a thread each; files are closed, however many there are."""
    path = tmp_path / "a.7z"
    members = {f"d/{i}.wav": SOUND[i : i + 10] for i in range(1500)}
    names = list(members)
    for mode, part in (("w", names[:700]), ("a", names[700:1400]), ("a", names[1400:])):
        with py7zr.SevenZipFile(path, mode) as file:
            for name in part:
                file.writestr(members[name], name)
    script = (
        "import resource, sys; from pathlib import Path; from edge_glass.sources import archives\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n"
        "archives.unpack(Path(sys.argv[1]), Path(sys.argv[2]), lambda *_: None)"
    )
    subprocess.run([sys.executable, "-c", script, path, tmp_path / "out"], check=True)
    assert read(tmp_path / "out") == members


def test_the_folder_that_one_runs_in_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_7z(tmp_path / "a.7z", MEMBERS)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "development").symlink_to("/etc")
    monkeypatch.chdir(tmp_path / "here")
    assert unpack(tmp_path / "a.7z") == MEMBERS


BAD_NAMES = ["../x", "a/../../x", "/x", "/tmp/edge_glass_x", "..", "d/../../../x"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("kind", MAKERS)
def test_members_that_would_leave_their_folder(tmp_path: Path, kind: str, name: str) -> None:
    if kind == "a.7z":
        make_7z_unchecked(tmp_path / kind, name)
    else:
        MAKERS[kind](tmp_path / kind, {"good": b"good", name: b"bad"})
    refused(tmp_path / kind, "leave its folder")


def make_7z_unchecked(path: Path, name: str) -> None:
    """py7zr writes no bad names: put one in afterwards, and mend the checksums over it."""
    with py7zr.SevenZipFile(path, "w") as file:
        file.set_encoded_header_mode(False)
        file.writestr(b"bad", "n" * len(name))
    data = bytearray(path.read_bytes())
    offset, size = struct.unpack_from("<QQ", data, 12)
    place = slice(32 + offset, 32 + offset + size)
    header = bytes(data[place])
    renamed = header.replace(("n" * len(name)).encode("utf-16-le"), name.encode("utf-16-le"))
    assert renamed != header
    data[place] = renamed
    struct.pack_into("<I", data, 28, binascii.crc32(renamed))
    struct.pack_into("<I", data, 8, binascii.crc32(data[12:32]))
    path.write_bytes(data)
    with py7zr.SevenZipFile(path) as file:
        assert file.getnames() == [name]


SPECIAL = {
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_tar_members_that_are_no_files(tmp_path: Path, kind: str) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        info = tarfile.TarInfo("development/x.wav")
        info.type, info.linkname = SPECIAL[kind], "/etc/passwd"
        file.addfile(info)
    refused(tmp_path / "a.tar.gz", "no regular file")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_zip_members_that_are_no_files(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("development/x.wav")
        info.external_attr = (kind | 0o644) << 16
        file.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "no regular file")


def test_a_link_in_a_7z(tmp_path: Path) -> None:
    (tmp_path / "x.wav").symlink_to("/etc/passwd")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as file:
        file.write(tmp_path / "x.wav", "development/x.wav")
    refused(tmp_path / "a.7z", "no regular file")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_member_where_another_has_a_folder(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path / kind, {"a": b"file", "a/b": b"file in it"})
    refused(tmp_path / kind, "cannot be a file here")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_name_that_no_disk_takes(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path / kind, {"x" * 300: b"long"})
    refused(tmp_path / kind, "cannot be a file here")


@pytest.mark.parametrize("kind", [k for k in MAKERS if k != "a.tar"])
def test_bombs(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SPARE", 2**18)
    MAKERS[kind](tmp_path / kind, {"good": b"good", "zeros": bytes(6_000_000)})
    refused(tmp_path / kind, "100 times")


@pytest.mark.parametrize("kind", MAKERS)
def test_an_archive_cut_anywhere(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path / kind, MEMBERS)
    whole = (tmp_path / kind).read_bytes()
    padding = 10_240 if kind == "a.tar" else 1  # zeros at the end of a tar say nothing
    for tenth in range(10):
        path = tmp_path / str(tenth) / kind
        path.parent.mkdir()
        path.write_bytes(whole[: (len(whole) - padding) * tenth // 9])
        refused(path, "damaged")


@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz"])
@pytest.mark.parametrize("broken", ["cut between members", "broken header"])
def test_a_tar_that_python_takes_for_ended(tmp_path: Path, kind: str, broken: str) -> None:
    make_tar(tmp_path / "whole.tar", {"a": SOUND[:512], "b": b"lost"})
    data = bytearray((tmp_path / "whole.tar").read_bytes())
    if broken == "broken header":
        data[1030] ^= 255
    else:
        del data[1024:]
    (tmp_path / kind).write_bytes(gzip.compress(data) if kind == "a.tar.gz" else data)
    refused(tmp_path / kind, "damaged")


def check_a_wrong_byte(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at: float, byte: int
) -> None:
    """It is refused, or says nothing of the content: a plain tar sums its headers only."""
    path = tmp_path_factory.mktemp("flip") / kind
    MAKERS[kind](path, FEW)
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= byte
    path.write_bytes(data)
    try:
        found = unpack(path)
    except EdgeGlassError:
        assert not (path.parent / "store" / "unpacked").exists()
    else:
        assert kind == "a.tar" or sorted(found.values()) == sorted(FEW.values())


FEW = {"d/a.wav": SOUND[:2000], "d/b.wav": SOUND[2000:2100]}
given_flips = given(
    kind=st.sampled_from(sorted(MAKERS)), at=st.floats(0, 1), byte=st.integers(1, 255)
)
test_a_wrong_byte = settings(max_examples=40, deadline=None)(given_flips(check_a_wrong_byte))
test_many_wrong_bytes = pytest.mark.slow(
    settings(max_examples=500, deadline=None)(given_flips(check_a_wrong_byte))
)


PARTS = st.sampled_from(["..", ".", "", " ", "a", "b.wav", "~", "é", "\\..\\x", "C:", "con", "-"])
NAMES = st.lists(PARTS, min_size=1, max_size=6).map("/".join) | st.text(min_size=1, max_size=20)


def check_names(tmp_path_factory: pytest.TempPathFactory, kind: str, names: list[str]) -> None:
    base = tmp_path_factory.mktemp("names")
    path = base / "deep" / "deeper" / kind
    path.parent.mkdir(parents=True)
    try:
        MAKERS[kind](path, {name: name.encode(errors="replace") for name in names})
    except (ValueError, UnicodeError, py7zr.exceptions.ArchiveError):
        return  # a name that cannot be packed
    before = set(base.rglob("*"))
    store = path.parent / "store"
    try:
        unpack(path)
    except EdgeGlassError:
        assert not (store / "unpacked").exists()
    outside = {p for p in set(base.rglob("*")) - before if not p.is_relative_to(store)}
    assert not outside
    assert {p.name for p in store.iterdir()} <= STORED


given_names = given(
    kind=st.sampled_from(["a.zip", "a.tar", "a.7z"]), names=st.lists(NAMES, max_size=4)
)
test_whatever_the_names_nothing_is_written_outside = settings(max_examples=40, deadline=None)(
    given_names(check_names)
)
test_many_names = pytest.mark.slow(
    settings(max_examples=500, deadline=None)(given_names(check_names))
)

SCRIPT = """
import sys
from pathlib import Path
from edge_glass.sources import archives

def tick(done, total):
    print(done, flush=True)
    sys.stdin.readline()

archives.unpack(Path(sys.argv[1]), Path(sys.argv[2]), tick)
"""


@pytest.mark.parametrize("kind", ["a.7z", "a.zip", "a.tar.gz"])
def test_killed_in_the_middle_it_starts_over(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path / kind, MEMBERS)
    folder = tmp_path / "store" / "unpacked"
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, tmp_path / kind, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout
        for _ in range(3):
            assert int(process.stdout.readline()) > 0
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.kill()
    assert not folder.exists()
    assert list((tmp_path / "store").glob("*.partial"))
    assert unpack(tmp_path / kind) == MEMBERS
    assert {path.name for path in folder.parent.iterdir()} == STORED


def test_two_at_once_unpack_once(tmp_path: Path) -> None:
    make_zip(tmp_path / "a.zip", MEMBERS)
    ticks: list[int] = []

    def work(_: int) -> None:
        archives.unpack(tmp_path / "a.zip", tmp_path / "out", lambda done, _: ticks.append(done))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert read(tmp_path / "out") == MEMBERS
    assert ticks == sorted(set(ticks))
