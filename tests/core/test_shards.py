"""Files that are whole or absent, whoever is killed beside them."""

import errno
import os
import platform
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest
from kit import kill

from edge_glass.core.atomic_files import AtomicFile, scratch, write_json
from edge_glass.core.shard_files import write_shard, write_table, write_text_shard
from edge_glass.tables.parts import LEDGER, pair

DIES = """
import os, signal, sys
from pathlib import Path
from edge_glass.core.atomic_files import AtomicFile
with AtomicFile(Path(sys.argv[1])) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
STAYS = """
import sys
from pathlib import Path
from edge_glass.core.atomic_files import scratch
with scratch(Path(sys.argv[1]).parent, "sorting") as folder:
    (folder / "inside").mkdir()
    (folder / "inside" / "spilled").write_bytes(b"much")
    print(folder, flush=True)
    sys.stdin.read()
"""
WRITES = """
import sys
from pathlib import Path
from edge_glass.core.atomic_files import write_json
write_json(Path(sys.argv[1]), 1)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(code: str, path: Path) -> int:
    return subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode


def test_what_a_killed_writer_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    assert run(DIES, tmp_path / "shard.parquet") == -9
    (left,) = names(tmp_path)
    assert left != "shard.parquet" and left.endswith(".tmp")
    write_json(tmp_path / "other.json", 1)
    assert names(tmp_path) == ["other.json"]


def test_a_kill_that_comes_too_late_is_told() -> None:
    """What all tests that kill stand on."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as waiting:
        kill(waiting)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    assert ended.wait() == 0
    with pytest.raises(AssertionError, match="it had ended already"):
        kill(ended)


def test_what_another_still_writes_stays(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "shard.parquet") as file:
        file.write(b"first ")
        assert run(WRITES, tmp_path / "other.json") == 0
        file.write(b"last")
    assert names(tmp_path) == ["other.json", "shard.parquet"]
    assert (tmp_path / "shard.parquet").read_bytes() == b"first last"


def test_bytes_are_on_disk_before_the_name_is_and_the_name_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the file and of its folder, so that a power cut leaves it whole or absent."""
    synced: list[tuple[str, int, list[str]]] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        name = Path(f"/proc/self/fd/{handle}").readlink().name
        synced.append((name, os.fstat(handle).st_size, names(tmp_path)))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    with AtomicFile(tmp_path / "shard.parquet") as file:
        file.write(b"all of it")
    (aside, size, before), (folder, _, after) = synced
    assert before == [aside] and aside.endswith(".tmp") and size == len(b"all of it")
    assert folder == tmp_path.name and after == ["shard.parquet"]


def test_files_of_others_stay(tmp_path: Path) -> None:
    names = ("notes.tmp", f"a.{platform.node()}.draft.tmp", "README.md.draft.1.tmp")
    for name in names:
        (tmp_path / name).write_text("mine")
    write_json(tmp_path / "other.json", 1)
    assert [(tmp_path / name).read_text() for name in names] == ["mine"] * 3


def test_the_folder_of_a_process_goes_with_it(tmp_path: Path) -> None:
    """Or, where it was killed, with the next; one that is in use stays."""
    run = [sys.executable, "-c", STAYS, tmp_path / "x"]
    pipe = subprocess.PIPE
    with subprocess.Popen(run, stdin=pipe, stdout=pipe, text=True) as one:
        assert one.stdout and (there := Path(one.stdout.readline().strip())).is_dir()
        ended = subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        assert there.is_dir() and ended.stdout and len(names(tmp_path)) == 2
        one.kill()
    with scratch(tmp_path, "another") as folder:
        assert not there.exists() and list(folder.iterdir()) == []
    assert names(tmp_path) == []


FAULTS = [OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()]
MEDIA = pa.schema({"id": pa.string(), "image": pa.struct({"bytes": pa.binary()})})
TEXTS = pa.schema([*LEDGER, ("text", pa.string())])


@pytest.fixture
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    """What a file of ours raises once 300 kB are written."""
    write, fault = AtomicFile.write, request.param

    def failing(self: AtomicFile, data: bytes) -> int:
        if self.size > 300_000:
            raise fault
        return write(self, data)

    monkeypatch.setattr(AtomicFile, "write", failing)
    return cast(BaseException, fault)


@pytest.mark.parametrize("fault", FAULTS, indirect=True)
def test_a_write_that_fails_ends_no_process(fault: BaseException, tmp_path: Path) -> None:
    """Where it chunks by content pyarrow aborts, whatever was raised."""
    rows = ({"id": str(n), "image": {"bytes": bytes(40_000)}} for n in range(400))
    with pytest.raises(type(fault)):
        write_shard(tmp_path / "train.parquet", rows, MEDIA)
    assert list(tmp_path.iterdir()) == []
    assert sum(1 for _ in rows) > 100  # the rest was not read


def write_pair(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    with pair(path.parent, path.name, schema) as files:
        for table in tables:
            files.write(table.to_batches()[0])


@pytest.mark.parametrize("fault", FAULTS, indirect=True)
@pytest.mark.parametrize("write", [write_text_shard, write_table, write_pair])
def test_a_table_of_which_a_write_fails_is_read_no_further(
    write: Callable[..., object], fault: BaseException, tmp_path: Path
) -> None:
    text = [random.Random(n).randbytes(100).hex() for n in range(10_000)]
    known = {"source": "a", "row": 0, "outcome": "kept", "detail": ""}
    columns = [pa.repeat(value, len(text)) for value in known.values()]
    tables = (pa.table([*columns, pa.array(text)], schema=TEXTS) for _ in range(20))
    with pytest.raises(type(fault)):
        write(tmp_path / "part-00000-of-00001.parquet", tables, TEXTS)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert sum(1 for _ in tables) > 15
