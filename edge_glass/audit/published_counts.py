"""A full build held against what the corpus is known to hold: rows a split, values of a column."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import parquet
from edge_glass.core.manifest import Manifest
from edge_glass.core.spec import Expected


def differences(
    folder: Path, manifest: Manifest, known: Expected, unreadable: set[str]
) -> Iterator[tuple[str, str]]:
    """Where a build of the whole corpus differs (split or column), and how.

    Values are counted over what is published: rows that were dropped can explain what is missing.
    """
    for split, expected in known.rows.items():
        rows = manifest.splits[split].total if split in manifest.splits else 0
        if rows != expected:
            yield split, f"{rows} rows, upstream publishes {expected}"
    total = sum(known.rows.values())
    dropped = total - manifest.rows if total else 0
    for column, expectations in known.values.items():
        counts = _counts(folder, manifest, column, unreadable)
        for value, expected in expectations.items():
            if not 0 <= expected - counts[value] <= max(dropped, 0):
                yield column, f"{counts[value]} rows of {value}, upstream publishes {expected}"


def _counts(folder: Path, manifest: Manifest, column: str, unreadable: set[str]) -> Counter[str]:
    """How many rows have each value of a column, whose values may be lists and class numbers."""
    feature: Any = datasets.Features.from_dict(manifest.features).get(column)
    feature = getattr(feature, "feature", feature)
    names = feature.names if isinstance(feature, datasets.ClassLabel) else None
    counts: Counter[str] = Counter()
    files = [s.file for s in manifest.shards()]
    for file in files if feature is not None else []:
        if file not in unreadable:
            for table in parquet.groups(folder / file, [column]):
                values = table[column].combine_chunks()
                if pa.types.is_list(values.type):
                    values = pc.list_flatten(values)
                for item in values.value_counts().to_pylist():
                    name = names[item["values"]] if names else str(item["values"])
                    counts[name] += item["counts"]
    return counts
