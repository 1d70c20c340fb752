"""What is odd about a row by itself: rules in SQL over the traces of media and captions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from edge_glass.audit import profiles
from edge_glass.audit.audited_shards import Shard
from edge_glass.core import duck
from edge_glass.media import stills

BATCH = 50_000


@dataclass(frozen=True)
class Rule:
    """A check of a row: its score, whether that is too much, and what else there is to say."""

    check: str
    score: str
    threshold: float | str
    where: str
    detail: str = "''"


LOUDNESS = "(SELECT median(loudness) FROM rows)"
WORDS = "(SELECT median(words) FROM rows)"
SIGNALS = (
    Rule("silence", "silent", 0.95, "score >= threshold"),
    Rule("clipping", "clipped", 0.001, "score >= threshold"),
    Rule("dc_offset", "abs(\"offset\")", 0.02, "score >= threshold"),
    Rule(
        "loudness", f"abs(loudness - {LOUDNESS})", 15, "score >= threshold",
        "round(loudness, 1) || ' LUFS'",
    ),
    Rule("blank_image", "contrast", stills.BLANK, "score < threshold"),
    Rule("frozen_frames", "moves", stills.FROZEN, "score < threshold"),
    Rule("tiny_image", "side", 64, "score < threshold"),
)  # fmt: skip
CAPTIONS = (
    Rule(
        "language", "certainty", 0.6,
        "score >= threshold AND words >= 5 AND NOT list_contains({languages}, language)",
        "language",
    ),
    Rule("short_caption", "words", f"greatest(2, {WORDS} / 5)", "score < threshold", "plain"),
    Rule("long_caption", "words", f"greatest(50, {WORDS} * 8)", "score > threshold"),
    Rule(
        "repeated_caption", "count(DISTINCT id) OVER (PARTITION BY plain)",
        "greatest(5, (SELECT count(DISTINCT id) FROM rows) / 1000)", "score >= threshold", "plain",
    ),
    Rule("encoding", "1", 1, "damage IS NOT NULL", "left(damage, 200)"),
    Rule("email", "1", 1, "email IS NOT NULL", "email"),
    Rule("phone", "1", 1, "phone IS NOT NULL", "phone"),
)  # fmt: skip
# Three words in a row that a hundredth of all different captions have, and half of a caption's
# words in such: nobody wrote that of this one row.
BOILERPLATE = """
WITH grams AS (
    SELECT text, unnest(grams) AS gram, generate_subscripts(grams, 1) AS place
    FROM (
        SELECT hash(plain) AS text, any_value(grams) AS grams FROM rows WHERE words >= 5 GROUP BY 1
    )
),
common AS (
    SELECT gram FROM (SELECT DISTINCT text, gram FROM grams) GROUP BY gram HAVING count(*) >=
        greatest(10, (SELECT count(DISTINCT plain) FROM rows WHERE words >= 5) / 100)
),
covered AS (
    SELECT text, count(DISTINCT place + more) AS covered
    FROM grams JOIN common USING (gram), range(3) steps(more) GROUP BY text
)
SELECT number, item, 'boilerplate' AS "check", split, id, "column",
    covered / (len(grams) + 2) AS score, 0.5 AS threshold, left(plain, 200) AS detail
FROM rows JOIN covered ON hash(plain) = text WHERE score >= 0.5
"""


def find(
    rules: Sequence[Rule], table: str, shards: list[Shard], folder: Path, *, work: Path,
    memory: int, languages: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """Findings of all rules over one trace; without `languages` none is asked for."""
    with duck.connected(memory, work) as connection:
        _register(connection, table, shards, folder)
        asked = [rule for rule in rules if rule.check != "language" or languages]
        queries = [_query(rule, languages) for rule in asked]
        if table == "oddities":
            queries.append(BOILERPLATE)
        union = " UNION ALL BY NAME ".join(f"({query})" for query in queries)
        yield from connection.sql(
            f"""
            SELECT "check", split, id, "column", score::DOUBLE AS score,
                threshold::DOUBLE AS threshold, 'row' AS scope, NULL::VARCHAR AS other_config,
                NULL::VARCHAR AS other_split, NULL::VARCHAR AS other_id, detail
            FROM ({union}) ORDER BY "check", number, item
            """
        ).to_arrow_reader(BATCH)


def languages(shards: list[Shard], folder: Path, work: Path, memory: int) -> dict[str, int]:
    """How many captions are in each language, the most frequent first."""
    with duck.connected(memory, work) as connection:
        _register(connection, "oddities", shards, folder)
        counts = connection.execute(
            "SELECT language, count(*) FROM rows GROUP BY language ORDER BY 2 DESC, 1"
        ).fetchall()
    return dict(counts)


def _register(
    connection: duckdb.DuckDBPyConnection, table: str, shards: list[Shard], folder: Path
) -> None:
    query = profiles.sql(connection, shards, folder, table)
    connection.execute(f"CREATE TEMP VIEW rows AS SELECT * FROM {query}")


def _query(rule: Rule, languages: Sequence[str]) -> str:
    listed = f"[{', '.join(map(duck.text, languages))}]"
    return f"""
        FROM (
            SELECT number, item, {duck.text(rule.check)} AS "check", split, id, "column",
                ({rule.score})::DOUBLE AS score, ({rule.threshold})::DOUBLE AS threshold,
                {rule.detail} AS detail, * EXCLUDE (number, item, split, id, "column")
            FROM rows
        )
        SELECT number, item, "check", split, id, "column", score, threshold, detail
        WHERE {rule.where.replace("{languages}", listed)}
    """
