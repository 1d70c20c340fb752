"""Those that `read.py` compares: (folder, kind, order, workers) -> batches.

With order "random" they give single rows.
"""

import io
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from read_data import CLIP, RATE, mds, media

SIZE, BATCH, BUFFER, ACCESSES = 224, 64, 1000, 300
Items = Iterable[Any]


def decoder(kind: str) -> Callable[[bytes], Any]:
    return {"decoded": by_pillow, "audio": by_soundfile, "raw": bytes}[kind]


def by_pillow(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def by_soundfile(data: bytes) -> np.ndarray:
    import soundfile as sf

    return sf.read(io.BytesIO(data), dtype="float32", frames=CLIP * RATE)[0]


def collate(kind: str) -> Callable[[list[Any]], Any]:
    return list if kind == "raw" else np.stack


class Decoded:
    """A map-style dataset whose items are decoded; also what workers are given."""

    def __init__(self, inner: Any, kind: str, get: Callable[[Any], bytes]) -> None:
        self.inner, self.kind, self.get = inner, kind, get

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, at: int) -> Any:
        return decoder(self.kind)(self.get(self.inner[at]))


def torch_batches(dataset: Any, kind: str, workers: int, shuffle: bool | None = None) -> Items:
    from torch.utils.data import DataLoader

    more = {} if shuffle is None else {"shuffle": shuffle}
    return DataLoader(dataset, BATCH, num_workers=workers, collate_fn=collate(kind), **more)


def of_media(item: Any) -> bytes:
    media = item["media"]
    return media["bytes"] if isinstance(media, dict) else media


def edge_glass(folder: Path, kind: str, order: str, workers: int) -> Items:
    from edge_glass.train import Picture, Sound, loader

    decode = {"decoded": Picture(SIZE, "stretch"), "audio": Sound(CLIP, RATE)}.get(kind)
    made = loader(
        folder / "parquet", columns=["media"], batch_size=BATCH, shuffle=order == "shuffled",
        decode={"media": decode} if decode else None,
    )  # fmt: skip
    return (batch["media"] for batch in (made.torch(workers) if workers else made))


def pyarrow(folder: Path, kind: str, order: str, workers: int) -> Items:
    import pyarrow.parquet as pq

    decode, draw = decoder(kind), random.Random(0)
    file = pq.ParquetFile(next((folder / "parquet").iterdir()), pre_buffer=False)
    if order == "random":
        ends = np.cumsum([file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)])
        for _ in range(ACCESSES):
            at = draw.randrange(int(ends[-1]))
            group = int(np.searchsorted(ends, at, side="right"))
            inside = at - (int(ends[group - 1]) if group else 0)
            table = file.read_row_group(group, columns=["media.bytes"])
            yield [decode(table["media"][inside]["bytes"].as_py())]
        return
    groups = list(range(file.num_row_groups))
    if order == "shuffled":
        draw.shuffle(groups)
    batch: list[Any] = []
    for group in groups:
        rows = file.read_row_group(group, columns=["media.bytes"])["media"].to_pylist()
        if order == "shuffled":
            draw.shuffle(rows)
        for row in rows:
            batch.append(decode(row["bytes"]))
            if len(batch) == BATCH:
                yield collate(kind)(batch)
                batch = []
    if batch:
        yield collate(kind)(batch)


def datasets_map(folder: Path, kind: str, order: str, workers: int) -> Items:
    from datasets import load_from_disk

    made = Decoded(load_from_disk(str(folder / "arrow")), kind, of_media)
    if order == "random":
        return accesses(made)
    return torch_batches(made, kind, workers, order == "shuffled")


def datasets_streaming(folder: Path, kind: str, order: str, workers: int) -> Items:
    from datasets import load_dataset

    files = str(folder / "parquet" / "*.parquet")
    made = load_dataset("parquet", data_files=files, split="train", streaming=True)
    made = made.select_columns(["media"]).cast_column("media", media(kind))
    if order == "shuffled":
        made = made.shuffle(seed=0, buffer_size=BUFFER)
    return torch_batches(_Mapped(made, kind), kind, workers)


def webdataset(folder: Path, kind: str, order: str, workers: int) -> Items:
    import webdataset as wds

    shards = sorted(map(str, folder.glob("wds-*.tar")))
    shuffled = order == "shuffled"
    made = wds.WebDataset(shards, shardshuffle=100 if shuffled else False, empty_check=False)
    made = made.shuffle(BUFFER) if shuffled else made
    decode = decoder(kind)
    made = made.map(lambda row: decode(row["bin"])).batched(BATCH, collation_fn=collate(kind))
    return wds.WebLoader(made, batch_size=None, num_workers=workers)


def litdata(folder: Path, kind: str, order: str, workers: int) -> Items:
    import litdata as ld

    class Stream(ld.StreamingDataset):
        def __getitem__(self, at: Any) -> Any:
            return decoder(kind)(super().__getitem__(at)["media"])

    made = Stream(str(folder / "litdata"), shuffle=order == "shuffled")
    if order == "random":
        return accesses(made)
    return ld.StreamingDataLoader(
        made, batch_size=BATCH, num_workers=workers, collate_fn=collate(kind)
    )


def mds_reader(folder: Path, kind: str, order: str, workers: int) -> Items:
    class Stream(mds().StreamingDataset):
        def __getitem__(self, at: Any) -> Any:
            return decoder(kind)(super().__getitem__(at)["media"])

    made = Stream(local=str(folder / "mds"), shuffle=order == "shuffled", batch_size=BATCH)
    return accesses(made) if order == "random" else torch_batches(made, kind, workers)


def lance(folder: Path, kind: str, order: str, workers: int) -> Items:
    import lance as la

    decode, draw = decoder(kind), np.random.default_rng(0)
    made = la.dataset(str(folder / "lance"))
    if order == "sequential":
        for batch in made.to_batches(columns=["media"], batch_size=BATCH):
            yield collate(kind)([decode(value.as_py()) for value in batch["media"]])
        return
    count = made.count_rows()
    order_of = (
        draw.permutation(count) if order == "shuffled" else draw.integers(count, size=ACCESSES)
    )
    step = BATCH if order == "shuffled" else 1
    for at in range(0, len(order_of), step):
        table = made.take(order_of[at : at + step], columns=["media"])
        yield collate(kind)([decode(value) for value in table["media"].to_pylist()])


class _Mapped:
    """Decodes the items of an iterable dataset of `datasets`, and stays one for torch."""

    def __new__(cls, made: Any, kind: str) -> Any:
        decode = decoder(kind)
        from torch.utils.data import IterableDataset

        class Mapped(IterableDataset):
            def __iter__(self) -> Iterator[Any]:
                return (decode(of_media(row)) for row in made)

        return Mapped()


def accesses(made: Any) -> Items:
    draw = random.Random(0)
    return ([made[draw.randrange(len(made))]] for _ in range(ACCESSES))


CONTENDERS = {
    "Edge Glass": edge_glass,
    "pyarrow": pyarrow,
    "datasets, map-style": datasets_map,
    "datasets, streaming": datasets_streaming,
    "webdataset": webdataset,
    "litdata": litdata,
    "MDS": mds_reader,
    "lance": lance,
}
