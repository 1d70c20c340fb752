"""How should Parquet be laid out for training? Rows a group, compression, groups a shard.

    python benchmarks/layout.py [--rows 2000]

JPEGs of 512 pixels as in `read.py`, with a caption, written by pyarrow as Edge Glass writes them
but for what is varied. Read from disk, warm: one row at random (its row group is read), all rows in
order, and shuffled by `edge_glass.train.loader`, with the memory that its process came to. Over
HTTP: from the Hub for tests on loopback, by `hf://`; its log says how many requests and bytes one
random row and all captions take. Seconds are CPU seconds of the reader.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import arguments, scratch, show
from read_data import pictures

from edge_glass.core.shard_files import PAGE_BYTES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
ACCESSES = 60
REPO = "org/layout"


def table(rows: int) -> pa.Table:
    values = [{"bytes": value, "path": f"{i:06d}.jpg"} for i, value in enumerate(pictures(rows))]
    words = [
        "a",
        "photograph",
        "of",
        "a",
        "cat",
        "that",
        "sits",
        "on",
        "a",
        "wall",
        "beside",
        "a",
        "rocket",
        "and",
        "drinks",
        "coffee",
    ]
    draw = np.random.default_rng(0)
    captions = [" ".join(draw.choice(words, size=int(draw.integers(5, 40)))) for _ in range(rows)]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return pa.table({"id": [f"{i:06d}" for i in range(rows)], "image": pa.array(values, kind),
                     "caption": captions})  # fmt: skip


def written(
    folder: Path, made: pa.Table, group: int, compression: str, shards: int, pages: bool
) -> None:
    text = ["id", "image.path", "caption"]
    each = -(-made.num_rows // shards)
    folder.mkdir()
    for number in range(shards):
        pq.write_table(
            made.slice(number * each, each), folder / f"train-{number:05d}-of-{shards:05d}.parquet",
            row_group_size=group, use_dictionary=text, write_statistics=text, write_page_index=True,
            compression=dict.fromkeys(text, "zstd") | {"image.bytes": compression},
            column_encoding={"image.bytes": "PLAIN"}, write_batch_size=1,
            data_page_size=PAGE_BYTES if pages else 2**20,
        )  # fmt: skip


def at_random(folder: Path) -> float:
    """Milliseconds that one row takes; the footer is known."""
    path = next(folder.iterdir())
    footer, draw = pq.read_metadata(path), np.random.default_rng(1)
    start = time.process_time()
    for group in draw.integers(footer.num_row_groups, size=ACCESSES):
        file = pq.ParquetFile(path, metadata=footer, pre_buffer=False)
        rows = file.read_row_group(int(group), columns=["image.bytes"], use_threads=False)
        rows["image"][int(draw.integers(rows.num_rows))]["bytes"].as_py()
    return (time.process_time() - start) / ACCESSES * 1000


def in_order(folder: Path) -> float:
    """Rows a second."""
    start, rows = time.process_time(), 0
    for path in sorted(folder.iterdir()):
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                rows += file.read_row_group(
                    group, columns=["image.bytes"], use_threads=False
                ).num_rows
    return rows / (time.process_time() - start)


SHUFFLED = """
import json, sys, time
from pathlib import Path
from edge_glass.train import loader
import edge_glass.train.stream
start, cpu = time.perf_counter(), time.process_time()
first = None
for batch in loader(sys.argv[1], columns=["image"]):
    first = first or time.perf_counter() - start
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
print(json.dumps([time.process_time() - cpu, first, int(peak.split()[1]) / 1000]))
"""


def shuffled(folder: Path, rows: int) -> tuple[float, float, float]:
    """Rows a second, seconds to the first batch, peak MB, of a process of its own."""
    done = subprocess.run([sys.executable, "-c", SHUFFLED, folder], capture_output=True, check=True)
    seconds, first, peak = json.loads(done.stdout)
    return rows / seconds, first, peak


def over_http(hub: Any, folder: Path, name: str) -> tuple[str, str]:
    """Requests and kB for the picture of a row, and for all captions in multiples of their size."""
    from huggingface_hub import HfApi

    from edge_glass.train import loader, rows
    from edge_glass.train.row_groups import Place

    HfApi(endpoint=hub.url, token=hub.token).upload_folder(
        repo_id=REPO, folder_path=folder, path_in_repo=name, repo_type="dataset"
    )
    place = f"hf://datasets/{REPO}/{name}"
    images = rows(place, columns=["image"])
    hub.reset_log()
    for part in range(5):
        images[part * len(images) // 5 + 7]["image"].read()
    asked = hub.seen("GET", "resolve")
    one = f"{len(asked) / 5:.0f}, {sum(r.sent for r in asked) / 5e3:.0f}"
    text = Place([place], "train", ["caption"]).bytes
    captions = loader(place, columns=["caption"])  # has read the footers
    hub.reset_log()
    for _ in captions:
        pass
    asked = hub.seen("GET", "resolve")
    return one, f"{len(asked)}, {sum(r.sent for r in asked) / text:.2f}"


def layouts() -> Iterator[tuple[int, str, int, bool]]:
    yield from ((group, "none", 1, True) for group in (10, 30, 100, 300, 1000))
    yield 100, "none", 1, False
    yield from ((100, compression, 1, True) for compression in ("snappy", "zstd"))
    yield from ((100, "none", shards, True) for shards in (4, 20))


def main() -> None:
    from hub import Hub
    from huggingface_hub import HfApi, constants

    options = arguments("Layouts of Parquet", rows=2000)
    with scratch(options.rows * 1_000_000) as folder, Hub() as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        constants.HUGGINGFACE_CO_URL_TEMPLATE, constants.ENDPOINT = template, hub.url
        os.environ["HF_TOKEN"] = hub.token
        HfApi(endpoint=hub.url, token=hub.token).create_repo(REPO, repo_type="dataset")
        made, found = table(options.rows), []
        for group, compression, shards, pages in layouts():
            place = folder / f"{group}-{compression}-{shards}-{pages}"
            written(place, made, group, compression, shards, pages)
            files = list(place.iterdir())
            footer = sum(pq.read_metadata(path).serialized_size for path in files)
            speed, first, peak = shuffled(place, options.rows)
            found.append([
                str(group), compression, str(shards), "32 kB" if pages else "1 MB",
                f"{sum(f.stat().st_size for f in files) / 1e6:.1f}",
                f"{footer / 1000:.0f}", f"{at_random(place):.2f}", f"{in_order(place):,.0f}",
                f"{speed:,.0f}", f"{first:.3f}", f"{peak:.0f}", *over_http(hub, place, place.name),
            ])  # fmt: skip
    columns = ["rows", "media", "shards", "pages", "MB", "feet kB", "random ms", "in order",
               "shuffled", "first s", "peak MB", "row: GETs, kB", "text: GETs, x"]  # fmt: skip
    show(f"{options.rows:,} JPEGs", columns, found)


if __name__ == "__main__":
    main()
