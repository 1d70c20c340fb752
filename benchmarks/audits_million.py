"""A million rows: near-identical captions, and images of the test split that training has, too.

The captions are read from Parquet shards and take the whole way: read, MinHash, language and the
rest of their trace, then the search. Of a million images only the hashes are made up (their bits
are as good as independent in real ones, too: benchmarks/audits.py measures 0.44 of them different
between two images), for decoding a million images measures Pillow; the search is the same.
Known pairs are planted and counted, and how many are found is told.

    python benchmarks/audits_million.py --rows 1000000
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import arguments, cpu_seconds, group_mb, scratch, show

SHARDS = 10
TEST = 100  # one row in so many is of the test split
PLANTED = 50  # one row in so many is nearly an earlier one
WORDS = 20_000
JOBS = 2


def word(number: int) -> str:
    """A word of two to four syllables for a number."""
    text = ""
    while number or not text:
        number, syllable = divmod(number, 70)
        text += "bdfgklmnprstvz"[syllable // 5] + "aeiou"[syllable % 5]
    return text


def captions(rows: int, first: int) -> Iterator[str]:
    """Captions of 8 to 24 words, drawn as words are, some an earlier one with a word changed."""
    draw = np.random.default_rng(first)
    earlier = ""
    for number in range(rows):
        if number % PLANTED == PLANTED - 1:
            words = earlier.split()
            words[draw.integers(len(words))] = word(int(draw.integers(WORDS)))
            yield " ".join(words) + "."
            continue
        text = " ".join(word(int(n)) for n in draw.zipf(1.2, draw.integers(8, 25)) % WORDS)
        if number % PLANTED == 0:
            earlier = text + " " + " ".join(word(int(n)) for n in draw.integers(WORDS, size=8))
            text = earlier
        yield text


def corpus(folder: Path, rows: int, kind: str) -> Path:
    """A config of so many rows, captions or hashes of images, in shards of two splits."""
    sizes = [("test", rows // TEST)] + [("train", (rows - rows // TEST) // SHARDS)] * SHARDS
    splits: dict[str, dict[str, object]] = {}
    for number, (split, size) in enumerate(sizes):
        file = f"{split}-{number:05d}-of-{SHARDS + 1:05d}.parquet"
        if kind == "captions":
            table = pa.table(
                {
                    "id": [f"{number}-{row}" for row in range(size)],
                    "caption": list(captions(size, number)),
                }
            )
        else:
            table = pa.table({"id": pa.array([], pa.string())})
        pq.write_table(table, folder / file, row_group_size=10_000)
        facts = splits.setdefault(
            split,
            {"rows": 0, "bytes": 0, "shards": [], "outcomes": {}, "warnings": {}, "figures": {}},
        )
        facts["rows"] = int(str(facts["rows"])) + size
        shards = facts["shards"]
        assert isinstance(shards, list)
        shards.append({"file": file, "rows": size, "bytes": 0, "sha256": f"{number:064x}"})
    name = {"captions": "caption", "images": "image"}[kind]
    feature = {"dtype": "string", "_type": "Value"} if kind == "captions" else {"_type": "Image"}
    made = {
        "manifest_version": 1, "config": kind, "corpus": "made_up", "version": "1.0.0",
        "parameters": {}, "limit": None, "builder": "", "made_with": {}, "sources": [],
        "features": {"id": {"dtype": "string", "_type": "Value"}, name: feature}, "splits": splits,
        "ledger": {"file": "ledger.parquet", "rows": rows, "bytes": 0, "sha256": "0" * 64},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(made))
    return folder


def hashes(out: Path, folder: Path, rows: int) -> int:
    """Traces as a million images would leave them; every tenth test image is one of training."""
    from edge_glass.audit import audited_shards, image_hash, media_profile, profiles

    trace = media_profile.Media()
    place = profiles.place(out / ".edge_glass", trace)
    place.mkdir(parents=True)
    draw, windows, planted = np.random.default_rng(0), len(image_hash.WINDOWS), None
    for shard in audited_shards.shards([folder]):
        bits = draw.integers(-(2**63), 2**63, size=(shard.rows, 5))
        if shard.split == "test":
            planted = bits[::10]
        elif planted is not None:
            bits[: len(planted)] = planted  # training has them, as another crop
            planted = None
        # an eighth of the bits of a window differ, as with a crop, and a 32nd of an image's own
        flips = draw.integers(-(2**63), 2**63, size=(3, shard.rows, windows, 5))
        flips = flips[0] & flips[1] & flips[2]
        flips[:, 0] &= flips[:, 1] | flips[:, 2]
        printed = bits[:, None] ^ flips
        items = np.arange(shard.rows)
        columns = [np.repeat(items, windows), np.tile(np.arange(windows), shard.rows).astype("i1")]
        columns += [printed[:, :, word].ravel() for word in range(5)]
        pictures_ = pa.table(columns, schema=media_profile.PICTURES)
        media = {name: pa.nulls(shard.rows, media_profile.MEDIA.field(name).type)
                 for name in media_profile.MEDIA.names}  # fmt: skip
        ids = [f"{shard.number}-{row}" for row in range(shard.rows)]
        media |= {"row": pa.array(items), "item": pa.array(items), "id": pa.array(ids)}
        media |= {
            "kind": pa.array(["image"] * shard.rows),
            "column": pa.array(["image"] * shard.rows),
        }
        media |= {"picture": pa.array([row.tobytes() for row in printed[:, 0]], pa.binary())}
        media |= {"contrast": pa.array(np.full(shard.rows, 50, dtype=np.float32))}
        for name, table in (
            ("media", pa.table(media, schema=media_profile.MEDIA)), ("pictures", pictures_),
            ("sounds", media_profile.SOUNDS.empty_table()),
        ):  # fmt: skip
            pq.write_table(table, profiles.path(place, shard, name), compression="zstd")
    return rows // TEST // 10


class Peak:
    """Minutes, those of all processors together, and the most memory that all processes held."""

    def __enter__(self) -> "Peak":
        import os
        import threading

        self.mb, self._stop = 0.0, threading.Event()

        def watch() -> None:
            while not self._stop.wait(0.5):
                self.mb = max(self.mb, group_mb(os.getpgid(0)))

        self._cpu = cpu_seconds()
        self._thread, self._start = threading.Thread(target=watch), time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.minutes = (time.monotonic() - self._start) / 60
        self.cpu = (cpu_seconds() - self._cpu) / 60
        self._stop.set()
        self._thread.join()


def main() -> None:
    from edge_glass.audit import audits

    given = arguments(__doc__ or "", rows=1_000_000, memory=2)
    options = audits.Options(("duplicates",), (), None, JOBS, None, given.memory * 10**9)
    rows: list[list[str]] = []
    for kind in ("captions", "images"):
        with scratch(given.rows * 5000) as folder:
            config = folder / kind
            config.mkdir()
            corpus(config, given.rows, kind)
            planted = given.rows // PLANTED
            if kind == "images":
                planted = hashes(folder, config, given.rows)
            with Peak() as peak:
                made = audits.audit(config, folder, options)
            found = made.groups["duplicates"].checks
            check = {"captions": "like_caption", "images": "like_image"}[kind]
            table = pq.read_table(folder / "audit" / kind / "duplicates.parquet")
            flagged = len(set(table["id"].to_pylist()))
            spent = [f"{peak.minutes:.1f}", f"{peak.cpu:.1f}", f"{peak.mb:.0f}"]
            told = [f"{planted:,}", f"{found[check]:,}", f"{flagged:,}"]
            rows.append([kind, f"{given.rows:,}", *spent, *told])
    columns = ["", "rows", "minutes", "CPU min", "peak MB", "planted", "findings", "rows flagged"]
    show(f"{JOBS} processes, --memory {given.memory}", columns, rows)


if __name__ == "__main__":
    main()
