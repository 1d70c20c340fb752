"""From disk to batches: our reader beside those that people leave Parquet for.

    python benchmarks/read.py [--rows 5000] [--rounds 1] [--peer VENV/bin/python] [--data FOLDER]
        [--only decoded,raw,audio] [--cold 1]

5,000 JPEGs of 512 pixels (quality 90), random boxes of the photographs that scikit-image brings, or
of those in `samples/`, each another one; and 500 FLAC clips of 10 s, 16 kHz, out of the sounds in
`samples/`. The same bytes are written once in everybody's format, on disk, and read by every
contender in a process of its own, one after another, the contenders of a round in turn:
- Edge Glass: `edge_glass.train.loader`, row groups of 100 rows or 10 MB
- pyarrow: `read_row_group` of random row groups, rows to Python and shuffled within the group
- datasets: map-style over its Arrow cache; streaming over our Parquet, with a buffer of 1,000 rows
- webdataset (buffer of 1,000), litdata, MDS (mosaicml-streaming), lance: their own formats, their
  own shuffle
Batches of 64. `decoded` is a picture as uint8 of 224 by 224 pixels: the peers by Pillow (full
decode, bilinear resize), ours as `Picture(224, "stretch")` does it; `raw` is JPEG bytes; `audio` is
10 s as float32, by soundfile. With 2 workers all use torch's DataLoader (pyarrow has none). Random
access is 300 single rows. Time and first batch start when the reader is made, imports are done
before; memory is the most that the process and its workers held, shared pages once. Warm: the
files were read just before. With `--cold 1` their pages are dropped from the cache first.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measure import arguments, cpu_seconds, group_mb, show
from read_contenders import CONTENDERS
from read_data import ours_write, pictures, sounds, write

WORKERLESS = ("pyarrow", "lance")
SEQUENTIAL_ONLY = ("Edge Glass", "datasets, streaming", "webdataset")  # no access by row number


def cases(kinds: list[str]) -> Iterator[tuple[str, str, int, str]]:
    """kind, order, workers, contender."""
    for kind in kinds:
        for order, workers in itertools.product(("shuffled", "sequential", "random"), (0, 2)):
            for name in CONTENDERS:
                if workers and (name in WORKERLESS or order != "shuffled"):
                    continue
                if order == "random" and (kind != "raw" or name in SEQUENTIAL_ONLY):
                    continue
                if order == "sequential" and kind != "raw":
                    continue
                yield kind, order, workers, name


def measured(name: str, folder: Path, kind: str, order: str, workers: int) -> None:
    """In the process of a contender: read everything once and print what it took."""
    if workers:
        import edge_glass.train.torch_loader  # noqa: F401 - torch, which the others have by then
    list(itertools.islice(CONTENDERS[name](folder, kind, order, 0), 1))  # imports
    before, start, first, made = cpu_seconds(), time.perf_counter(), 0.0, 0
    peak = Peak()
    for batch in CONTENDERS[name](folder, kind, order, workers):
        first = first or time.perf_counter() - start
        made += len(batch)
    wall = time.perf_counter() - start
    print("\n" + json.dumps([made, wall, cpu_seconds() - before, first, peak.stop()]), flush=True)
    os._exit(0)  # some peers' threads do not end


class Peak(threading.Thread):
    """The most that the process group holds, looked at every 0.1 s."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._most, self._end = 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._end.wait(0.1):
            self._most = max(self._most, group_mb(os.getpgid(0)))

    def stop(self) -> float:
        self._end.set()
        return max(self._most, group_mb(os.getpgid(0)))


def touch(folder: Path, cold: bool) -> None:
    """Read the files, or drop them from the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                if cold:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                while not cold and file.read(1 << 20):
                    pass


def prepare(folder: Path, kind: str, rows: int, peer: str) -> None:
    if (folder / "litdata" / "index.json").is_file():
        return
    values = list(sounds(rows // 10) if kind == "audio" else pictures(rows))
    folder.mkdir(parents=True, exist_ok=True)
    ours_write(folder, kind, values)
    subprocess.run(
        [peer, __file__, "--contender", "write", "--only", kind, "--raw", folder], check=True
    )


def main() -> None:
    options = arguments(
        "Reading for training", rows=500, rounds=1, peer=sys.executable, data="",
        only="decoded,raw,audio", cold=0, order="", workers=0,
    )  # fmt: skip
    if options.contender == "write":
        import pyarrow.parquet as pq

        file = pq.ParquetFile(next((options.raw / "parquet").iterdir()))
        table = file.read(columns=["media.bytes"])
        write(options.raw, options.only, [row["bytes"] for row in table["media"].to_pylist()])
        return
    if options.contender:
        measured(options.contender, options.raw, options.only, options.order, options.workers)
        return
    with tempfile.TemporaryDirectory() as scratch:
        report(options, Path(options.data or scratch))


def report(options: Any, data: Path) -> None:
    kinds = options.only.split(",")
    folders = {kind: data / ("audio" if kind == "audio" else "pictures") for kind in kinds}
    for kind, folder in folders.items():
        prepare(folder, kind, options.rows, options.peer)
    found: dict[tuple[str, str, int], dict[str, list[list[float]]]] = {}
    for _ in range(options.rounds):
        for kind, order, workers, name in cases(kinds):
            touch(folders[kind], bool(options.cold))
            command = [
                options.peer,
                __file__,
                "--contender",
                name,
                "--raw",
                folders[kind],
                "--only",
                kind,
            ]
            command += ["--order", order, "--workers", str(workers)]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                start_new_session=True,
                timeout=300,
            )
            if done.returncode or "\n[" not in done.stdout:
                print(f"{name}, {kind}, {order}: failed\n{done.stderr[-2000:]}", file=sys.stderr)
                continue
            values = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}, {kind}, {order}, {workers} workers: {values}", file=sys.stderr)
            found.setdefault((kind, order, workers), {}).setdefault(name, []).append(values)
    for (kind, order, workers), of_case in found.items():
        table(f"{kind}, {order}, {workers} workers", of_case)


def table(title: str, found: dict[str, list[list[float]]]) -> None:
    rows = []
    base = np.median([made / wall for made, wall, *_ in found.get("Edge Glass", [[1, 1]])])
    for name, runs in found.items():
        speed = float(np.median([made / wall for made, wall, *_ in runs]))
        cpu = float(np.median([1000 * cpu / made for made, _, cpu, *_ in runs]))
        first = float(np.median([run[3] for run in runs]))
        rows.append([
            name, f"{speed:,.0f}", f"{speed / base:.2f}", f"{cpu:.3f}", f"{first:.3f}",
            f"{max(run[4] for run in runs):.0f}",
        ])  # fmt: skip
    columns = ["contender", "a second", "x Edge Glass", "CPU ms each", "first batch s", "peak MB"]
    show(title, columns, rows)


if __name__ == "__main__":
    main()
