"""Which rows an audit compared and which of them were near one another, kept for the next one.

Rows are named by shard and place, so that nothing is kept of what they hold. What the next audit
finds with it is what one finds that compares all: pairs with a row that was not compared are looked
for, and those of rows that come to stand among the first of a bucket, since others went.
"""

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from edge_glass.audit.audited_shards import BITS, Shard
from edge_glass.audit.likeness_kinds import Kind
from edge_glass.core import duck, parquet, records
from edge_glass.core.shard_files import write_table

BATCH = 100_000  # rows of a table
SCHEMA = pa.schema(
    [
        ("shard", pa.string()),
        ("item", pa.int64()),
        ("label", pa.string()),  # config and split
        ("other_shard", pa.string()),  # null: a row that was compared; else two that are near
        ("other_item", pa.int64()),
        ("score", pa.float64()),
    ]
)
LOAD = f"""
CREATE TEMP TABLE known AS
SELECT position FROM earlier JOIN numbers USING (shard, label)
    JOIN standing ON position = (number << {BITS}) + item WHERE other_shard IS NULL;
CREATE TEMP TABLE lost AS
SELECT domains.domain, count(*) AS lost
FROM earlier JOIN (SELECT DISTINCT label, domain FROM numbers) AS domains USING (label)
    LEFT JOIN numbers USING (shard, label) LEFT JOIN known ON position = (number << {BITS}) + item
WHERE other_shard IS NULL AND position IS NULL GROUP BY domains.domain;
CREATE TEMP TABLE near AS
SELECT one.position AS a, other.position AS b, score FROM earlier
    JOIN numbers first ON first.shard = earlier.shard
    JOIN known one ON one.position = (first.number << {BITS}) + item
    JOIN numbers second ON second.shard = other_shard
    JOIN known other ON other.position = (second.number << {BITS}) + other_item
"""
SAVE = f"""
WITH named AS (
    SELECT position, shard, position & {2**BITS - 1} AS item, label
    FROM standing JOIN numbers ON number = position >> {BITS}
)
SELECT shard, item, label, NULL AS other_shard, NULL AS other_item, NULL AS score, position AS a,
    0 AS b FROM named
UNION ALL
SELECT one.shard, one.item, one.label, other.shard, other.item, min(score), a, b
FROM matches JOIN named one ON one.position = a JOIN named other ON other.position = b GROUP BY ALL
ORDER BY b, a
"""


@dataclass(frozen=True)
class Earlier:
    """What was compared of one kind of likeness, of the shards of an audit and of the last one."""

    shards: list[Shard]
    path: Path

    @staticmethod
    def of(kind: Kind, shards: list[Shard], profiles: Path, depends_on: Any) -> "Earlier":
        """That of shards whose profiles are in a folder."""
        said = repr((kind, depends_on, duck.libraries()))
        name = f"{profiles.name}-{kind.check}-{sha256(said.encode()).hexdigest()[:12]}.parquet"
        return Earlier(shards, profiles.parents[1] / "matches" / shards[0].config / name)

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the tables `known`, `lost` and `near` for the view `standing`, rows to be compared.

        `lost` counts the rows of each domain that were compared and are gone.
        """
        self._register(connection)
        connection.register("nothing", SCHEMA.empty_table())
        connection.execute("CREATE TEMP VIEW earlier AS FROM nothing")
        if self._is_good():
            path = duck.text(parquet.bounded(self.path))
            table = f"read_parquet({path}, file_row_number = true)"
            if self._is_in_order(connection, table):
                connection.execute(f"CREATE OR REPLACE TEMP VIEW earlier AS FROM {table}")
        connection.execute(LOAD)

    def save(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep the views `standing` and `matches` for the next audit."""
        self._register(connection)
        rows = connection.sql(SAVE).to_arrow_reader(BATCH)
        tables = (
            pa.Table.from_batches([batch]).select(SCHEMA.names).cast(SCHEMA) for batch in rows
        )
        written = write_table(self.path, tables, SCHEMA)
        records.write(self._record, asdict(written))

    @property
    def _record(self) -> Path:
        return self.path.with_suffix(".json")

    def _is_good(self) -> bool:
        """Whether there is such a table, whole, and a shard is named by its digest."""
        written = records.read(self._record)
        if written is None or len({s.sha256 for s in self.shards}) < len(self.shards):
            return False
        return records.fault(self.path, written["bytes"], written["sha256"]) is None

    def _is_in_order(self, connection: duckdb.DuckDBPyConnection, table: str) -> bool:
        """Whether shards that are still there follow one another as they did."""
        query = f"SELECT number, min(file_row_number) AS place FROM {table} JOIN numbers"
        query += " USING (shard, label) WHERE other_shard IS NULL GROUP BY number ORDER BY place"
        numbers = [number for number, _ in connection.execute(query).fetchall()]
        return numbers == sorted(numbers)

    def _register(self, connection: duckdb.DuckDBPyConnection) -> None:
        columns: dict[str, Any] = {"shard": [shard.sha256 for shard in self.shards]}
        columns["label"] = [f"{shard.config}/{shard.split}" for shard in self.shards]
        for name in ("number", "domain"):
            columns[name] = pa.array([getattr(shard, name) for shard in self.shards], pa.int64())
        connection.register("numbers", pa.table(columns))
