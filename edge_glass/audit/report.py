"""One page to look at: what was built, what was dropped and why, what audits found, and rows."""

from pathlib import Path

import duckdb

from edge_glass.audit import audits, report_stats, row_preview
from edge_glass.core import duck, manifest, pages, parquet, plots, units
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.manifest import Manifest
from edge_glass.core.names import HIDDEN, picture
from edge_glass.core.names import REPORT as FILE
from edge_glass.core.plots import Plot
from edge_glass.core.row import JsonObject
from edge_glass.corpora import catalog
from edge_glass.domains.imagenet import balance
from edge_glass.vectors import embedding_map

WORST = 3  # of each check
SHARDS = 50  # that are listed with their checksums


def write(out: Path) -> list[str]:
    """Write `out/report.html` and its plots as PNG; returns the names of all files.

    The page is self-contained, loads nothing, and its one script filters and orders the rows. What
    it says of rows in figures is read from their columns once for each build; rows are drawn, and
    read by their row groups.
    """
    configs, balances, plotted = [], list[balance.Balance](), dict[str, list[Plot]]()
    for name, folder in manifest.built(out).items():
        build = manifest.read(folder)
        facts, audited = report_stats.of(folder, build, out / HIDDEN), _audited(out, build)
        plotted[name] = report_stats.plots_of(build, facts, _spoken(audited))
        balances += filter(None, [balance.of(folder, build)])
        spec = catalog.of(build)
        configs.append(
            {
                "name": name,
                "manifest": build,
                "title": spec.title if spec else build.corpus,
                "audit": audited,
                "worst": _worst(out, folder, build, audited) if audited else [],
                "rows": facts["rows"],
                "columns": facts["columns"],
                "maps": embedding_map.of(folder, out / "embeddings"),
                "plots": [(plot.title, plots.svg(plot)) for plot in plotted[name]],
            }
        )
    values = {"configs": configs, "balances": balances, "overlaps": balance.overlaps(balances)}
    pages.write(out / FILE, "audit", "report.html", **values, units=units, listed_shards=SHARDS)
    for name, pictures in plotted.items():
        with AtomicFile(out / picture(name)) as file:
            file.write(plots.png(name, pictures))
    return [FILE, *map(picture, plotted)]


def _audited(out: Path, build: Manifest) -> audits.AuditResult | None:
    """The audit of a config, if it was of these very shards."""
    last = audits.read(out, build.config)
    return last if last and list(last.data) == build.digests() else None


def _spoken(audited: audits.AuditResult | None) -> dict[str, int]:
    captions = audited.groups.get("captions") if audited else None
    return dict(captions.figures.get("languages", {})) if captions else {}


def _worst(
    out: Path, folder: Path, build: Manifest, audited: audits.AuditResult
) -> list[JsonObject]:
    """Of each check that found something the rows that are furthest beyond its threshold."""
    worst: list[JsonObject] = []
    with duckdb.connect() as connection:
        for group in audited.groups.values():
            path = out / audits.FOLDER / build.config / group.file
            if group.rows and path.is_file():
                worst += _furthest(connection, path)
    inside = [one for one in worst if one["other_config"] == build.config]
    wanted = {(one["split"], one["id"]) for one in worst}
    wanted |= {(one["other_split"], one["other_id"]) for one in inside}
    rows = row_preview.named(folder, build, wanted)
    checks: dict[str, list[JsonObject]] = {}
    for flagged in worst:
        mine = flagged["other_config"] == build.config
        other = rows.get((flagged["other_split"], flagged["other_id"])) if mine else None
        row = rows.get((flagged["split"], flagged["id"]))
        checks.setdefault(flagged["check"], []).append(flagged | {"row": row, "other": other})
    counts = audited.checks
    return [{"check": check, "found": counts[check], "rows": f} for check, f in checks.items()]


def _furthest(connection: duckdb.DuckDBPyConnection, path: Path) -> list[JsonObject]:
    names = ", ".join(f'"{name}"' for name in audits.FINDINGS.names)
    table = connection.sql(
        f"""
        SELECT {names} FROM read_parquet({duck.text(parquet.bounded(path))})
        QUALIFY row_number() OVER (
            PARTITION BY "check" ORDER BY abs(score - threshold) DESC, split, id
        ) <= {WORST}
        ORDER BY "check", abs(score - threshold) DESC, split, id
        """
    ).to_arrow_table()
    rows: list[JsonObject] = table.to_pylist()
    return rows
