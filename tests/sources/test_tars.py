"""Tars read in place: the same files as unpacking gives, nothing of a bad archive, any order."""

import gzip
import io
import pickle
import random
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rawlibri import chapter, clips, pack

from edge_glass.core.errors import EdgeGlassError
from edge_glass.sources import archives, tars
from edge_glass.sources.folder import Folder
from edge_glass.sources.tars import Tar

KINDS = ["a.tar", "a.tar.gz"]
MEMBERS = {
    "top.txt": "tøp\n".encode(),
    "d/é日本 🎵.flac": clips()[0],
    "d/e/deep.bin": bytes(range(256)) * 5,
    "d/nothing": b"",
    "d/e/" + "long" * 60 + ".txt": b"a name for a longer header",
    "d/x.flac": clips()[1],
    "d2/not in d.txt": b"x",
    "d/zeros.txt": b"text first, " * 50 + b"\0 and more",
}


def indexed(archive: Path) -> Tar:
    """The index of an archive, beside it."""
    tars.index(archive, archive.parent / "index", lambda *_: None)
    return Tar(archive, archive.parent / "index")


def refused(archive: Path, word: str) -> None:
    """One clear error, and no index."""
    with pytest.raises(EdgeGlassError, match=word) as error:
        indexed(archive)
    [problem] = error.value.problems
    assert str(archive) in problem and "again from upstream" in problem
    assert not list(archive.parent.glob("index*[!k]"))  # but for the lock


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_there(kind: str, tmp_path: Path) -> None:
    tar = indexed(pack(tmp_path / kind, MEMBERS.items()))
    assert sorted(tar.names()) == sorted(MEMBERS)
    for name in reversed(MEMBERS):
        assert tar.read(name) == MEMBERS[name]
        assert tar.size(name) == len(MEMBERS[name])
    assert tar.size("d") is tar.size("nowhere") is tar.size("d/e/dee") is None
    with pytest.raises(FileNotFoundError):
        tar.read("nowhere")


def test_below_a_folder(tmp_path: Path) -> None:
    top = indexed(pack(tmp_path / "a.tar.gz", MEMBERS.items()))
    tar = Tar(top.archive, top.index, "d")
    assert sorted(tar.names()) == sorted(n[2:] for n in MEMBERS if n.startswith("d/"))
    assert [folder for folder, _ in tar.folders()] == ["", "e"]
    assert dict(tar.folders())[""] == ["nothing", "x.flac", "zeros.txt", "é日本 🎵.flac"]
    assert "e/deep.bin" in dict(tar.folders())["e"]
    assert tar.read("e/deep.bin") == MEMBERS["d/e/deep.bin"]
    assert tar.beside().read("top.txt") == MEMBERS["top.txt"]
    assert tar.size("../top.txt") is None


@pytest.mark.parametrize("kind", KINDS)
def test_folders_and_files_have_the_order_of_an_unpacked_tree(kind: str, tmp_path: Path) -> None:
    files = ["b/1", "a/1", "b/2", "a-b/1", "c/x/1", "a/2", "a/b/3", "1", "a/̈"]
    tar = indexed(pack(tmp_path / kind, [(f"./{name}", b"\0" + name.encode()) for name in files]))
    for name in files:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tree = Folder(tmp_path / "tree")
    assert list(tar.names()) == list(tree.names())
    assert list(tar.folders()) == list(tree.folders())


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_member_that_stands_twice_the_later_one_is_read(kind: str, tmp_path: Path) -> None:
    tar = indexed(pack(tmp_path / kind, [("a", b"\0first"), ("b", b"b"), ("a", b"\0second")]))
    assert list(tar.names()) == ["a", "a", "b"]
    assert tar.read("a") == b"\0second"
    assert tar.size("a") == 7


def test_any_order_over_many_seek_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "STEP", 2**18)
    monkeypatch.setattr(tars, "BUFFER", 2**16)
    members = dict(chapter(60, 100, 90))
    tar = indexed(pack(tmp_path / "a.tar.gz", members.items()))
    assert (tar.index / "seek.idx").stat().st_size > 10 * 2**15
    names = list(members)
    random.Random(0).shuffle(names)
    for name in names:
        assert tar.read(name) == members[name]
    again = pickle.loads(pickle.dumps(tar))
    assert again.read(names[0]) == members[names[0]]


def test_a_gzip_of_several_streams(tmp_path: Path) -> None:
    pack(tmp_path / "whole.tar", MEMBERS.items())
    data = (tmp_path / "whole.tar").read_bytes()
    pieces = [gzip.compress(data[i : i + 50_000]) for i in range(0, len(data), 50_000)]
    (tmp_path / "a.tgz").write_bytes(b"".join(pieces))
    tar = indexed(tmp_path / "a.tgz")
    assert {name: tar.read(name) for name in tar.names()} == MEMBERS


SPECIAL = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Z"]


@pytest.mark.parametrize("special", SPECIAL)
def test_members_that_are_no_files(special: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        info = tarfile.TarInfo("d/x.flac")
        info.type, info.linkname = special, "/etc/passwd"
        file.addfile(info)
    refused(tmp_path / "a.tar.gz", "no regular file")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "..", "/"])
def test_members_that_would_leave_their_folder(name: str, tmp_path: Path) -> None:
    refused(pack(tmp_path / "a.tar", [("good", b"good"), (name, b"bad")]), "leave its folder")


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SPARE", 2**18)
    refused(pack(tmp_path / "a.tar.gz", [("zeros", bytes(6_000_000))]), "100 times")
    pack(tmp_path / "b.tar", [("a", b"a")])
    tail = gzip.compress((tmp_path / "b.tar").read_bytes() + bytes(6_000_000))
    (tmp_path / "b.tar.gz").write_bytes(tail)
    refused(tmp_path / "b.tar.gz", "100 times")


def test_a_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**22
        file.addfile(info, io.BytesIO(b"x" * 2**22))
    refused(tmp_path / "a.tar.gz", "larger than any name")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_cut_anywhere(kind: str, tmp_path: Path) -> None:
    whole = pack(tmp_path / kind, MEMBERS.items()).read_bytes()
    end = len(whole) - (10_240 if kind == "a.tar" else 60)  # the zeros at the end say nothing
    for tenth in range(10):
        path = tmp_path / str(tenth) / kind
        path.parent.mkdir()
        path.write_bytes(whole[: end * tenth // 9])
        refused(path, "damaged")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("broken", ["cut between members", "broken header"])
def test_what_tarfile_takes_for_the_end(kind: str, broken: str, tmp_path: Path) -> None:
    data = bytearray(pack(tmp_path / "w.tar", [("a", bytes(512)), ("b", b"lost")]).read_bytes())
    if broken == "broken header":
        data[1030] ^= 255
    else:
        del data[1024:]
    (tmp_path / kind).write_bytes(gzip.compress(data) if kind == "a.tar.gz" else data)
    refused(tmp_path / kind, "damaged or cut short at byte 1024")


FEW = {"d/a.bin": clips()[0][:2000], "d/b.txt": b"text"}


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), at=st.floats(0, 1), byte=st.integers(1, 255))
def test_a_wrong_byte(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at: float, byte: int
) -> None:
    """It is refused, or says nothing of the content: a plain tar sums its headers only."""
    path = pack(tmp_path_factory.mktemp("flip") / kind, FEW.items())
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= byte
    path.write_bytes(data)
    try:
        tar = indexed(path)
    except EdgeGlassError:
        assert not (path.parent / "index").exists()
    else:
        found = [tar.read(name) for name in tar.names()]
        assert kind == "a.tar" or found == list(FEW.values())


PARTS = st.sampled_from(["..", ".", "", " ", "a", "b.flac", "~", "é", "\\..\\x", "C:", "\udcff"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join) | st.text(min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=4), data=st.binary(max_size=2000))
def test_whatever_the_names_and_bytes(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("names")
    try:
        pack(folder / "a.tar.gz", [(name, data) for name in names])
    except (ValueError, UnicodeError):
        return  # a name that cannot be packed
    try:
        tar = indexed(folder / "a.tar.gz")
    except EdgeGlassError:
        return
    there = list(tar.names())
    assert len(there) == len(names)
    assert [name for _, inside in tar.folders() for name in inside if name not in there] == []
    assert all(tar.read(name) == data for name in there)


SCRIPT = """
import sys
from pathlib import Path
from edge_glass.sources import tars

def tick(done, total):
    print(done, flush=True)
    sys.stdin.readline()

tars.index(Path(sys.argv[1]), Path(sys.argv[2]), tick)
"""


def test_a_killed_pass_leaves_no_index(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", MEMBERS.items())
    run = [sys.executable, "-c", SCRIPT, archive, tmp_path / "index"]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        for _ in range(3):
            assert int(process.stdout.readline()) > 0
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.kill()
    assert not (tmp_path / "index").exists()
    assert (tmp_path / "index.partial").exists()
    tar = indexed(archive)
    assert {name: tar.read(name) for name in tar.names()} == MEMBERS
    assert not (tmp_path / "index.partial").exists()


def test_an_index_is_made_once_and_again_for_another_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(tmp_path / "a.tar.gz", MEMBERS.items())
    ticks: list[int] = []

    def work(_: int = 0) -> None:
        tars.index(archive, tmp_path / "index", lambda done, _: ticks.append(done))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(ticks) == len(MEMBERS)
    monkeypatch.setattr(tars, "FORMAT", tars.FORMAT + 1)
    work()
    assert len(ticks) == 2 * len(MEMBERS)


def test_an_archive_that_changed_since(tmp_path: Path) -> None:
    tar = indexed(pack(tmp_path / "a.tar", MEMBERS.items()))
    shutil.copy(pack(tmp_path / "b.tar", [("a", b"a")]), tar.archive)
    with pytest.raises(EdgeGlassError, match="changed since it was indexed"):
        tar.read("d/x.flac")
