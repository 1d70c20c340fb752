"""Files that are whole or absent, whoever is killed beside them."""

import subprocess
import sys
from pathlib import Path

from edge_glass.shards import Whole, write_json

DIES = """
import os, signal, sys
from pathlib import Path
from edge_glass.shards import Whole
with Whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
WRITES = """
import sys
from pathlib import Path
from edge_glass.shards import write_json
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


def test_what_another_still_writes_stays(tmp_path: Path) -> None:
    with Whole(tmp_path / "shard.parquet") as file:
        file.write(b"first ")
        assert run(WRITES, tmp_path / "other.json") == 0
        file.write(b"last")
    assert names(tmp_path) == ["other.json", "shard.parquet"]
    assert (tmp_path / "shard.parquet").read_bytes() == b"first last"


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.tmp").write_text("mine")
    write_json(tmp_path / "other.json", 1)
    assert (tmp_path / "notes.tmp").read_text() == "mine"
