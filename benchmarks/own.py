"""What do data of one's own cost, from files to Parquet: tables, URLs, folders, recordings?

    python benchmarks/own.py --what text|csv|tsv|jsonl|list|folder|recording [--size N]
        [--fetched 200000]

Each as a user has it, with nothing said of it: understood, planned, built, in turns, one process
each; peers do what they can of the same.
- text: `size` rows of a Parquet file without media; csv, tsv and jsonl: the same rows in these.
  datasets: loaded, and written as Parquet. DuckDB: one query that copies it, no ledger, no checks
- list: `size` URLs and captions in Parquet, understood and planned. datasets loads and writes the
  list, DuckDB copies it with an id a row. Then `fetched` of them are built: bodies of 1 kB from
  nginx on loopback (img2dataset's part: benchmarks/fetch.py)
- folder: `size` pictures of 1 kB in 30 folders of classes; datasets: `imagefolder`, written as
  Parquet
- recording: `size` hours of sound in one WAV, with a VTT that says what is said each 10 s, cut into
  clips; beside it a tenth of the hours, for memory is to be the same
"""

import io
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

SIZES = {
    "text": 300_000,
    "csv": 1_000_000,
    "tsv": 1_000_000,
    "jsonl": 1_000_000,
    "list": 1_000_000,
    "folder": 300_000,
    "recording": 10,
}
ROW_BYTES = {
    "text": 600,
    "csv": 600,
    "tsv": 600,
    "jsonl": 600,
    "list": 2500,
    "folder": 8000,
    "recording": 250_000_000,
}
TEXT = """
    SELECT i AS id, 'photo of a ' || repeat('vintage ', (i % 9)::INTEGER) || 'house no. ' || i AS
        caption, (100 + hash(i, 3) % 1500)::INTEGER AS page, (hash(i, 7) % 2000000) / 1e7 AS score,
        'page ' || hash(i, 8) AS title
    FROM range({size}) rows(i)
"""
LIST = """
    SELECT 'http://127.0.0.' || 1 + i % 8 || ':{port}/i/' || i || '.jpg' AS url,
        'photo of a ' || repeat('vintage ', (i % 9)::INTEGER) || 'house no. ' || i AS caption,
        (100 + hash(i, 3) % 1500)::INTEGER AS page
    FROM range({size}) rows(i)
"""
CLIP, RATE = 10, 16_000  # seconds, and Hz, of a recording
ANY_NAME = "location /i/ { try_files /small.jpg =404; }"


FORMATS = {  # of DuckDB, by the ending of a table
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER",
    "tsv": "FORMAT csv, HEADER, DELIMITER '\\t'",
    "jsonl": "FORMAT json",
}


def make_table(query: str, path: Path) -> None:
    import duckdb

    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({query}) TO '{path}' ({FORMATS[path.suffix[1:]]})")


def picture() -> bytes:
    from PIL import Image

    data = io.BytesIO()
    Image.effect_noise((40, 30), 60).save(data, "JPEG")
    return data.getvalue()


def make_folder(size: int, path: Path) -> None:
    data = picture()
    for number in range(size):
        folder = path / f"class{number % 30:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06}.jpg").write_bytes(data)


def make_recording(hours: float, path: Path) -> None:
    import numpy as np
    import soundfile

    path.mkdir(parents=True)
    draw, clips = np.random.default_rng(0), round(hours * 3600 / CLIP)
    with soundfile.SoundFile(path / "talk.wav", "w", RATE, 1) as file:
        for _ in range(clips):
            file.write(draw.integers(-3000, 3000, CLIP * RATE, np.int16))
    with (path / "talk.vtt").open("w") as file:
        file.write("WEBVTT\n\n")
        for at in range(0, clips * CLIP, CLIP):
            first, last = (f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in (at, at + CLIP))
            file.write(f"{first}.000 --> {last}.000\nsentence {at}\n\n")


def edge_glass(place: Path, out: Path) -> int:
    from edge_glass.corpora import catalog
    from edge_glass.pipeline.build import Options, build
    from edge_glass.sources.row_fetch import Limits, Network

    options = Options(network=Network(web=Limits(intranet=True)))
    return build(catalog.variant(str(place)), out, options).rows


def planned(place: Path, out: Path) -> int:
    from edge_glass.corpora import catalog
    from edge_glass.pipeline import shard_plan
    from edge_glass.sources.obtain import obtain

    corpus = catalog.variant(str(place)).builder()
    raw = obtain(corpus.request(), corpus.home(), facts=False)
    made = shard_plan.plan(corpus, raw, out)
    scratch = sum(path.stat().st_size for path in out.iterdir())
    print(f"{scratch / sum(made.rows.values()):.0f} bytes of plan a row", file=sys.stderr)
    return sum(made.rows.values())


def hugging_face(kind: str, place: Path, out: Path, **more: str) -> int:
    import datasets

    where = {"data_dir": str(place)} if place.is_dir() else {"data_files": str(place)}
    cache = str(out / "cache")
    found = datasets.load_dataset(kind, **where, cache_dir=cache, split="train", **more)
    found.to_parquet(str(out / "train.parquet"))
    return len(found)


def duckdb(id: str, place: Path, out: Path) -> int:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_progress_bar = false")
    query = f"COPY (SELECT {id} FROM '{place}') TO '{out}/a.parquet' (COMPRESSION zstd)"
    [(rows,)] = connection.execute(query).fetchall()
    return int(rows)


URL_ID = "left(sha256(url || chr(10) || caption), 32) AS id, *"
CONTENDERS: dict[str, dict[str, Callable[[Path, Path], int]]] = {
    "text": {
        "Edge Glass": edge_glass,
        "datasets": partial(hugging_face, "parquet"),
        "DuckDB": partial(duckdb, "*"),
    },
    **{
        ending: {
            "Edge Glass": edge_glass,
            "datasets": partial(hugging_face, kind, **more),
            "DuckDB": partial(duckdb, "*"),
        }
        for ending, kind, more in (
            ("csv", "csv", {}),
            ("tsv", "csv", {"sep": "\t"}),
            ("jsonl", "json", {}),
        )
    },
    "list": {
        "Edge Glass": planned,
        "datasets": partial(hugging_face, "parquet"),
        "DuckDB": partial(duckdb, URL_ID),
    },
    "built": {"Edge Glass": edge_glass},
    "folder": {"Edge Glass": edge_glass, "datasets": partial(hugging_face, "imagefolder")},
    "recording": {"Edge Glass": edge_glass, "Edge Glass, a tenth": edge_glass},
}


def warm_up(folder: Path) -> None:
    """What is imported, parsed and hashed once a process."""
    import datasets  # noqa: F401

    make_table(TEXT.format(size=3), folder / "raw" / "text.parquet")
    edge_glass(folder / "raw" / "text.parquet", folder / "out")


def run(what: str, size: int, fetched: int, rounds: int) -> None:
    from loopback import nginx
    from measure import compare, scratch, side_by_side

    tables = {"text": "text.parquet", "list": "list.parquet"}
    tables |= {ending: f"text.{ending}" for ending in FORMATS}
    name = f"raw/{tables.get(what, 'data')}"
    with scratch(size * ROW_BYTES[what]) as folder:
        (folder / "web").mkdir()
        (folder / "web" / "small.jpg").write_bytes(picture())
        served = nginx(folder / "web", folder / "nginx", ANY_NAME)
        with served if what == "list" else nullcontext(0) as port:
            places = [folder / name, folder / f"tenth/{name}"]
            if what in tables:
                made = LIST if what == "list" else TEXT
                make_table(made.format(size=size, port=port), places[0])
                make_table(made.format(size=min(size, fetched), port=port), places[1])
            elif what == "folder":
                make_folder(size, places[0])
            else:
                make_recording(size, places[0])
                make_recording(size / 10, places[1])
            for question in ("list", "built") if what == "list" else (what,):
                other = places[1] if question == "built" else places[0]
                contenders = [
                    [each, "--raw", str(places[1] if "tenth" in each else other)]
                    for each in CONTENDERS[question]
                ]
                asked = [[*each, "--what", question] for each in contenders]
                runs = side_by_side(asked, rounds, size * ROW_BYTES[what])
                compare(f"{what}, {question}: {size:,}", runs, ["Edge Glass"], per_second=True)


if __name__ == "__main__":
    from measure import arguments, run_here

    asked = arguments(__doc__ or "", what="text", size=0, fetched=200_000, rounds=1)
    if asked.contender:
        warm_up(asked.out / "warm")
        work = CONTENDERS[asked.what][asked.contender]
        (asked.out / "made").mkdir()
        run_here(lambda: work(asked.raw, asked.out / "made"))
    else:
        run(asked.what, asked.size or SIZES[asked.what], asked.fetched, asked.rounds)
