"""What the rows of a table look like: counts of few values, histograms of numbers and lengths."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from edge_glass.shards import Whole, write_json
from edge_glass.tables import engine
from edge_glass.tables.layout import Layout, quoted

FILE, PAGE = "statistics.json", "statistics.html"
VALUES = 1000  # of one column that are counted by name, in each part; the rest are "(others)"
OTHERS, NOTHING = "(others)", "(none)"
SHOWN = 20  # bars of a plot of values

Stats = dict[str, Any]  # "rows", and by column "counts" or "bins": name or lower edge -> rows


def of(connection: duckdb.DuckDBPyConnection, path: Path, layout: Layout) -> Stats:
    """The statistics of one Parquet file."""

    def counted(value: str, limit: int) -> dict[str, int]:
        found = connection.execute(f"""
            SELECT coalesce(CAST({value} AS VARCHAR), '{NOTHING}') AS value, count(*) AS rows
            FROM {engine.text(path)} GROUP BY ALL ORDER BY rows DESC, value
        """).fetchall()
        rest = sum(rows for _, rows in found[limit:])
        return dict(found[:limit]) | ({OTHERS: rest} if rest else {})

    [(rows,)] = connection.execute(f"SELECT count(*) FROM {engine.text(path)}").fetchall()
    return {
        "rows": rows,
        "counts": {name: counted(quoted(name), VALUES) for name in layout.counted},
        "bins": {name: counted(_bin(name, layout), 10 * VALUES) for name in layout.binned},
    }


def _bin(name: str, layout: Layout) -> str:
    """SQL: the lower edge of a value's bin; what is out of bounds goes to the bins at the ends."""
    text = layout.columns[name] == "VARCHAR"
    value = f"length({quoted(name)})" if text else quoted(name)
    low, high = layout.bounds[name]
    width = layout.binned[name]
    inside = f"least(greatest({value}, {low}), {high})"
    edge = f"CAST(round(floor({inside} / {width}) * {width}, 6) AS DOUBLE)"
    return f"CASE WHEN {value} IS NOT NULL THEN {edge} END"


def merged(found: Iterable[Stats]) -> Stats:
    """The statistics of several files as those of one."""
    total: Stats = {"rows": 0, "counts": {}, "bins": {}}
    for stats in found:
        total["rows"] += stats["rows"]
        for kind in ("counts", "bins"):
            for name, values in stats[kind].items():
                total[kind].setdefault(name, Counter()).update(values)
    for name, values in total["counts"].items():
        ranked = sorted(values.items(), key=lambda item: (-item[1], item[0]))
        total["counts"][name] = dict(ranked)
    for name, values in total["bins"].items():
        total["bins"][name] = dict(sorted(values.items(), key=_edge))
    return total


def _edge(item: tuple[str, int]) -> float:
    return float("-inf") if item[0] == NOTHING else float(item[0])


def write(out: Path, summary: dict[str, Any], found: Iterable[Stats]) -> None:
    """Write the statistics as JSON, and with plots as a page that loads nothing."""
    total = merged(found)
    write_json(out / FILE, total)
    loader = jinja2.PackageLoader("edge_glass", "tables")
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("stats.html.jinja")
    with Whole(out / PAGE) as file:
        page = template.render(summary=summary, total=total, plots=list(_plots(total)))
        file.write(page.encode())


def _plots(total: Stats) -> Iterable[dict[str, Any]]:
    for kind, columns in (("counts", total["counts"]), ("bins", total["bins"])):
        for name, values in columns.items():
            shown = list(values.items())
            if kind == "counts" and len(shown) > SHOWN:
                rest = sum(rows for _, rows in shown[SHOWN:])
                shown = [*shown[:SHOWN], (f"{len(shown) - SHOWN:,} others", rest)]
            top = max((rows for _, rows in shown), default=1)
            yield {"name": name, "kind": kind, "values": shown, "top": top}


def read(out: Path) -> Stats:
    """The statistics beside deduplicated parts."""
    found: Stats = json.loads((out / FILE).read_text())
    return found
