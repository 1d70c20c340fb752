"""The pictures and sounds that `read.py` reads, in everybody's format."""

import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from measure import torchvision_operators
from PIL import Image

SAMPLES = Path(__file__).parents[1] / "samples"
CLIP, RATE = 10, 16000  # seconds, Hz


def photographs() -> list[Image.Image]:
    found = []
    skimage = find_spec("skimage")
    folder = Path(skimage.submodule_search_locations[0], "data") if skimage else SAMPLES
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".png")):
        try:
            image = Image.open(path)
            if min(image.size) >= 300 and image.mode == "RGB":
                found.append(image.convert("RGB"))
        except OSError:  # one is broken on purpose
            continue
    return found


def pictures(rows: int) -> Iterator[bytes]:
    draw, sources = np.random.default_rng(0), photographs()
    for number in range(rows):
        image = sources[number % len(sources)]
        side = int(min(image.size) * draw.uniform(0.5, 1))
        left, top = draw.integers(image.width - side + 1), draw.integers(image.height - side + 1)
        box = (int(left), int(top), int(left) + side, int(top) + side)
        out = io.BytesIO()
        image.resize((512, 512), Image.Resampling.BICUBIC, box=box).save(out, "JPEG", quality=90)
        yield out.getvalue()


def sounds(rows: int) -> Iterator[bytes]:
    import soundfile as sf
    import soxr

    paths = sorted((SAMPLES / "clotho").rglob("*.wav"))
    read = [sf.read(path, dtype="float32") for path in paths]
    whole = np.concatenate([soxr.resample(samples, rate, RATE) for samples, rate in read])
    draw = np.random.default_rng(0)
    for _ in range(rows):
        clip = np.resize(np.roll(whole, int(draw.integers(len(whole)))), CLIP * RATE)
        out = io.BytesIO()
        sf.write(out, clip * draw.uniform(0.3, 1), RATE, format="FLAC")
        yield out.getvalue()


def write(folder: Path, kind: str, values: list[bytes]) -> None:
    """All formats; runs with the peers' Python."""
    import datasets
    import lance
    import litdata
    import pyarrow as pa
    import webdataset

    rows = [{"id": f"{i:06d}", "media": value} for i, value in enumerate(values)]
    with webdataset.ShardWriter(str(folder / "wds-%04d.tar"), maxcount=1000, verbose=0) as out:
        for row in rows:
            out.write({"__key__": row["id"], "bin": row["media"]})
    table = pa.table({"id": [r["id"] for r in rows], "media": pa.array(values, pa.large_binary())})
    lance.write_dataset(table, str(folder / "lance"))
    parquet = str(folder / "parquet" / "*.parquet")
    made = datasets.load_dataset(
        "parquet", data_files=parquet, split="train", cache_dir=str(folder / "hf")
    )
    made.cast_column("media", media(kind)).save_to_disk(str(folder / "arrow"))
    with mds().MDSWriter(out=str(folder / "mds"), columns={"id": "str", "media": "bytes"}) as out:
        for row in rows:
            out.write(row)
    litdata.optimize(_row, rows, str(folder / "litdata"), chunk_bytes="64MB", num_workers=1)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return row


def media(kind: str) -> Any:
    import datasets

    return datasets.Audio(decode=False) if kind == "audio" else datasets.Image(decode=False)


def ours_write(folder: Path, kind: str, values: list[bytes]) -> None:
    from edge_glass.core.shard_files import write_shard
    from edge_glass.media.features import Audio, Features, Image, Value, arrow_schema

    media = Audio(sampling_rate=RATE) if kind == "audio" else Image()
    schema = arrow_schema(Features({"id": Value("string"), "media": media}))
    rows = ({"id": f"{i:06d}", "media": {"bytes": v, "path": None}} for i, v in enumerate(values))
    write_shard(folder / "parquet" / "train-00000-of-00001.parquet", rows, schema)


def mds() -> Any:
    torchvision_operators()
    import streaming

    return streaming
