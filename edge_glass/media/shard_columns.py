"""Whether shards have the columns that a manifest promises."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from edge_glass.core import parquet
from edge_glass.core.errors import DataError
from edge_glass.core.row import Features
from edge_glass.media.features import arrow_schema


def check_shards(features: Features, shards: Iterable[Path]) -> None:
    """Raise EdgeGlassError for a shard whose columns are not those of a manifest."""
    wanted = arrow_schema(features)
    for path in shards:
        if what := difference(parquet.schema(path), wanted):
            raise DataError(f"{path}: {what}: see `edge-glass verify`, or build again")


def difference(there: pa.Schema, wanted: pa.Schema) -> str | None:
    """In what the columns of a file are not those that are promised."""
    if there.names != wanted.names:
        return f"has the columns {', '.join(there.names)}, promised are {', '.join(wanted.names)}"
    for one, other in zip(there, wanted, strict=True):
        if one.type != other.type:
            return f"column {one.name} is {one.type}, promised is {other.type}"
    return None
