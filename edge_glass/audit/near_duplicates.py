"""Rows that are the same or nearly so: inside a split, across splits, across corpora.

Equal ones are put together first and one of each split stands for the rest. Those few are laid into
buckets, in many ways, so that what is alike meets in one of them, and only what meets is
compared. Of a bucket the first rows of each split are compared with all: work grows with the
rows and not with their square, whatever boiler-plate a corpus holds. Each way is a task of its
own, one DuckDB on one thread that spills beyond its share of memory, here or on a cluster. What an
earlier audit compared is not compared again (`earlier_matches`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from edge_glass.audit import audited_shards, profiles
from edge_glass.audit.audited_shards import Shard
from edge_glass.audit.earlier_matches import Earlier
from edge_glass.audit.likeness_kinds import Kind
from edge_glass.core import duck
from edge_glass.core.progress import Progress, Tally
from edge_glass.pipeline.executor import Pool

FIRST = 20  # rows of each split that all of a bucket are compared with
MANY = 10_000  # rows; with fewer, processes take longer to start than to work
BATCH = 10_000  # pairs that are compared at a time
POSITION = f"(number << {audited_shards.BITS}) + item"
MATCHES = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("score", pa.float64())])
# Of two rows of a split the later one is flagged, of two splits that of the larger one (training
# data gives way, what is evaluated on stays as it is), of two corpora that of the audited one.
FINDINGS = """
WITH standing AS (SELECT * FROM found WHERE position = stands),
met AS (
    FROM matches
    UNION ALL
    SELECT one.position, other.position, 0 FROM standing one JOIN standing other
        ON one.same = other.same AND one.domain < other.domain
),
directed AS (
    SELECT
        CASE WHEN one.domain = two.domain THEN 'split'
            WHEN one.corpus = two.corpus THEN 'splits' ELSE 'corpora' END AS scope,
        CASE WHEN scope = 'corpora' THEN one.corpus = 0
            ELSE scope = 'splits' AND one.rows_of_split >= two.rows_of_split END AS forward,
        CASE WHEN forward THEN a ELSE b END AS flagged,
        CASE WHEN forward THEN b ELSE a END AS other,
        score
    FROM met JOIN standing one ON one.position = a JOIN standing two ON two.position = b
    WHERE least(one.corpus, two.corpus) = 0
),
flags AS (
    SELECT found.position AS flagged, other, score, scope
    FROM directed JOIN found ON found.stands = directed.flagged
    WHERE scope <> 'split' OR found.position = directed.flagged
    UNION ALL
    SELECT position, stands, 0, 'split' FROM found
    WHERE position <> stands AND corpus = 0 AND {kind.inside}
)
SELECT '{kind.check}' AS "check", mine.split, mine.id, mine."column", score,
    {kind.threshold}::DOUBLE AS threshold, scope, theirs.config AS other_config,
    theirs.split AS other_split, theirs.id AS other_id, '' AS detail
FROM flags JOIN found mine ON mine.position = flagged JOIN found theirs ON theirs.position = other
WHERE NOT (mine.domain = theirs.domain AND mine.source = theirs.source)
    AND (mine.digest IS NULL OR mine.digest <> theirs.digest)
QUALIFY row_number() OVER (PARTITION BY flagged, scope, theirs.domain ORDER BY score, other) = 1
ORDER BY mine.position, scope, theirs.position
"""


@dataclass(frozen=True)
class Task:
    """One way to lay rows into buckets."""

    kind: Kind
    band: int
    bands: int
    work: Path
    memory: int

    def __str__(self) -> str:
        return f"{self.kind.check} {self.band}"


@dataclass(frozen=True)
class Means:
    """What the search may use; no part of what it finds."""

    work: Path
    pool: Pool
    jobs: int
    memory: int  # bytes, over all jobs
    progress: Progress


def find(kind: Kind, shards: list[Shard], folder: Path, means: Means) -> Iterator[pa.RecordBatch]:
    """Findings of one kind over the traces in `folder`; of several corpora the first is audited."""
    earlier = Earlier.of(kind, shards, folder, FIRST) if kind.prints else None
    with TemporaryDirectory(dir=means.work, prefix=f"{kind.check}-") as temp:
        work = Path(temp)
        with duck.connected(means.memory, work) as connection:
            rows = _prepare(connection, kind, shards, folder, work, earlier)
        bands, jobs = kind.count(rows), means.jobs if rows >= MANY else 1
        share = means.memory // jobs
        tasks = [Task(kind, band, bands, work, share) for band in range(bands)]
        tally = Tally()  # each way lays all rows into buckets
        with means.progress.rows(f"compare {kind.check}", rows * bands, tally):
            for _ in means.pool.run(make, tasks, jobs):
                tally.add(rows)
        with duck.connected(means.memory, work) as connection:
            yield from _findings(connection, kind, work, earlier)


def _prepare(
    connection: duckdb.DuckDBPyConnection,
    kind: Kind,
    shards: list[Shard],
    folder: Path,
    work: Path,
    earlier: Earlier | None,
) -> int:
    """All rows with the one of their split that stands for them; returns how many of those."""
    rows = profiles.sql(connection, shards, folder, kind.table)
    _copy(
        connection,
        f"""
        SELECT {POSITION} AS position, corpus, domain, config, split, rows_of_split, id, "column",
            CASE WHEN several THEN regexp_replace(id, '#[^#]*$', '') ELSE id END AS source,
            {kind.same} AS same, {kind.digest} AS digest,
            min({POSITION}) OVER (PARTITION BY domain, {kind.same}) AS stands
        FROM {rows} WHERE {kind.where}
        """,
        work / "rows.parquet",
    )
    connection.execute(_standing(work))
    if earlier:
        earlier.load(connection)
        prints = profiles.sql(connection, shards, folder, kind.prints)
        _copy_known(connection, kind, prints, work)
    [(count,)] = connection.execute("SELECT count(*) FROM standing").fetchall()
    return int(count)


def _copy_known(connection: duckdb.DuckDBPyConnection, kind: Kind, prints: str, work: Path) -> None:
    """What an earlier audit knows of the rows that stand for others, and the pairs it found."""
    lost = connection.execute("FROM lost").fetchall()
    if kind.adds and lost:
        connection.execute("DELETE FROM known; DELETE FROM near")
    fewer = " ".join(f"WHEN {domain} THEN {rows}" for domain, rows in lost) or "WHEN -1 THEN 0"
    _copy(
        connection,
        f"""
        SELECT {POSITION} AS position, domain, {POSITION} IN (FROM known) AS known,
            {FIRST} - CASE domain {fewer} ELSE 0 END AS settled, {kind.columns}
        FROM {prints} WHERE position IN (FROM standing)
        """,
        work / "prints.parquet",
    )
    _copy(connection, "FROM near", work / "known.parquet")


def _standing(work: Path) -> str:
    rows = _read(work, "rows")
    return f"CREATE TEMP VIEW standing AS SELECT position FROM {rows} WHERE position = stands"


def make(task: Task) -> None:
    """Pairs of rows that meet in one way of laying them into buckets, with what is known of them.

    `a` comes before `b`; `score` is their distance if it can be told here.
    """
    with duck.connected(task.memory, task.work) as connection:
        prints = _read(task.work, "prints")
        kind, key, where = task.kind, *task.kind.bucket(task.band, task.bands)
        connection.execute(
            f"""
            CREATE TEMP TABLE anchors AS SELECT *, {key} AS key,
                row_number() OVER (PARTITION BY key, domain ORDER BY position) AS rank
            FROM {prints} WHERE {where} AND {kind.first} QUALIFY rank <= {FIRST}
            """
        )
        _copy(
            connection,
            f"""
            SELECT least(one.position, other.position) AS a,
                greatest(one.position, other.position) AS b, {kind.meet}
            FROM (SELECT *, {key} AS key FROM {prints} WHERE {where}) AS one
                JOIN anchors AS other USING (key)
            WHERE one.position <> other.position AND {kind.near}
                AND NOT (one.known AND other.known AND other.rank <= other.settled)
            GROUP BY ALL
            """,
            task.work / f"pairs-{task.band}.parquet",
        )


def _findings(
    connection: duckdb.DuckDBPyConnection, kind: Kind, work: Path, earlier: Earlier | None
) -> Iterator[pa.RecordBatch]:
    connection.execute("CREATE TEMP TABLE matches (a BIGINT, b BIGINT, score DOUBLE)")
    if earlier:
        connection.execute(f"INSERT INTO matches FROM {_read(work, 'known')}")
        _compare(connection, kind, work)
        connection.execute(_standing(work))
        earlier.save(connection)
    connection.execute(f"CREATE TEMP VIEW found AS FROM {_read(work, 'rows')}")
    yield from connection.sql(FINDINGS.format(kind=kind)).to_arrow_reader(BATCH)


def _compare(connection: duckdb.DuckDBPyConnection, kind: Kind, work: Path) -> None:
    """Pairs that are near enough, each once, into `matches`."""
    pairs = _read(work, "pairs-*")
    if kind.compare is None:
        query = f"SELECT a, b, min(score) FROM {pairs} GROUP BY ALL"
        connection.execute(f"INSERT INTO matches {query}")
        return
    rows = _read(work, "rows")
    met = connection.sql(
        f"""
        WITH met AS ({kind.candidates.format(pairs=pairs)})
        SELECT met.*, one.same AS one, other.same AS other FROM met
        JOIN {rows} one ON one.position = a JOIN {rows} other ON other.position = b
        """
    ).to_arrow_reader(BATCH)
    with pq.ParquetWriter(work / "near.parquet", MATCHES) as writer:
        for batch in met:
            scores = pa.array([kind.compare(pair) for pair in batch.to_pylist()], pa.float64())
            near = pc.less_equal(scores, kind.threshold)
            columns = [batch["a"].filter(near), batch["b"].filter(near), scores.filter(near)]
            writer.write_batch(pa.record_batch(columns, schema=MATCHES))
    connection.execute(f"INSERT INTO matches FROM {_read(work, 'near')}")


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"COPY ({query}) TO {duck.text(path)} (FORMAT parquet, COMPRESSION lz4)")


def _read(work: Path, name: str) -> str:
    return f"read_parquet({duck.text(work / f'{name}.parquet')})"
