"""The memory of a push does not depend on what it sends."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub import Hub
from releases import SAMPLE, assert_released

from edge_glass.core import manifest
from edge_glass.core.atomic_files import write_json
from edge_glass.core.shard_files import write_table

SHARDS, SHARD_BYTES = 10, 500_000_000
PUSH = """if True:
    import sys
    from pathlib import Path
    from edge_glass.release import publish
    from memory import peak
    publish.push(Path(sys.argv[1]), ["clotho_sample"], "org/edge-glass", sys.argv[2])
    print(peak() // 1000)
"""


def enlarged(built: Path, out: Path, shards: int) -> Path:
    """The sample with its training split replaced by shards of random bytes."""
    folder = out / SAMPLE
    shutil.copytree(built / SAMPLE, folder)
    made = manifest.read(folder).plain()
    names = [f"train-{n:05d}-of-{shards:05d}.parquet" for n in range(shards)]
    first = folder / made["splits"]["train"]["shards"][0]["file"]
    row = pq.read_table(first).slice(0, 1)
    [told] = row.to_pylist()
    first.unlink()
    made["splits"]["train"]["shards"] = []
    for name in names:
        rows = (
            pa.Table.from_pylist(
                [told | {"audio": {"bytes": os.urandom(10_000_000), "path": None}}], row.schema
            )
            for _ in range(SHARD_BYTES // 10_000_000)
        )
        written = write_table(folder / name, rows, row.schema)
        shard = {"file": name, "rows": written.rows, "bytes": written.bytes}
        made["splits"]["train"]["shards"].append(shard | {"sha256": written.sha256})
    write_json(folder / manifest.FILE, made)
    return out


@pytest.mark.slow
def test_five_gigabytes(hub: Hub, built: Path, tmp_path: Path) -> None:
    peaks = []
    for version, shards in (("1.0.0", 1), ("2.0.0", SHARDS)):
        out = enlarged(built, tmp_path / version, shards)
        words = [sys.executable, "-c", PUSH, str(out), version]
        done = subprocess.run(
            words,
            cwd=Path(__file__).parents[1] / "support",
            env=hub.env(),
            check=True,
            stdout=PIPE,
            text=True,
        )
        peaks.append(int(done.stdout.split()[-1]))
        assert_released(hub, out, f"v{version}")
        shutil.rmtree(out)
    print(f"{SHARD_BYTES / 1e9} GB: {peaks[0]} MB, {SHARDS * SHARD_BYTES / 1e9} GB: {peaks[1]} MB")
    assert peaks[1] < peaks[0] + 50
