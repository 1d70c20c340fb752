"""What does it cost to fetch a list of image URLs, checked and accounted for?

    python benchmarks/fetch.py [--images 5000] [--rounds 3] [--peer VENV/bin/python]

nginx on loopback serves JPEGs of 60 to 100 kB under eight names; of the URLs 5 % are not there and
five hang. Each contender turns the list into Parquet with the images' bytes:
- bare loop: aiohttp, 128 requests at once, no check, no hash, whatever arrives first, pyarrow's
  writer with our settings: the least that the result costs
- bare + sha256: the same with the hash of every image in a column, and of the file in the end
- Edge Glass: a build of PixMo-Cap with one job. Every address, redirect and header checked,
  robots.txt, TDM-Rep and X-Robots-Tag asked for, kind by magic bytes, size by the header, ledger
  with sha256, order of the list, shard hashed and fsynced
- Edge Glass, decoded: the same, and each JPEG is decoded to see that it is whole (the default)
- img2dataset 1.47: bytes as they are to Parquet, one process of 256 threads, as by default
- img2dataset, decoded: the same, and each image is decoded (`skip_reencode`)
- Pool(16) + requests: a process pool, a list of dicts, `Dataset.from_list`, `to_parquet`

`--peer` is a Python that has `img2dataset==1.47` and `rich`; without it that one is left out. CPU
seconds and memory (of all processes of a contender together) are taken in turns as in the other
benchmarks; images a second while each runs alone, over the same list without those that hang.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOSTS = [f"127.0.0.{number}" for number in range(1, 9)]
AT_ONCE, TIMEOUT = 128, 10
GONE, HANG = 20, 5  # every twentieth is gone; so many hang
SAMPLE = Path(__file__).parents[1] / "samples" / "pixmo_cap" / "web"


def make_images(folder: Path, count: int) -> None:
    """JPEGs of 60 to 100 kB, cut out of the sample's photographs; each has bytes of its own."""
    from PIL import Image

    chance = random.Random(0)
    photos = [Image.open(path).convert("RGB") for path in sorted(SAMPLE.rglob("*.png"))]
    kinds = [_photo(chance, photos) for _ in range(min(count, 200))]
    folder.mkdir(parents=True)
    for number in range(count):
        note = f"\xff\xfe\x00\x12image {number:010d}".encode("latin-1")
        data = kinds[number % len(kinds)]
        (folder / f"{number}.jpg").write_bytes(data[:2] + note + data[2:])


def _photo(chance: random.Random, photos: list[Any]) -> bytes:
    import io

    photo = chance.choice(photos).resize((640, 480)).rotate(chance.uniform(-20, 20))
    wanted, quality, data = chance.randint(60_000, 99_000), 50, b""
    while len(data) < wanted and quality < 100:
        out, quality = io.BytesIO(), quality + 2
        photo.save(out, "JPEG", quality=quality)
        data = out.getvalue()
    return data if len(data) < 100_000 else _photo(chance, photos)


def make_list(raw: Path, count: int, port: int, pit: int | None) -> None:
    """PixMo-Cap's Parquet, and the same list as img2dataset reads it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    urls = [f"http://{HOSTS[n % len(HOSTS)]}:{port}/{n}.jpg" for n in range(count)]
    for n in range(0, count, GONE):
        urls[n] = urls[n].replace(".jpg", ".gone.jpg")
    for n in range(1, HANG + 1) if pit else ():
        urls[n * count // (HANG + 1) | 1] = f"http://127.0.0.9:{pit}/{n}.jpg"
    captions = [f"Picture {n}." for n in range(count)]
    table = pa.table({"image_url": urls, "caption": captions, "transcripts": [["so"]] * count})
    (raw / "data").mkdir(parents=True)
    pq.write_table(table, raw / "data" / "train-00000-of-00001.parquet")
    pq.write_table(table.drop(["transcripts"]), raw / "list.parquet")


def read_list(raw: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(raw / "list.parquet").to_pylist()
    return rows


def bare(raw: Path, out: Path, hashed: bool = False) -> int:
    import hashlib

    import aiohttp
    import pyarrow as pa

    from edge_glass.core.shard_files import _writer
    from edge_glass.media.features import Features, Image, Value, arrow_schema

    names = ("caption", "image_url", "sha256")
    schema = arrow_schema(Features({"image": Image()} | {n: Value("string") for n in names}))

    async def fetch_all() -> int:
        rows, left, kept = iter(read_list(raw)), [], 0

        async def work(session: aiohttp.ClientSession, writer: Any) -> None:
            nonlocal kept
            for row in rows:
                try:
                    async with session.get(row["image_url"]) as response:
                        if response.status != 200:
                            continue
                        data = await response.read()
                except (aiohttp.ClientError, TimeoutError):
                    continue
                sha256 = hashlib.sha256(data).hexdigest() if hashed else None
                left.append(row | {"image": {"bytes": data, "path": None}, "sha256": sha256})
                kept += 1
                if len(left) == 100:
                    writer.write_table(pa.Table.from_pylist(left, schema=schema))
                    left.clear()

        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            with (out / "train.parquet").open("wb") as file, _writer(file, schema) as writer:  # type: ignore[arg-type]
                await asyncio.gather(*(work(session, writer) for _ in range(AT_ONCE)))
                if left:
                    writer.write_table(pa.Table.from_pylist(left, schema=schema))
        return kept

    kept = asyncio.run(fetch_all())
    if hashed:
        with (out / "train.parquet").open("rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()
    return kept


def bare_hashed(raw: Path, out: Path) -> int:
    return bare(raw, out, hashed=True)


def ours(raw: Path, out: Path, decode: bool = False) -> int:
    from edge_glass.corpora.catalog import variant
    from edge_glass.pipeline.build import Options
    from edge_glass.release.write_card import build
    from edge_glass.sources import addresses
    from edge_glass.sources.row_fetch import Limits, Network

    real = addresses.is_public
    addresses.is_public = lambda address: real(address) or address.startswith("127.")  # it is asked
    network = Network(web=Limits(AT_ONCE, silence=TIMEOUT))
    options = Options(raw=raw, jobs=1, unverified=True, network=network)
    made = build(variant("pixmo_cap", {"decode_all": decode}, "pixmo_cap_bench"), out, options)
    return made.kept


def decoded(raw: Path, out: Path) -> int:
    return ours(raw, out, decode=True)


def img2dataset(raw: Path, out: Path, decode: bool = False) -> int:
    from img2dataset import download

    download(
        url_list=str(raw / "list.parquet"),
        input_format="parquet",
        url_col="image_url",
        caption_col="caption",
        output_folder=str(out / "parquet"),
        output_format="parquet",
        disable_all_reencoding=not decode,
        skip_reencode=True,
        resize_mode="no",
        timeout=TIMEOUT,
        number_sample_per_shard=10_000,
    )
    stats = json.loads((out / "parquet" / "00000_stats.json").read_text())
    return int(stats["successes"])


def img2dataset_decoded(raw: Path, out: Path) -> int:
    return img2dataset(raw, out, decode=True)


def _requested(row: dict[str, Any]) -> dict[str, Any] | None:
    import requests

    try:
        response = requests.get(row["image_url"], timeout=TIMEOUT)
        response.raise_for_status()
    except requests.RequestException:
        return None
    return row | {"image_bytes": response.content}


def pool(raw: Path, out: Path) -> int:
    from multiprocessing import Pool

    import datasets

    with Pool(16) as workers:
        rows = [row for row in workers.imap(_requested, read_list(raw)) if row]
    datasets.Dataset.from_list(rows).to_parquet(out / "train.parquet")
    return len(rows)


CONTENDERS: dict[str, Callable[[Path, Path], int]] = {
    "bare loop": bare,
    "bare + sha256": bare_hashed,
    "Edge Glass": ours,
    "Edge Glass, decoded": decoded,
    "img2dataset": img2dataset,
    "img2dataset, decoded": img2dataset_decoded,
    "Pool(16) + requests": pool,
}


def contend(options: argparse.Namespace) -> None:
    """In the process of a contender: everything is imported and tried on a few before the clock."""
    from measure import run_here

    job = CONTENDERS[options.contender]
    for name in ("warm-up", "out"):
        (options.out / name).mkdir()
    job(options.raw.with_name("warm-up"), options.out / "warm-up")
    run_here(lambda: job(options.raw, options.out / "out"))


def check(runs: dict[str, list[Any]], count: int) -> None:
    for name, taken in runs.items():
        if any(run.made < count * (1 - 1 / GONE) - HANG for run in taken):
            sys.exit(f"{name} made {[run.made for run in taken]} of {count}")


def main() -> None:
    from measure import arguments

    about = "What does it cost to fetch a list of image URLs?"
    options = arguments(about, images=500, rounds=1, peer="")
    if options.contender:
        contend(options)
        return
    import datasets
    from loopback import nginx, tar_pit
    from measure import compare, scratch, side_by_side

    datasets.disable_progress_bars()
    count, peer = options.images, options.peer
    with scratch(6 * count * 100_000) as folder:
        make_images(folder / "web", count)
        with nginx(folder / "web", folder / "nginx") as port, tar_pit() as pit:
            lists = ("warm-up", 40, None), ("hang", count, pit), ("plain", count, None)
            for name, images, hang in lists:
                (folder / name).mkdir()
                make_list(folder / name, images, port, hang)
            names = [name for name in CONTENDERS if peer or "img2dataset" not in name]
            pythons = dict.fromkeys(("img2dataset", "img2dataset, decoded"), peer)
            for name, alone in (("hang", False), ("plain", True)):
                jobs = [[contender, f"--raw={folder / name}"] for contender in names]
                rounds = 1 if alone else options.rounds
                runs = side_by_side(jobs, rounds, count * 400_000, pythons, alone=alone)
                title = f"{count} URLs, {rounds} rounds" + (", one after another" if alone else "")
                check(runs, count)
                compare(title, runs, ["bare loop", "bare + sha256", "Edge Glass"], per_second=alone)


if __name__ == "__main__":
    sys.exit(main())
