"""What a report says of a build's rows in figures: read from their columns once, then kept."""

from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from edge_glass.audit import row_preview
from edge_glass.core import duck, ledger, manifest, parquet, plots, records
from edge_glass.core.columns import ColumnRole, is_list, with_role
from edge_glass.core.ledger import LEFT_OUT, Outcome
from edge_glass.core.manifest import Manifest
from edge_glass.core.plots import Plot
from edge_glass.core.row import Features
from edge_glass.sources.table_layout import quoted
from edge_glass.tables import column_stats

VERSION = 4  # one more whenever figures of the same build change
MEMORY = 1_000_000_000
BINS = 24
ROWS = 48  # drawn of each config
SHOWN = 12  # hosts, years, languages, licences
LETTERS = "Characters of"  # how the title of lengths of texts begins
Facts = dict[str, Any]
YEAR = "regexp_extract(coalesce(url, ''), '/((?:19|20)[0-9]{2})[/-]', 1)"
SERVED = "regexp_extract(coalesce(last_modified, ''), '((?:19|20)[0-9]{2})', 1)"
HOST = "lower(regexp_extract(url, '^[a-zA-Z]+://(?:[^/@]*@)?([^/:?#]*)', 1))"
# left out on purpose, not lost
CHOSEN = (*sorted(LEFT_OUT), Outcome.FILTERED, Outcome.FLAGGED)


def of(folder: Path, build: Manifest, hidden: Path) -> Facts:
    """The facts of a config, out of `hidden` if they were told of the same build before."""
    digest = sha256((folder / manifest.FILE).read_bytes()).hexdigest()
    kept = hidden / "facts" / f"{build.config}.json"
    facts: Facts = records.read(kept) or {}
    if (facts.get("manifest"), facts.get("version")) != (digest, VERSION):
        facts = {"manifest": digest, "version": VERSION, **_read(folder, build, hidden)}
        records.write(kept, facts)
    return facts


def _read(folder: Path, build: Manifest, hidden: Path) -> Facts:
    hidden.mkdir(parents=True, exist_ok=True)
    shards = [folder / s.file for s in build.shards()]
    # others were sent away, or are left where they are: figures of a part would be no figures
    here = shards if all(path.is_file() for path in shards) else []
    columns = build.features if here else {}
    with duck.connected(MEMORY, hidden) as connection:
        if here:
            column_stats.view(connection, here, columns)
        path = duck.text(parquet.bounded(folder / ledger.FILE))
        connection.execute(f"CREATE TEMP VIEW ledger AS FROM read_parquet({path})")
        return {
            "rows": row_preview.sample_rows(folder, build, ROWS),
            "columns": column_stats.of(connection, columns),
            "histograms": _histograms(connection, columns),
            "languages": _languages(connection) if "language" in columns else {},
            "hosts": _rot(connection, HOST),
            "years": _rot(connection, f"coalesce(nullif({YEAR}, ''), nullif({SERVED}, ''))"),
        }


def _histograms(connection: duckdb.DuckDBPyConnection, columns: Features) -> list[Facts]:
    wanted = [("Bytes of a source file", "bytes", "ledger WHERE outcome = 'kept'")]
    plain = {name for name, feature in columns.items() if not is_list(feature)}
    if "duration" in plain:
        wanted.append(("Duration, seconds", "duration", "data"))
    if {"width", "height"} <= plain:
        wanted.append(("Shorter side, pixels", "least(width, height)", "data"))
    for name in with_role(columns, ColumnRole.CAPTION):
        text = f"unnest({quoted(name)})" if is_list(columns[name]) else quoted(name)
        texts = f"(SELECT {text} AS text FROM data)"
        wanted.append((f"{LETTERS} {name}", "length(text)", texts))
    histograms = [_histogram(connection, *one) for one in wanted]
    return [one for one in histograms if one["counts"]]


def _histogram(connection: duckdb.DuckDBPyConnection, title: str, value: str, rows: str) -> Facts:
    """Counts in equal steps from the least to the 99th percentile, the rest in the last one."""
    query = f"SELECT ({value})::DOUBLE AS value FROM {rows}"
    [(low, high, most)] = connection.execute(
        f"SELECT min(value), approx_quantile(value, 0.99), max(value) FROM ({query})"
    ).fetchall()
    if low is None:
        return {"title": title, "counts": []}
    step = (max(high, low) - low) / BINS or 1
    groups = connection.execute(
        f"SELECT least(floor((value - {low}) / {step}), {BINS - 1})::INTEGER, count(*) "
        f"FROM ({query}) WHERE value IS NOT NULL GROUP BY 1"
    ).fetchall()
    counts = Counter(dict(groups))
    bins = [counts[number] for number in range(BINS)] if high > low else [counts.total()]
    return {"title": title, "counts": bins, "low": low, "high": high, "most": most}


def _languages(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    query = "SELECT coalesce(language, ''), count(*) AS n FROM data GROUP BY 1"
    return dict(connection.execute(f"{query} ORDER BY n DESC, 1 LIMIT {SHOWN}").fetchall())


def _rot(connection: duckdb.DuckDBPyConnection, key: str) -> list[tuple[str, int, int]]:
    """Of rows that were asked for by URL: key, those that came, those that did not."""
    chosen = ", ".join(map(duck.text, CHOSEN))
    return connection.execute(
        f"""
        SELECT {key} AS name, count(*) FILTER (outcome = 'kept') AS kept,
            count(*) FILTER (outcome <> 'kept') AS lost
        FROM ledger WHERE url IS NOT NULL AND outcome NOT IN ({chosen}) AND name <> ''
        GROUP BY 1 ORDER BY kept + lost DESC, 1 LIMIT {SHOWN}
        """
    ).fetchall()


def plots_of(build: Manifest, facts: Facts, languages: dict[str, int]) -> list[Plot]:
    """The plots of a config; `languages` are those that an audit heard of."""
    outcomes = build.outcomes()
    plotted = [plots.bars("From source rows to kept rows", funnel(outcomes))]
    drops = [(name, 0, n) for name, n in outcomes.items() if name != Outcome.KEPT]
    if drops:
        drops.sort(key=lambda one: (-one[2], one[0]))
        plotted.append(plots.bars("Why rows were dropped", drops))
    plotted += [_spread(one) for one in facts["histograms"]]
    spoken = list((languages or facts["languages"]).items())[:SHOWN]
    if spoken:
        plotted.append(plots.bars("Languages of the captions", plots.lines(spoken), "captions"))
    for name, title in (("hosts", "Links by host: there and gone"), ("years", "Links by year")):
        if rows := [(label, kept, lost) for label, kept, lost in facts[name]]:
            plotted.append(plots.bars(title, sorted(rows) if name == "years" else rows))
    return plotted


def funnel(outcomes: dict[str, int]) -> list[tuple[str, int, int]]:
    """All rows, then what each reason left, in the order in which rows meet the reasons."""
    left = sum(outcomes.values())
    stages = [("source rows", left, 0)]
    for reason in Outcome:
        if reason != Outcome.KEPT and (lost := outcomes.get(reason, 0)):
            left -= lost
            stages.append((str(reason), left, lost))
    return [*stages, ("kept", left, 0)]


def _spread(facts: Facts) -> Plot:
    if facts["low"] < facts["most"]:
        name, _, unit = facts["title"].partition(", ")
        ends, beyond = (facts["low"], facts["high"]), facts["most"] > facts["high"]
        counted = "texts" if name.startswith(LETTERS) else "rows"  # of which a row may have several
        return plots.columns(
            facts["title"], facts["counts"], *ends, unit or name, beyond, counted=counted
        )
    count = sum(facts["counts"])
    value = f"{facts['low']:,.6g}"
    return plots.words(facts["title"], f"all {count:,}: {value}" if count > 1 else f"one: {value}")
