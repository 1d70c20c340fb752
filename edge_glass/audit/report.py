"""One page to look at: what was built, what was dropped and why, what audits found, and rows."""

from pathlib import Path
from typing import Any

import duckdb

from edge_glass.audit import audits, findings, report_stats, row_preview
from edge_glass.core import duck, manifest, pages, parquet, plots, units
from edge_glass.core.atomic_files import Whole
from edge_glass.core.manifest import Manifest, Split
from edge_glass.core.names import HIDDEN, picture
from edge_glass.core.names import REPORT as FILE
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
    folders = manifest.built(out)
    manifests = {name: manifest.read(folder) for name, folder in folders.items()}
    facts = {
        name: report_stats.of(folders[name], manifests[name], out / HIDDEN) for name in folders
    }
    audited = {name: _audited(out, manifests[name]) for name in folders}
    plotted_configs = {
        name: report_stats.plots_of(manifests[name], facts[name], _spoken(audited[name]))
        for name in folders
    }
    counts = (balance.of(folder, manifests[name]) for name, folder in folders.items())
    balances = [one for one in counts if one]
    configs = [
        _config(out, folders[name], manifests[name], audited[name])
        | {"rows": facts[name]["rows"], "columns": facts[name]["columns"]}
        | {"maps": embedding_map.of(folders[name], out / "embeddings")}
        | {"plots": [(plot.title, plots.svg(plot)) for plot in plotted_configs[name]]}
        for name in folders
    ]
    shared = balance.overlaps(balances)
    values = {"configs": configs, "balances": balances, "overlaps": shared}
    pages.write(out / FILE, "audit", "report.html", **values)
    for name, plotted in plotted_configs.items():
        with Whole(out / picture(name)) as file:
            file.write(plots.png(name, plotted))
    return [FILE, *map(picture, folders)]


def _config(
    out: Path, folder: Path, build: Manifest, audited: audits.AuditResult | None
) -> dict[str, Any]:
    shards = build.shards()
    return {
        "name": build.config,
        "manifest": build,
        "title": _title(build),
        "splits": [_split(name, split) for name, split in build.splits.items()],
        "licences": _licences(build),
        "shards": shards[:SHARDS],
        "more_shards": max(0, len(shards) - SHARDS),
        "audit": audited,
        "worst": _worst(out, folder, build, audited) if audited else [],
    }


def _title(build: Manifest) -> str:
    spec = catalog.of(build)
    return spec.title if spec else build.corpus


def _split(name: str, facts: Split) -> dict[str, Any]:
    return {
        "name": name,
        "total": facts.total,
        "kept": facts.kept,
        "dropped": facts.dropped,
        "rows": facts.rows,
        "length": units.length(facts.figures.seconds) if facts.figures.seconds else "",
        "size": units.size(facts.bytes),
    }


def _licences(build: Manifest) -> list[tuple[str, int]]:
    return sorted(build.licences().items(), key=lambda one: (-one[1], one[0]))


def _audited(out: Path, build: Manifest) -> audits.AuditResult | None:
    """The audit of a config, if it was of these very shards."""
    last = audits.read(out, build.config)
    return last if last and list(last.data) == build.digests() else None


def _spoken(audited: audits.AuditResult | None) -> dict[str, int]:
    captions = audited.groups.get("captions") if audited else None
    return dict(captions.figures.get("languages", {})) if captions else {}


def _worst(
    out: Path, folder: Path, build: Manifest, audited: audits.AuditResult
) -> list[dict[str, Any]]:
    """Of each check that found something the rows that are furthest beyond its threshold."""
    worst: list[dict[str, Any]] = []
    with duckdb.connect() as connection:
        for group in audited.groups.values():
            path = out / audits.FOLDER / build.config / group.file
            if group.rows and path.is_file():
                worst += _furthest(connection, path)
    rows = row_preview.named(
        folder, build, {(f["split"], f["id"]) for f in worst} | _others(worst, build)
    )
    checks: dict[str, list[dict[str, Any]]] = {}
    for flagged in worst:
        other = rows.get((flagged["other_split"], flagged["other_id"]))
        mine = flagged["other_config"] == build.config
        checks.setdefault(flagged["check"], []).append(
            flagged
            | {"row": rows.get((flagged["split"], flagged["id"])), "other": other if mine else None}
        )
    counts = audited.checks
    return [{"check": check, "found": counts[check], "rows": f} for check, f in checks.items()]


def _others(worst: list[dict[str, Any]], build: Manifest) -> set[tuple[str, str]]:
    inside = [finding for finding in worst if finding["other_config"] == build.config]
    return {(finding["other_split"], finding["other_id"]) for finding in inside}


def _furthest(connection: duckdb.DuckDBPyConnection, path: Path) -> list[dict[str, Any]]:
    names = ", ".join(f'"{name}"' for name in findings.SCHEMA.names)
    table = connection.sql(
        f"""
        SELECT {names} FROM read_parquet({duck.text(parquet.bounded(path))})
        QUALIFY row_number() OVER (
            PARTITION BY "check" ORDER BY abs(score - threshold) DESC, split, id
        ) <= {WORST}
        ORDER BY "check", abs(score - threshold) DESC, split, id
        """
    ).to_arrow_table()
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
