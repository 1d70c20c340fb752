"""What the rows of a table look like.

Counts of few values and of hosts, histograms and quantiles of numbers and lengths, image sizes.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate, chain
from pathlib import Path

import duckdb
from typing_extensions import TypedDict

from edge_glass.core import duck, pages, plots, schema
from edge_glass.core.atomic_files import write_json
from edge_glass.sources.table_layout import Layout, quoted

FILE, PAGE = "statistics.json", "statistics.html"
VALUES = 1000  # of one column that are counted by name, in each part; the rest are "(others)"
OTHERS, NOTHING = "(others)", "(none)"
SHOWN = 20  # bars of a plot of values
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SIDES = (256, 512, 1024)  # pixels

Counts = dict[str, dict[str, int]]  # of each column


class Counted(TypedDict):
    """What is counted of rows."""

    rows: int
    counts: Counts  # value -> rows
    bins: Counts  # lower edge -> rows
    sizes: Counts  # pixels -> rows with both or either of their sides at or above


class PartStats(Counted):
    """The statistics of a part."""

    values: Counts


class Stats(Counted):
    """The statistics of a table."""

    quantiles: dict[str, dict[str, float]]  # of each column: share -> value


def of(connection: duckdb.DuckDBPyConnection, path: Path, layout: Layout) -> PartStats:
    """The statistics of one Parquet file."""

    def counted(value: str, limit: int, of: str = "value") -> dict[str, int]:
        counts = connection.execute(f"""
            WITH apart AS (
                SELECT {value} AS value, count(*) AS rows FROM {duck.text(path)} GROUP BY ALL
            )
            SELECT coalesce(CAST({of} AS VARCHAR), '{NOTHING}') AS value, sum(rows)::BIGINT AS rows
            FROM apart GROUP BY ALL ORDER BY rows DESC, value
        """).fetchall()
        rest = sum(rows for _, rows in counts[limit:])
        return dict(counts[:limit]) | ({OTHERS: rest} if rest else {})

    def bins(name: str) -> dict[str, int]:
        return counted(_value(name, layout), 10 * VALUES, _bin(layout.binned[name]))

    [(rows,)] = connection.execute(f"SELECT count(*) FROM {duck.text(path)}").fetchall()
    hosts = {"host": counted(_host(layout), 10 * VALUES)} if layout.url in layout.columns else {}
    return {
        "rows": rows,
        "counts": {name: counted(quoted(name), VALUES) for name in layout.counted} | hosts,
        "bins": {name: bins(name) for name in layout.binned},
        "values": {name: counted(_value(name, layout), 10**5) for name in layout.binned},
        "sizes": _sizes(connection, path, layout),
    }


def _host(layout: Layout) -> str:
    """SQL: the host that a URL names; a usual URL is told in one pass, in a third of the time."""
    usual, any_kind = (
        f"regexp_extract({quoted(layout.url)}, {duck.text(pattern)}, 1)"
        for pattern in (
            r"^\w+://([^/?#:@]+)(?::\d*)?(?:[/?#]|$)",
            r"^\w+://(?:[^/?#]*@)?([^/?#:]+)",
        )
    )
    return f"nullif(lower(coalesce(nullif({usual}, ''), {any_kind})), '')"


def _sizes(connection: duckdb.DuckDBPyConnection, path: Path, layout: Layout) -> Counts:
    """Pixels -> rows that have `both` or `either` of their sides at or above."""
    if not set(layout.sides) <= layout.columns.keys():
        return {}
    least, most = (
        f"{name}({', '.join(map(quoted, layout.sides))})" for name in ("least", "greatest")
    )
    tests = [f"count(*) FILTER ({side} >= {n})" for n in SIDES for side in (least, most)]
    query = f"SELECT {', '.join(tests)} FROM {duck.text(path)}"
    [figures] = connection.execute(query).fetchall()
    pairs = zip(SIDES, zip(figures[::2], figures[1::2], strict=True), strict=True)
    return {str(n): {"both": both, "either": either} for n, (both, either) in pairs}


def _bin(width: float) -> str:
    """SQL: the lower edge of a value's bin; what is out of bounds goes to the bins at the ends."""
    return f"CAST(round(floor(round(value / {width}, 6)) * {width}, 6) AS DOUBLE)"


def _value(name: str, layout: Layout) -> str:
    """SQL: a number, or a text's length, within its bounds and to four places."""
    text = layout.columns[name] == "VARCHAR"
    value = f"length({quoted(name)})" if text else quoted(name)
    low, high = layout.bounds[name]
    inside = f"CAST(round(least(greatest({value}, {low}), {high}), 4) AS DOUBLE)"
    return f"CASE WHEN {value} IS NOT NULL THEN {inside} END"


def merged(parts: Iterable[PartStats]) -> Stats:
    """The statistics of several files as those of one."""
    every = list(parts)
    return {
        "rows": sum(each["rows"] for each in every),
        "counts": {
            name: dict(sorted(column.items(), key=lambda item: (-item[1], item[0])))
            for name, column in _added(each["counts"] for each in every)
        },
        "bins": {
            name: dict(sorted(column.items(), key=lambda b: float(b[0].replace(NOTHING, "-inf"))))
            for name, column in _added(each["bins"] for each in every)
        },
        "sizes": dict(_added(each["sizes"] for each in every)),
        "quantiles": {
            name: _quantiles(column) for name, column in _added(each["values"] for each in every)
        },
    }


def _added(parts: Iterable[Counts]) -> Iterable[tuple[str, dict[str, int]]]:
    total: dict[str, Counter[str]] = {}
    for name, values in chain.from_iterable(part.items() for part in parts):
        total.setdefault(name, Counter()).update(values)
    return total.items()


def _quantiles(counts: dict[str, int]) -> dict[str, float]:
    """Share -> the least value that so many of the rows with one have, or less."""
    ordered = sorted((float(value), rows) for value, rows in counts.items() if value != NOTHING)
    ends = list(accumulate(rows for _, rows in ordered))
    places = {q: bisect_left(ends, q * ends[-1]) for q in QUANTILES if ends}
    return {str(q): ordered[place][0] for q, place in places.items()}


def write(out: Path, summary: Mapping[str, object], parts: Iterable[PartStats]) -> None:
    """Write the statistics as JSON, and with plots as a page that loads nothing."""
    total = merged(parts)
    write_json(out / FILE, total)
    plotted = [(plot.title, plots.svg(plot)) for plot in _plots(total)]
    pages.write(out / PAGE, "tables", "stats.html", summary=summary, total=total, plots=plotted)


def _plots(total: Stats) -> Iterable[plots.Plot]:
    for name, values in total["counts"].items():
        listed = list(values.items())[:SHOWN]
        if rest := sum(values.values()) - sum(rows for _, rows in listed):
            listed.append((f"{len(values) - SHOWN:,} others", rest))
        yield plots.bars(name, plots.lines(listed))
    for name, values in total["bins"].items():
        edges = {float(edge): rows for edge, rows in values.items() if edge != NOTHING}
        if edges:
            yield plots.columns(name, list(edges.values()), min(edges), max(edges), name)


def read(out: Path) -> Stats:
    """The statistics beside deduplicated parts."""
    total: Stats = schema.read(out / FILE, Stats, "delete it and run `edge-glass dedup` again")
    return total
