"""A million URLs, killed again and again: is memory flat, and is anything fetched twice?

    python benchmarks/soak.py [--urls 1000000] [--kills 5] [--jobs 2]

nginx on loopback serves a JPEG of 1 kB under as many names as there are rows. The build (PixMo-Cap,
all checks on) is killed with SIGKILL, all processes at once, at even distances, and run again each
time. nginx's log says which URLs were asked for how often. Exits 1 if a row is missing, if more was
fetched twice than the shards under way at a kill (of each process the one that it writes and the
next, whose URLs are asked for meanwhile), or if memory grows by more than a tenth from the first
quarter to the last.
"""

import argparse
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from loopback import nginx
from measure import group_mb, show
from PIL import Image

from edge_glass.core import manifest
from edge_glass.corpora.catalog import variant
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build
from edge_glass.sources.row_fetch import Limits, Network

CONFIG = "pixmo_cap_soak"
ANY_NAME = "location /i/ { try_files /small.jpg =404; }"
PAUSE = 0.5  # seconds between two looks
BATCH = 50_000
ROOM = 1.1  # of memory, from the first quarter to the last


def make_list(raw: Path, count: int, port: int) -> None:
    (raw / "data").mkdir(parents=True)
    path = raw / "data" / "train-00000-of-00001.parquet"
    schema = pa.schema(
        {"image_url": pa.string(), "caption": pa.string(), "transcripts": pa.list_(pa.string())}
    )
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, count, BATCH):
            rows = range(start, min(start + BATCH, count))
            urls = [f"http://127.0.0.{n % 8 + 1}:{port}/i/{n}.jpg" for n in rows]
            table = {"image_url": urls, "caption": [f"Picture {n}." for n in rows]}
            table["transcripts"] = [["so this is"]] * len(rows)
            writer.write_table(pa.table(table, schema=schema))


def make(options: argparse.Namespace) -> None:
    network = Network(web=Limits(intranet=True))
    how = Options(options.raw, options.jobs, unverified=True, network=network)
    build(variant("pixmo_cap", {"quality": 90}, CONFIG), options.out, how)


def looks(process: "subprocess.Popen[bytes]", log: Path) -> Iterator[tuple[int, float]]:
    """How many URLs were asked for so far, and the megabytes of all processes."""
    lines = 0
    with log.open("rb") as file:
        while process.poll() is None:
            time.sleep(PAUSE)
            while chunk := file.read(2**20):
                lines += chunk.count(b"/i/")
            yield lines, group_mb(process.pid)


def run(options: argparse.Namespace, folder: Path, log: Path) -> list[tuple[int, float]]:
    """Build, with all kills; what was seen on the way."""
    seen: list[tuple[int, float]] = []
    arguments = ["--build", f"--raw={folder / 'raw'}", f"--out={folder / 'out'}"]
    command = [sys.executable, sys.argv[0], *arguments, f"--jobs={options.jobs}"]
    for number in range(1, options.kills + 2):
        goal = options.urls * number // (options.kills + 1)
        last = number == options.kills + 1
        with subprocess.Popen(command, start_new_session=True) as process:
            for lines, megabytes in looks(process, log):
                seen.append((lines, megabytes))
                if lines >= goal and not last:
                    os.killpg(process.pid, signal.SIGKILL)
            if last and process.returncode:
                sys.exit("the build failed")
    return seen


def judge(
    options: argparse.Namespace, log: Path, seen: list[tuple[int, float]], out: Path
) -> list[str]:
    """Print what was seen; what is wrong with it."""
    asked = [line for line in log.read_text().splitlines() if line.startswith("/i/")]
    twice = len(asked) - len(set(asked))
    made = manifest.read(out / CONFIG)
    shards = made.splits["train"].shards
    under_way = options.kills * options.jobs * 2 * max(shard.rows for shard in shards)
    quarters = [[mb for n, mb in seen if q <= 4 * n / options.urls < q + 1] for q in range(4)]
    peaks = [max(quarter, default=0.0) for quarter in quarters]
    kept = made.kept
    table = [
        ["rows kept", f"{kept:,}"],
        ["shards", f"{len(shards):,}"],
        ["URLs fetched twice", f"{twice:,}"],
        ["rows of the shards under way at kills, at most", f"{under_way:,}"],
        *([f"peak MB, quarter {n}", f"{peak:.0f}"] for n, peak in enumerate(peaks, 1)),
    ]
    show(f"{options.urls:,} URLs, {options.kills} kills, {options.jobs} jobs", ["", ""], table)
    faults = {
        "rows are missing": kept != options.urls or len(set(asked)) != options.urls,
        "more was fetched twice than was under way": twice > under_way,
        "memory grows": peaks[3] > ROOM * peaks[0],
    }
    return [fault for fault, found in faults.items() if found]


def main() -> None:
    parser = argparse.ArgumentParser(description="Is memory flat, and is anything fetched twice?")
    for name, value in {"urls": 1_000_000, "kills": 5, "jobs": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--build", action="store_true", help=argparse.SUPPRESS)
    for name in ("--raw", "--out"):
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        make(options)
        return
    with tempfile.TemporaryDirectory() as temp:
        folder, image = Path(temp), io.BytesIO()
        Image.effect_noise((40, 30), 60).save(image, "JPEG")
        (folder / "web").mkdir()
        (folder / "web" / "small.jpg").write_bytes(image.getvalue())
        log = folder / "access.log"
        with nginx(folder / "web", folder / "nginx", ANY_NAME, log) as port:
            make_list(folder / "raw", options.urls, port)
            seen = run(options, folder, log)
        if faults := judge(options, log, seen, folder / "out"):
            sys.exit("; ".join(faults))


if __name__ == "__main__":
    main()
