"""What the chunks of a table hold, as a corpus describes it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge_glass.core.libraries import pa

SYNONYMS = (("url", "image_url", "img_url"), ("text", "caption", "alt_text", "alt"))
Type = Literal["BIGINT", "INTEGER", "DOUBLE", "VARCHAR"]
ARROW = {"BIGINT": "int64", "INTEGER": "int32", "DOUBLE": "double", "VARCHAR": "string"}


@dataclass(frozen=True)
class Layout:
    """Columns of a table whose chunks have some or all of them, in an order of their own."""

    source: str  # the name in the YAML of the folder of chunks
    columns: dict[str, Type]  # in the order in which they are published
    keys: tuple[str, ...]  # rows that agree in all of these are duplicates
    delimiter: str = ","  # of the chunks that are CSV
    required: tuple[str, ...] = ()  # rows of a chunk without these are dropped
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)  # outside: an outlier
    counted: tuple[str, ...] = ()  # columns with few values, for the statistics
    binned: dict[str, float] = field(default_factory=dict)  # column -> bin, for the statistics
    url: str = "URL"  # the column, if there is one, whose hosts are counted
    sides: tuple[str, str] = ("WIDTH", "HEIGHT")  # the columns, if there are, of sides in pixels
    caption: str = ""  # the column of texts that classes are looked for in

    def named(self, there: list[str]) -> dict[str, str]:
        """The columns that are there.

        Args:
            there: the names in a chunk.

        Returns:
            Our name -> theirs; see `named`.
        """
        return named(self.columns, there)

    def schema(self, **first: "pa.DataType") -> "pa.Schema":
        """Of rows on their way: the position, what became of them, and all columns."""
        marks = first | {"dropped": pa.string(), "detail": pa.string()}
        return pa.schema([*marks.items(), *self.published()])

    def value(self, name: str) -> str:
        """The type of a column.

        Args:
            name: of the column.

        Returns:
            It as `Value` calls it.
        """
        return {"VARCHAR": "string", "DOUBLE": "float64"}.get(
            self.columns[name], ARROW[self.columns[name]]
        )

    def published(self) -> "pa.Schema":
        """Of the columns."""
        return pa.schema([(name, ARROW[type_]) for name, type_ in self.columns.items()])

    def aligned(self, there: list[str], typed: Collection[str] = ()) -> str:
        """SQL: the columns, cast; null where a chunk lacks one or its value is no such type.

        `typed`: those that have their type in the chunk.
        """
        return ", ".join(
            f"{self._cast(name, typed) if name in there else f'CAST(NULL AS {type_})'} "
            f"AS {quoted(name)}"
            for name, type_ in self.columns.items()
        )

    def warnings(self, there: list[str], typed: Collection[str] = ()) -> str:
        """SQL: what is odd about a row, for people; empty if nothing is."""
        cast = [n for n in there if self.columns[n] != "VARCHAR" and n not in typed]
        tests = [self._miscast(name) for name in cast]
        tests += [self._outlier(name) for name in self.bounds]
        return f"concat_ws('; ', {', '.join(tests)})" if tests and there else "''"

    def _cast(self, name: str, typed: Collection[str]) -> str:
        column, type_ = quoted(name), self.columns[name]
        if type_ == "VARCHAR":
            return f"nullif(CAST({column} AS VARCHAR), '')"
        if name in typed:
            return column
        if type_ == "DOUBLE":
            return f"TRY_CAST({column} AS DOUBLE)"
        # pandas writes whole numbers as 512.0 once a column has gaps
        return (
            f"coalesce(TRY_CAST({column} AS {type_}), "
            f"TRY_CAST(TRY_CAST({column} AS DOUBLE) AS {type_}))"
        )

    def _miscast(self, name: str) -> str:
        raw, column = quoted(f"raw {name}"), quoted(name)
        detail = f"'{name} is no {self.columns[name]}: ' || left({raw}, 40)"
        return f"CASE WHEN {column} IS NULL AND {raw} <> '' THEN {detail} END"

    def _outlier(self, name: str) -> str:
        low, high = self.bounds[name]
        text = self.columns[name] == "VARCHAR"
        value = f"length({quoted(name)})" if text else quoted(name)
        detail = f"'{name} {'of length ' if text else ''}' || {value}"
        return f"CASE WHEN NOT {value} BETWEEN {low} AND {high} THEN {detail} END"


def named(wanted: Collection[str], there: Sequence[str]) -> dict[str, str]:
    """Those of the wanted columns that are there: our name -> theirs.

    In any case, or by a usual synonym that is not wanted for itself.
    """
    theirs = {name.strip().casefold(): name for name in reversed(there)}
    ours = [name.casefold() for name in wanted]
    columns = {}
    for name, own in zip(wanted, ours, strict=True):
        usual = [word for group in SYNONYMS if own in group for word in group if word not in ours]
        if name in there:
            columns[name] = name
        elif word := next((word for word in (own, *usual) if word in theirs), None):
            columns[name] = theirs[word]
    return columns


def renamed(names: Mapping[str, str]) -> dict[str, str]:
    """Those that have another name there."""
    return {ours: theirs for ours, theirs in names.items() if ours != theirs}


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'
