"""What does a build of clotho_16k cost beyond its arithmetic, and what does the usual way cost?

    python benchmarks/clotho.py [--clips 400] [--rounds 3] [--memory 1600]

Clips of 20 s (44.1 kHz, mono, 16 bit, mixed out of the sounds of samples/clotho) lie as Clotho
lays them out. They become 16 kHz Parquet with captions and metadata by
- bare loop: soundfile.read, soxr HQ, FLAC of 16 bits, pyarrow's writer with our settings. It checks
  nothing, hashes nothing and keeps no ledger: the least that the result costs
- Edge Glass: `build` with one job, in the process: every row in the ledger with the sha256 of its
  source, media checked, shards hashed, fsynced and put in their place whole
- librosa, arrays: `Dataset.map(librosa.load)` into a column of float32, then `to_parquet` a shard,
  as `push_to_hub` does: the straight way
- librosa, lists: the same with `.tolist()`: one call more, and a Python float for each sample
- librosa, FLAC: the same with FLAC bytes made by soundfile and cast to `Audio`, with the embedding
  that `push_to_hub` does: what a careful user does. It is the fairer peer: the result is ours

`datasets` would also turn arrays into WAV by itself, with torch and torchcodec; that is left out as
neither is needed here. librosa's imports and numba's start come before the clock, for its benefit;
where librosa is not installed (extra `bench`), the peers are left out.
"""

import csv
import io
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile as sf
import soxr
from measure import arguments, compare, run_here, scratch, show, side_by_side

from edge_glass.corpora.catalog import variant
from edge_glass.media.features import Audio, Features, Sequence, Value, arrow_schema
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

SAMPLES = Path(__file__).parents[1] / "samples" / "clotho"
SOURCE, RATE, SECONDS = 44100, 16000, 20  # Hz, Hz, length of a clip
TEXT = ["sound_id", "sound_link", "start_end_samples", "manufacturer", "license"]
CAPTIONS = [f"caption_{number}" for number in range(1, 6)]
WORDS = {"keywords": Sequence(Value("string")), "captions": Sequence(Value("string"))}
FEATURES = Features(
    {"id": Value("string"), "audio": Audio(sampling_rate=RATE), "duration": Value("float64")}
    | WORDS
    | {name: Value("string") for name in TEXT}
)
TEXT_LEAVES = ["id", "audio.path", "duration", *(f"{n}.list.element" for n in WORDS), *TEXT]
SETTINGS: dict[str, Any] = {
    "compression": dict.fromkeys(TEXT_LEAVES, "zstd") | {"audio.bytes": "none"},
    "column_encoding": {"audio.bytes": "PLAIN"},
    "use_dictionary": TEXT_LEAVES,
    "write_statistics": TEXT_LEAVES,
    "write_page_index": True,
    "use_content_defined_chunking": datasets.config.DEFAULT_CDC_OPTIONS,
}
GROUP_BYTES = 10_000_000


def make_raw(folder: Path, clips: int, like: Path | None = None) -> None:
    """Clips in Clotho's raw layout, or other names for the clips of the raw folder `like`."""
    sounds = [_mono(path) for path in sorted(SAMPLES.rglob("*.wav"))]
    random = np.random.default_rng(0)
    audio = folder / "development"
    audio.mkdir(parents=True)
    present = sorted(like.rglob("*.wav")) if like else []
    names = [f"{number:04d} clip.wav" for number in range(clips)]
    for number, name in enumerate(names):
        if present:
            (audio / name).hardlink_to(present[number % len(present)])
            continue
        mixed = sum(_loop(sounds[i], random) for i in random.choice(len(sounds), 3, False))
        sf.write(audio / name, mixed * 0.7 / np.abs(mixed).max(), SOURCE, subtype="PCM_16")
    _table(folder / "clotho_captions_development.csv", names, CAPTIONS, "a sound of {} in a yard")
    _table(folder / "clotho_metadata_development.csv", names, ["keywords", *TEXT], "{};field;yard")


def _mono(path: Path) -> np.ndarray:
    samples, rate = sf.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, SOURCE)


def _loop(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    start, gain = random.integers(len(sound)), random.uniform(0.1, 1.0)
    return gain * np.resize(np.roll(sound, -start), SECONDS * SOURCE)


def _table(path: Path, names: list[str], columns: list[str], text: str) -> None:
    with path.open("w", newline="", encoding="latin-1") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", *columns])
        writer.writerows([name, *[text.format(name[:4])] * len(columns)] for name in names)


def read_tables(raw: Path) -> Iterator[dict[str, Any]]:
    """All that is said of each clip, and its path."""
    with (raw / "clotho_metadata_development.csv").open(encoding="latin-1", newline="") as file:
        metadata = {row["file_name"]: row for row in csv.DictReader(file)}
    with (raw / "clotho_captions_development.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = row["file_name"]
            facts = metadata[name]
            yield {
                "id": f"train/{name}",
                "path": str(raw / "development" / name),
                "keywords": facts["keywords"].split(";"),
                "captions": [row[caption] for caption in CAPTIONS],
            } | {column: facts[column] for column in TEXT}


def flac(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    sf.write(out, samples, RATE, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def bare(raw: Path, out: Path) -> None:
    schema = arrow_schema(FEATURES)
    with pq.ParquetWriter(out / "train.parquet", schema, **SETTINGS) as writer:
        group: list[dict[str, Any]] = []
        size = 0
        for row in read_tables(raw):
            path = Path(row.pop("path"))
            samples, rate = sf.read(path, dtype="float32")
            data = flac(soxr.resample(samples, rate, RATE, quality="HQ"))
            if size + len(data) > GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group, size = [], 0
            audio = {"bytes": data, "path": f"{path.stem}.flac"}
            group.append(row | {"audio": audio, "duration": len(samples) / rate})
            size += len(data)
        writer.write_table(pa.Table.from_pylist(group, schema=schema))


def ours(raw: Path, out: Path) -> None:
    train = variant("clotho_16k", {"splits": ["train"]}, "clotho_16k_train")
    build(train, out, Options(raw=raw, jobs=1, unverified=True))


def librosa_arrays(raw: Path, out: Path, lists: bool = False) -> None:
    import librosa

    def load(row: dict[str, Any]) -> dict[str, Any]:
        array, rate = librosa.load(row["path"], sr=RATE)
        audio = array.tolist() if lists else array
        return {"audio": audio, "sampling_rate": rate, "duration": len(array) / rate}

    made = datasets.Dataset.from_list(list(read_tables(raw)))
    push(made.map(load, remove_columns="path"), out)


def librosa_flac(raw: Path, out: Path) -> None:
    import librosa

    def load(row: dict[str, Any]) -> dict[str, Any]:
        array, rate = librosa.load(row["path"], sr=RATE)
        audio = {"bytes": flac(array), "path": f"{Path(row['path']).stem}.flac"}
        return {"audio": audio, "duration": len(array) / rate}

    made = datasets.Dataset.from_list(list(read_tables(raw)))
    made = made.map(load, remove_columns="path")
    push(made.cast_column("audio", datasets.Audio(sampling_rate=RATE)), out)


def push(made: datasets.Dataset, out: Path) -> None:
    """The shards of `push_to_hub`, into a folder."""
    shards = made._estimate_nbytes() // 500_000_000 + 1
    for index in range(shards):
        shard = made.shard(shards, index, contiguous=True)
        if isinstance(made.features["audio"], datasets.Audio):
            embed = datasets.table.embed_table_storage
            shard = shard.with_format("arrow").map(embed, batched=True, keep_in_memory=True)
        shard.to_parquet(out / f"train-{index:05d}-of-{shards:05d}.parquet")


CONTENDERS = {
    "bare loop": bare,
    "Edge Glass": ours,
    "librosa, arrays": librosa_arrays,
    "librosa, lists": partial(librosa_arrays, lists=True),
    "librosa, FLAC": librosa_flac,
}


def main() -> None:
    about = "What does a build of clotho_16k cost?"
    options = arguments(about, clips=40, rounds=1, memory=160)
    datasets.disable_progress_bars()
    if options.contender:
        job = CONTENDERS[options.contender]
        for name in ("warm-up", "out"):
            (options.out / name).mkdir()
        job(options.raw.with_name("warm-up"), options.out / "warm-up")
        run_here(lambda: job(options.raw, options.out / "out"))
        return
    clip = SECONDS * SOURCE * 2
    with scratch(options.clips * clip) as folder:
        raw, many = folder / "clips", folder / "more"
        make_raw(folder / "warm-up", 2)
        make_raw(raw, options.clips)
        names = [name for name in CONTENDERS if find_spec("librosa") or "librosa" not in name]
        jobs = [[name, f"--raw={raw}"] for name in names]
        runs = side_by_side(jobs, options.rounds, 2 * options.clips * clip)
        title = f"{options.clips} clips of {SECONDS} s, {options.rounds} rounds"
        compare(title, runs, ["bare loop", "Edge Glass"])
        make_raw(many, options.memory, raw)
        more = side_by_side([["Edge Glass", f"--raw={many}"]], 1, options.memory * clip)
    peaks = {options.clips: runs["Edge Glass"], options.memory: more["Edge Glass"]}
    rows = [[str(clips), f"{taken[0].peak_mb:.0f}"] for clips, taken in peaks.items()]
    show("Memory of a build (Python and imports included)", ["clips", "peak MB"], rows)


if __name__ == "__main__":
    main()
