"""What do captions with classes of ImageNet cost a row, from raw files to a build without media?

    python benchmarks/classes.py [--rows 300000] [--rounds 1] [--what cc12m]

Captions are those of `match.py`, in the files that upstream publishes (`--what`: one of them, or
all): CC12M's TSV, JSON lines, the JSON list of ImageNet-Captions, tables of LAIONet, and the chunks
of LAION-400M for the command `match`. In turns, each in one process:
- Edge Glass: the build, with matches, samples, checks, ids, ledger, digests; or the command
- datasets: the same files loaded, its cache in Arrow and then `to_parquet`; no class is looked for
- DuckDB: one query with an id a row, written as Parquet with zstd; no class is looked for
"""

import json
from itertools import chain
from pathlib import Path

import match

CONFIGS = {
    "cc12m": ("cc12m_cls_metadata", "cc12m.tsv"),
    "lines": ("yfcc15m_cls", "yfcc15m.jsonl"),
    "list": ("imagenet_captions_metadata", "imagenet_captions.json"),
    "laionet": ("laionet_metadata", "laionet/metadata/0.parquet"),
    "match": ("laion400m", "0.parquet"),
}
CONTENDERS = ("Edge Glass", "datasets", "DuckDB")


def make_rows(path: Path, what: str, captions: list[str]) -> None:
    """The raw file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from edge_glass.domains.imagenet.classes import imagenet

    path.parent.mkdir(parents=True)
    urls = [f"https://img{n % 500}.example.com/photo-{n * 7919}.jpg" for n in range(len(captions))]
    wnids = [imagenet()[n * n % 1000].wnid for n in range(len(captions))]
    if what == "cc12m":
        path.write_text("".join(map("{}\t{}\n".format, urls, captions)))
    elif what == "lines":
        items = (
            {"filepath": url[8:], "caption": text} for url, text in zip(urls, captions, strict=True)
        )
        path.write_text("".join(f"{json.dumps(item)}\n" for item in items))
    elif what == "list":
        names = ("filename", "wnid", "title", "tags", "description")
        rows = zip(urls, wnids, captions, map(str.split, captions), reversed(captions), strict=True)
        items = (
            dict(zip(names, (f"{r[1]}_{n}.JPEG", *r[1:]), strict=True)) for n, r in enumerate(rows)
        )
        path.write_text(json.dumps([*items]))
    else:
        table = {"URL": urls, "TEXT": captions, "NSFW": ["UNLIKELY"] * len(urls)}
        table |= {"similarity": [0.3] * len(urls)}
        scores = [0.6 + n * 7919 % 4001 / 10000 for n in range(len(urls))]
        more = {"wnid": wnids, "text_to_name_def_wnid_similarity": scores}
        pq.write_table(pa.table(table | (more if what == "laionet" else {})), path)


def edge_glass(raw: Path, out: Path, what: str) -> int:
    from edge_glass.corpora import catalog
    from edge_glass.domains.imagenet.classify import Matched
    from edge_glass.pipeline.build import Options, build
    from edge_glass.tables import steps

    name, _ = CONFIGS[what]
    if what == "match":
        layout = catalog.corpus(name).TABLE
        assert layout is not None
        return int(steps.run(Matched(layout, "laionet"), raw, out)["rows"])
    made = build(catalog.variant(name), out, Options(raw=raw))
    return sum(sum(split.outcomes.values()) for split in made.splits.values())


def hugging_face(path: Path, out: Path) -> int:
    import datasets

    kinds = {".tsv": "csv", ".parquet": "parquet"}
    kind = kinds.get(path.suffix, "json")
    more = {"delimiter": "\t", "column_names": ["url", "caption"]} if kind == "csv" else {}
    loaded = datasets.load_dataset(
        kind, data_files=str(path), cache_dir=str(out / "cache"), split="train", **more
    )
    loaded.to_parquet(str(out / "train.parquet"))
    return len(loaded)


def duckdb(path: Path, out: Path) -> int:
    import duckdb

    source = {
        ".tsv": f"read_csv('{path}', delim='\t', header=false, quote='', names=['a', 'b'])",
        ".jsonl": f"(SELECT filepath AS a, caption AS b, * FROM read_json('{path}'))",
        ".json": f"(SELECT filename AS a, title AS b, * FROM read_json('{path}'))",
        ".parquet": f"(SELECT URL AS a, TEXT AS b, * FROM '{path}')",
    }[path.suffix]
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_progress_bar = false")
    query = f"SELECT left(sha256(a || chr(10) || b), 32) AS id, * FROM {source}"
    target = f"'{out}/train.parquet' (FORMAT parquet, COMPRESSION zstd)"
    [(rows,)] = connection.execute(f"COPY ({query}) TO {target}").fetchall()
    return int(rows)


def warm_up(folder: Path) -> None:
    """What is imported, parsed and hashed once a process, whatever the number of rows."""
    import datasets  # noqa: F401
    import duckdb  # noqa: F401

    from edge_glass.corpora import catalog
    from edge_glass.domains.imagenet import caption_match, classify  # noqa: F401
    from edge_glass.pipeline.build import build

    build(catalog.variant("cc12m_cls_sample", {"images": False}, "warm"), folder)


if __name__ == "__main__":
    from measure import arguments, compare, run_here, scratch, side_by_side

    asked = arguments(__doc__ or "", rows=300_000, rounds=1, what="all")
    if asked.contender:
        warm_up(asked.out / "warm")
        path = asked.raw / CONFIGS[asked.what][1]
        job = hugging_face if asked.contender == "datasets" else duckdb
        ours = asked.contender == "Edge Glass"
        run_here(
            lambda: edge_glass(asked.raw, asked.out, asked.what) if ours else job(path, asked.out)
        )
    else:
        for what in CONFIGS if asked.what == "all" else [asked.what]:
            with scratch(asked.rows * 1200) as folder:
                match.generate(folder / "captions.parquet", asked.rows)
                texts = chain.from_iterable(match.batches(folder / "captions.parquet", asked.rows))
                make_rows(folder / "raw" / CONFIGS[what][1], what, [*texts])
                common = ["--raw", f"{folder}/raw", "--what", what]
                runs = side_by_side(
                    [[name, *common] for name in CONTENDERS], asked.rounds, asked.rows * 800
                )
                compare(f"{what}: {asked.rows:,} rows", runs, ["DuckDB"])
