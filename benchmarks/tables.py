"""What does a table without media cost, from its chunks to verified Parquet, a row?

    python benchmarks/tables.py [--rows 300000] [--rounds 3] [--captions FILE] [--kind parquet]

Rows in the layout of LAION-400M in six chunks, Parquet (zstd) or csv.gz (`--kind csv`). URLs and
captions are made up, or those of a Parquet file with the columns URL and TEXT (img2dataset's
test_10000.parquet), numbered so that no two are the same. In turns, each in one process:
- Edge Glass: `laion400m_metadata`, with the checks, ids, ledger, row digests, sha256 of every file
- Edge Glass, row by row: the same bytes by the way that rows with media go
- datasets: `load_dataset` of the chunks, its cache in Arrow and then `to_parquet`
- DuckDB: one query with the same casts and ids, written as Parquet with zstd; no ledger, no checks
"""

from pathlib import Path

CHUNKS = 6
ROW = """
    SELECT i AS SAMPLE_ID, URL || '?' || i AS URL,
        CASE WHEN i < n THEN TEXT ELSE TEXT || ' ' || i // n END AS TEXT,
        (100 + hash(i, 3) % 1500)::INTEGER AS HEIGHT, (100 + hash(i, 4) % 1500)::INTEGER AS WIDTH,
        CASE WHEN hash(i, 5) % 20 = 0 THEN 'https://creativecommons.org/licenses/by/2.0/'
             ELSE '?' END AS LICENSE,
        CASE hash(i, 6) % 50 WHEN 0 THEN 'NSFW' WHEN 1 THEN 'UNSURE' ELSE 'UNLIKELY' END AS NSFW,
        0.3 + (hash(i, 7) % 2000000000000000) / 10000000000000000.0 AS similarity
    FROM range({start}, {stop}) numbers(i) JOIN texts ON number = i % n
    ORDER BY i
"""
MADE_UP = """
    SELECT 'https://img' || hash(i) % 500 || '.example.com/photo-' || hash(i, 1) AS URL,
        'photo of a ' || repeat('vintage ', (i % 9)::INTEGER) || '"house" no. ' || i AS TEXT
    FROM range(10000) rows(i)
"""
FORMATS = {
    "parquet": (".parquet", "FORMAT parquet, COMPRESSION zstd"),
    "csv": (".csv.gz", "FORMAT csv, DELIMITER '|', COMPRESSION gzip"),
}


def make_rows(folder: Path, rows: int, kind: str, captions: str) -> None:
    """The chunks."""
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    suffix, options = FORMATS[kind]
    texts = f"SELECT URL, TEXT FROM '{captions}'" if captions else MADE_UP
    numbered = f"SELECT *, row_number() OVER () - 1 AS number, count(*) OVER () AS n FROM ({texts})"
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(f"CREATE TABLE texts AS {numbered}")
    for number in range(CHUNKS):
        query = ROW.format(start=rows * number // CHUNKS, stop=rows * (number + 1) // CHUNKS)
        connection.execute(f"COPY ({query}) TO '{folder}/{number}{suffix}' ({options})")


def edge_glass(raw: Path, out: Path) -> int:
    from edge_glass.corpora import catalog
    from edge_glass.pipeline.build import Options, build

    return build(catalog.variant("laion400m_metadata"), out, Options(raw=raw)).rows


def row_by_row(raw: Path, out: Path) -> int:
    from edge_glass.corpora.corpus import Corpus

    Corpus.batched = lambda *_: False  # type: ignore[method-assign]
    return edge_glass(raw, out)


def hugging_face(raw: Path, out: Path) -> int:
    import datasets

    files = sorted(map(str, raw.iterdir()))
    kind, more = ("parquet", {}) if files[0].endswith("parquet") else ("csv", {"delimiter": "|"})
    found = datasets.load_dataset(
        kind, data_files=files, cache_dir=str(out / "cache"), split="train", **more
    )
    found.to_parquet(str(out / "train.parquet"))
    return len(found)


def duckdb(raw: Path, out: Path) -> int:
    import duckdb

    path = next(raw.iterdir())
    read = "parquet" if path.suffix == ".parquet" else "csv"
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_progress_bar = false")
    [(rows,)] = connection.execute(f"""
        COPY (
            SELECT left(sha256(URL || chr(10) || TEXT), 32) AS id, URL AS url, TEXT AS caption,
                try_cast(SAMPLE_ID AS BIGINT) AS sample_id, try_cast(WIDTH AS INTEGER) AS width,
                try_cast(HEIGHT AS INTEGER) AS height, LICENSE AS license, NSFW AS nsfw,
                try_cast(similarity AS DOUBLE) AS similarity
            FROM read_{read}('{raw}/*')
        ) TO '{out}/train.parquet' (FORMAT parquet, COMPRESSION zstd)
    """).fetchall()
    return int(rows)


CONTENDERS = {
    "Edge Glass": edge_glass,
    "Edge Glass, row by row": row_by_row,
    "datasets": hugging_face,
    "DuckDB": duckdb,
}


def warm_up(folder: Path) -> None:
    """What is imported, parsed and hashed once a process, whatever the number of rows."""
    import datasets  # noqa: F401
    import duckdb  # noqa: F401

    from edge_glass.corpora import catalog
    from edge_glass.pipeline.build import build

    build(catalog.variant("laion400m_metadata_sample"), folder)


if __name__ == "__main__":
    from measure import arguments, compare, run_here, scratch, side_by_side

    defaults: dict[str, int | str] = {
        "rows": 300_000,
        "rounds": 3,
        "captions": "",
        "kind": "parquet",
    }
    asked = arguments(__doc__ or "", **defaults)
    if asked.contender:
        warm_up(asked.out / "warm")
        run_here(lambda: CONTENDERS[asked.contender](asked.raw, asked.out))
    else:
        with scratch(asked.rows * 400) as folder:
            make_rows(folder / "raw", asked.rows, asked.kind, asked.captions)
            contenders = [[name, "--raw", f"{folder}/raw"] for name in CONTENDERS]
            runs = side_by_side(contenders, asked.rounds, asked.rows * 800)
            compare(f"{asked.rows:,} rows, {asked.kind}", runs, ["DuckDB", "Edge Glass"])
