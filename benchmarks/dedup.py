"""What does it cost to deduplicate pairs of URL and caption, exactly, out of csv.gz into 32 parts?

    python benchmarks/dedup.py [--rows 5000000] [--large 0] [--spark VENV/bin/python] [--data DIR]

Rows in the layout of crawling at home in 16 `|`-delimited csv.gz files; one in ten repeats an
earlier one. Each contender writes 32 Parquet parts with zstd, one after another, on two cores:
- Edge Glass: the first of equal rows stays, in source order; types cast, outliers flagged, a ledger
  of every row, statistics, sha256 of every part; two processes, 4 GB
- DuckDB: one query, whichever row comes first, its order unspecified; no ledger
- PySpark: `dropDuplicates` and `repartition(32)`, local[2], as the pipeline of LAION-400M does it

`--spark` is a Python that has `pyspark` and `rich` (and Java); without it that one is left out.
`--large` rows (say 50000000) are then deduplicated by us alone. `--data` keeps the rows there.
Seconds and memory are those of all processes of a contender together; on a machine that has other
work look at the CPU seconds.
"""

import sys
from pathlib import Path

FILES, PARTS, MEMORY = 16, 32, 4_000_000_000
WORDS = (
    "the red house photo of vintage mountain portrait wedding for sale kitchen with blue sea dog"
)
ROW = """
    SELECT i AS SAMPLE_ID,
        printf('https://img%d.example.com/%x/photo-%d.jpg', hash(k) % 50000, hash(k, 1), k) AS URL,
        concat_ws(' ', {words}, k % 1000) AS TEXT,
        100 + hash(k, 3) % 1500 AS HEIGHT, 100 + hash(k, 4) % 1500 AS WIDTH,
        CASE WHEN hash(k, 5) % 20 = 0 THEN 'https://creativecommons.org/licenses/by/2.0/'
             ELSE '?' END AS LICENSE,
        CASE hash(k, 6) % 50 WHEN 0 THEN 'NSFW' WHEN 1 THEN 'UNSURE' ELSE 'UNLIKELY' END AS NSFW,
        0.3 + (hash(k, 7) % 2000) / 10000.0 AS similarity
    FROM (
        SELECT i, CASE WHEN hash(i) % 10 = 0 THEN hash(i, 8) % (i + 1) ELSE i END AS k
        FROM range({start}, {stop}) rows(i)
    )
"""


def make_rows(folder: Path, rows: int) -> None:
    """The chunks; those that are there are not made again."""
    import duckdb

    words = WORDS.split()
    pick = ", ".join(
        f"{words!r}[1 + (hash(k, {20 + n}) % {len(words)})::INTEGER]" for n in range(6)
    )
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(FILES):
        path = folder / f"chunk_{number:05d}.csv.gz"
        if not path.exists():
            start, stop = (rows * n // FILES for n in (number, number + 1))
            query = ROW.format(words=pick, start=start, stop=stop)
            aside = path.with_suffix(".tmp")
            duckdb.execute(
                f"COPY ({query}) TO '{aside}' (FORMAT csv, DELIMITER '|', COMPRESSION gzip)"
            )
            aside.rename(path)


def edge_glass(raw: Path, out: Path) -> int:
    from edge_glass.builders.laion400m import TABLE

    from edge_glass.tables.dedup import Wanted, dedup

    made = dedup(raw, TABLE, out, Wanted(PARTS, jobs=2, memory=MEMORY))
    return int(made["outcomes"]["kept"])


def duckdb(raw: Path, out: Path) -> int:
    import duckdb

    connection = duckdb.connect(config={"threads": 2, "memory_limit": "4GB"})
    connection.execute("SET enable_progress_bar = false")
    [(kept,)] = connection.execute(f"""
        COPY (
            SELECT *, hash(URL, TEXT) % {PARTS} AS part FROM (
                SELECT DISTINCT ON (URL, TEXT) *
                FROM read_csv('{raw}/*.csv.gz', delim = '|', header = true)
            )
        ) TO '{out}/parts' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (part))
    """).fetchall()
    return int(kept)


def spark(raw: Path, out: Path) -> int:
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "8g")
        .config("spark.local.dir", str(out))
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    rows = session.read.csv(str(raw), sep="|", header=True, escape='"')
    unique = rows.dropDuplicates(["URL", "TEXT"])
    unique.repartition(PARTS).write.parquet(str(out / "parts"))
    made = session.read.parquet(str(out / "parts")).count()
    session.stop()
    return int(made)


CONTENDERS = {"Edge Glass": edge_glass, "DuckDB": duckdb, "PySpark": spark}


def measured(names: list[str], raw: Path, rows: int, python: str) -> None:
    """Run the contenders one after another and print their table."""
    from measure import show, side_by_side

    jobs = [[name, f"--raw={raw}"] for name in names]
    runs = side_by_side(jobs, 1, 10**12, {"PySpark": python}, alone=True)
    ours, lines = runs["Edge Glass"][0], []
    for name, [run] in runs.items():
        if run.made != ours.made:
            sys.exit(f"{name} kept {run.made} rows, Edge Glass {ours.made}")
        ratio, rate = f"{run.wall / ours.wall:.2f}", f"{rows / run.wall:,.0f}"
        cpu = [f"{run.seconds:.1f}", f"{run.seconds / ours.seconds:.2f}"]
        lines.append([name, f"{run.wall:.1f}", ratio, *cpu, rate, f"{run.peak_mb:.0f}"])
    columns = ["contender", "s", "ratio", "CPU s", "ratio", "rows a second", "peak MB"]
    show(f"{rows:,} rows, {ours.made:,} kept", columns, lines)


def main() -> None:
    from measure import arguments, run_here, scratch

    about = "What does it cost to deduplicate pairs of URL and caption?"
    options = arguments(about, rows=200_000, large=0, spark="", data="")
    if options.contender:
        job = CONTENDERS[options.contender]
        run_here(lambda: job(options.raw, options.out))
        return
    with scratch(10**12) as folder:
        place = Path(options.data) if options.data else folder
        for rows in filter(None, (options.rows, options.large)):
            raw = place / f"rows-{rows}"
            make_rows(raw, rows)
            large = rows == options.large
            names = [n for n in CONTENDERS if options.spark or n != "PySpark"]
            measured(["Edge Glass"] if large else names, raw, rows, options.spark)


if __name__ == "__main__":
    sys.exit(main())
