"""A config made of another one by a condition on its columns and scores: `clip >= .28`.

The condition is an SQL expression over one row, as DuckDB reads it. A row stays where it is true;
where it is false, or unknown because a value is missing, the ledger says so.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.audit.drop import Removal, without
from edge_glass.core import duck, manifest, parquet
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import ConfigError, absent
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import AuditedBuild, Manifest, Where
from edge_glass.core.row import JsonObject
from edge_glass.pipeline import revise
from edge_glass.pipeline.revise import Part
from edge_glass.vectors import scores

# what an expression may be made of: no queries, and nothing over several rows
CLASSES = {"BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT",
           "FUNCTION", "OPERATOR", "TYPE"}  # fmt: skip
SPLIT = "split"
ROW = "id of the row"
LONGEST = 200  # characters of a value, and of the condition, that a ledger's row repeats
DEEPEST = 200  # expressions in one another


@dataclass(frozen=True)
class Unmet(Removal):
    """Takes the rows out of a shard for which a condition is not true."""

    outcome: ClassVar[Outcome] = Outcome.FILTERED
    condition: str
    columns: tuple[str, ...]  # of the data that it names
    scores: tuple[tuple[str, Path], ...]  # that it names, with their folders

    def of(self, part: Part) -> dict[str, str]:
        """Ids of the rows that go, with the values that speak against them."""
        [path] = part.paths
        unmet = duck.holding(self._tables(path, part.split), self.condition, holds=False)
        return {
            row[ROW]: f"{_short(self.condition)}: "
            + ", ".join(map(_said, self._named, row.values()))
            for rows in unmet
            for row in rows.to_pylist()
        }

    @property
    def _named(self) -> list[str]:
        return [*self.columns, *(name for name, _ in self.scores)]

    def _tables(self, path: Path, split: str) -> Iterator[pa.Table]:
        """What the condition names, of a row group at a time; in the last column the row's id."""
        sides = {name: parquet.table(home / path.name, [name])[name] for name, home in self.scores}
        start = 0
        for group in parquet.groups(path, [*dict.fromkeys(["id", *self.columns])]):
            columns = {name: _known(group[name]) for name in self.columns}
            columns |= {name: side.slice(start, len(group)) for name, side in sides.items()}
            # a column of this name goes first
            columns[SPLIT] = columns.get(SPLIT, [split] * len(group))
            yield pa.table(columns | {ROW: group["id"]})
            start += len(group)


def _known(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers; NaN is as good as missing, and greater than all in SQL."""
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _said(name: str, value: Any) -> str:
    return f"{name} is {'missing' if value is None else str(value)[:LONGEST]}"


def _short(condition: str) -> str:
    return condition if len(condition) <= LONGEST else f"{condition[:LONGEST]}…"


def _refused(condition: str, why: str) -> ConfigError:
    return ConfigError(
        f"--where {_short(condition)!r}: {why}: write a condition on columns and scores as in SQL: "
        "\"clip >= .28 AND duration < 30 AND split = 'train'\""
    )


def filtered(folder: Path, out: Path, name: str, condition: str, jobs: int = 1) -> Manifest:
    """Make the config `name` under `out`: the rows of `folder` for which `condition` is true.

    It may name columns, `split`, and what `edge-glass score` wrote. All other rows get the outcome
    `filtered` with the values in question, the manifest says what gave the scores. Returns the
    manifest. Raises EdgeGlassError if the condition is none, or names what is not there.
    """
    build = manifest.read(folder)
    revise.check_target(folder, out, name)
    columns = [n for n in build.features if build.roles[n] is not ColumnRole.MEDIA]
    used, added = dict[str, manifest.Score](), {SPLIT} - {*columns}
    known = [*columns, *added, *scores.names(folder)]
    wanted = sorted({*_named(condition)} - added)
    for one in wanted:
        if one not in known:
            what = absent("column or score", one, known)
            raise ConfigError(
                f"--where {_short(condition)!r}: {what}; `edge-glass score` writes scores"
            )
        if one not in columns:
            used[one] = scores.of_build(folder, build, one)
    alike = Counter(one.lower() for one in [*{*wanted, SPLIT}, ROW])
    if twice := [one for one in wanted if alike[one.lower()] > 1]:
        raise _refused(condition, f"SQL cannot tell {', '.join(twice)} from another name")
    own = tuple(one for one in wanted if one not in used)
    homes = tuple((one, scores.place(folder, one)) for one in used)
    where = Where(AuditedBuild(build.config, build.seal), condition, used)
    described = replace(build.inputs, config=name, where=where)
    return without(folder, out, described, Unmet(condition, own, homes), jobs)


def _named(condition: str) -> Iterator[str]:
    """The columns of an expression. Raises ConfigError if it is none over a single row."""
    with duckdb.connect() as connection:
        connection.execute(f"SET max_expression_depth = {DEEPEST}")
        try:
            query = "SELECT json_serialize_sql(?)"
            [[tree]] = connection.execute(query, [f"SELECT {condition}"]).fetchall()
        except duckdb.Error as error:
            raise _refused(condition, str(error)) from None
        pure = connection.execute(
            "SELECT function_name FROM duckdb_functions() "
            "WHERE function_type = 'scalar' GROUP BY ALL HAVING bool_and(stability = 'CONSISTENT')"
        ).fetchall()
    parsed = json.loads(tree)
    if parsed["error"]:
        raise _refused(condition, parsed["error_message"])
    [*others, statement] = parsed["statements"]
    node = statement["node"]
    alone = node["type"] == "SELECT_NODE" and node["from_table"]["type"] == "EMPTY"
    if others or not alone or len(node["select_list"]) != 1:
        raise _refused(condition, "expected one expression")
    functions = {name for [name] in pure}
    for part in _parts(node):
        kind = part.get("function_name") or part["class"]
        if part["class"] not in CLASSES or (part["class"] == "FUNCTION" and kind not in functions):
            raise _refused(condition, f"{kind.lower()} is not of one row alone")
        if part["class"] == "COLUMN_REF":
            yield part["column_names"][0]


def _parts(node: Any) -> Iterator[JsonObject]:
    """The parts of an expression as DuckDB's parser gives them."""
    if isinstance(node, dict) and "class" in node:
        yield node
    children = node.values() if isinstance(node, dict) else node
    for child in children if isinstance(node, (dict, list)) else ():
        yield from _parts(child)
