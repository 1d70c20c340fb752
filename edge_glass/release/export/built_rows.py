"""The rows of a build as exports want them: with the ledger's entry, by the roles of columns."""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.core import ledger, manifest, parquet
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import ConfigError
from edge_glass.core.ledger import LEFT_OUT, EntryRow, Outcome
from edge_glass.core.manifest import Manifest
from edge_glass.core.row import Example
from edge_glass.media.features import arrow_schema
from edge_glass.media.shard_columns import check_shards
from edge_glass.pipeline import replay

Pair = tuple[EntryRow, Example | None]  # of the ledger, and the example if it is kept


@dataclass(frozen=True)
class BuiltRows:
    """A build: its manifest, and what its columns are."""

    folder: Path
    manifest: Manifest
    schema: pa.Schema
    name_by: str | None = None  # the column that files are called after

    @classmethod
    def of(cls, folder: Path, name_by: str | None = None) -> "BuiltRows":
        """Read the manifest in `folder`.

        Raises EdgeGlassError if there is none, or if `name_by` names no column, or two files alike.
        """
        about = manifest.read(folder)
        check_shards(about.features, [folder / shard.file for shard in about.shards()])
        schema = arrow_schema(about.features)
        build = cls(folder, about, schema, name_by)
        if name_by is not None:
            build._check_names(name_by)
        return build

    def _check_names(self, column: str) -> None:
        if column not in self.plain:
            raise ConfigError(
                f"{self.manifest.config}: no column {column} to name files by; there are "
                f"{', '.join(self.plain)}"
            )
        for split in self.manifest.splits.values():
            shards = [self.folder / shard.file for shard in split.shards]
            values = pa.chunked_array(
                [c for s in shards for c in parquet.table(s, [column])[column].chunks],
                self.schema.field(column).type,
            )
            if len(values) - values.null_count > pc.count_distinct(values).as_py():
                raise ConfigError(
                    f"{self.manifest.config}: rows have the same {column}, and files cannot: name "
                    "them by another column"
                )

    @property
    def plain(self) -> list[str]:
        """The columns that are data, not files: what JSON can hold."""
        media = self.manifest.with_role(ColumnRole.MEDIA)
        columns = (field for field in self.schema if field.name not in media)
        return [field.name for field in columns if not _has_bytes(field.type)]

    @property
    def left_out(self) -> list[str]:
        """What is said of columns that no export holds: files deep inside structs."""
        exported = {*self.plain, *self.manifest.with_role(ColumnRole.MEDIA)}
        deep = [name for name in self.manifest.roles if name not in exported]
        return [f"column {name} is left out: it holds files inside structs" for name in deep]

    def caption(self, example: Example) -> str | None:
        """The text that goes with a row's media; of several the first."""
        for name in self.manifest.with_role(ColumnRole.CAPTION):
            value = example[name]
            first = (value[0] if value else None) if isinstance(value, list) else value
            return None if first is None else str(first)
        return None

    def others(self, example: Example) -> Example:
        """The values of all plain columns."""
        return {name: example[name] for name in self.plain}

    def pairs(self, split: str) -> Iterator[Pair]:
        """Each source row that was tried, with its example; of a row of several, each of them."""
        shards = (self.folder / shard.file for shard in self.manifest.splits[split].shards)
        examples = replay.InOrder(example for shard in shards for example in parquet.rows(shard))
        for entry in ledger.read(self.folder / ledger.FILE):
            if entry["split"] != split or entry["outcome"] in LEFT_OUT:
                continue
            if entry["outcome"] == Outcome.KEPT:
                yield from ((entry, example) for example in examples.of(entry["id"]))
            else:
                yield entry, None

    def examples(self, split: str) -> Iterator[Example]:
        """The rows of a split that are kept."""
        return (example for _, example in self.pairs(split) if example)


def as_json(value: Any) -> Any:
    """A value as JSON can hold it: NaN and infinity are null, times are text."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _has_bytes(type_: pa.DataType) -> bool:
    if pa.types.is_nested(type_):
        return any(_has_bytes(type_.field(place).type) for place in range(type_.num_fields))
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))
