"""What the columns of a build hold, in figures: what reports say, and what rows are filtered by."""

from pathlib import Path
from typing import Any

from edge_glass.core import duck, parquet
from edge_glass.core.columns import ColumnRole, is_list, type_name, with_role
from edge_glass.core.libraries import duckdb
from edge_glass.core.row import Features
from edge_glass.media.shard_columns import check_shards
from edge_glass.sources.table_layout import quoted

Facts = dict[str, Any]


def view(connection: "duckdb.DuckDBPyConnection", shards: list[Path], features: Features) -> None:
    """Let a connection know the rows of some shards, which have these features, as `data`."""
    check_shards(features, shards)
    files = ", ".join(duck.text(parquet.bounded(path)) for path in shards)
    connection.execute(f"CREATE TEMP VIEW data AS FROM read_parquet([{files}])")


def of(connection: "duckdb.DuckDBPyConnection", columns: Features) -> list[Facts]:
    """Of each column but media: its type, nulls, values apart, and least and most.

    Of texts and lists these are lengths; of what has no order there are none.
    """
    media = with_role(columns, ColumnRole.MEDIA)
    measures = {
        name: _measure(name, feature) for name, feature in columns.items() if name not in media
    }
    if not measures:
        return []
    asked = ", ".join(
        f"count(*) - count({quoted(name)}), "
        f"least(approx_count_distinct({quoted(name)}), count({quoted(name)})), "
        f"min({value})::DOUBLE, max({value})::DOUBLE"
        for name, (value, _) in measures.items()
    )
    [figures] = connection.execute(f"SELECT {asked} FROM data").fetchall()
    return [
        {"name": name, "type": type_name(columns[name]), "unit": unit}
        | dict(
            zip(("nulls", "distinct", "least", "most"), figures[4 * at : 4 * at + 4], strict=True)
        )
        for at, (name, (_, unit)) in enumerate(measures.items())
    ]


def _measure(name: str, feature: Any) -> tuple[str, str]:
    """What is measured of a column, in SQL, and its unit."""
    if is_list(feature):
        return f"len({quoted(name)})", "items"
    kind = type_name(feature)
    if kind in ("string", "large_string"):
        return f"length({quoted(name)})", "characters"
    if kind.startswith("float"):
        return f"CASE WHEN isfinite({quoted(name)}) THEN {quoted(name)} END", ""
    if kind == "ClassLabel" or kind.startswith(("int", "uint", "decimal")):
        return quoted(name), ""
    return "NULL", ""
