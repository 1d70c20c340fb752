"""A corpus's section of a card: its prose, and tables out of the builds."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2

from edge_glass.core import licences, parquet
from edge_glass.core.columns import ColumnRole, note, type_name
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.manifest import Manifest
from edge_glass.core.names import PLOTS
from edge_glass.core.visible import visible
from edge_glass.corpora import catalog
from edge_glass.vectors.alignment import Alignment

SHOWN = 80  # characters of a value in an example
LONGEST = 200  # characters of any other text
ALIGNMENT = """## Which columns align

Recall@1 of a small probe between two frozen embeddings, on rows that it was not trained on, with
95% intervals over seeds and rows; beside it the same probe trained on shuffled pairs, and chance.

| config | finds | probe | shuffled | chance | rows | aligned |
|---|---|--:|--:|--:|--:|---|"""
EXAMPLE = " <!-- of {}, whose manifest is {} -->"

Example = dict[str, str]  # column -> its value, as it stands in a table


def render(
    corpus: str,
    manifests: list[Manifest],
    plots: Collection[str],
    examples: Mapping[str, Example],
) -> str:
    """A corpus's section: its prose with tables; `examples`: config -> a row of it."""
    kind = catalog.variant_of(manifests[0], corpus, {}).kind
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(
        kind.card()
    )
    spec = kind.spec()
    columns = _columns(manifests, examples)
    pictures = [
        f"\n![What `{name}` holds, and what became of its rows]({PLOTS}/{name}.png)"
        for name in (build.config for build in manifests)
        if name in plots
    ]
    tables = "\n".join([_tables(manifests), *columns, *pictures])
    prose = template.render(tables=tables, spec=spec, manifests=manifests)
    title = f"[{spec.title}]({spec.homepage})" if spec.homepage else _cell(spec.title)
    return f"## {title}\n\n{prose.strip()}"


def _tables(manifests: list[Manifest]) -> str:
    rows = [
        "| config | split | rows | h:mm:ss | MB | source rows | dropped |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for build in manifests:
        for split, facts in build.splits.items():
            seconds = facts.figures.seconds
            length = "" if seconds is None else str(timedelta(seconds=round(seconds)))
            drops = [f"{n} {reason}" for reason, n in sorted(facts.dropped.items())]
            sizes = (f"{facts.bytes / 1e6:.1f}", f"{facts.total:,}")
            dropped = ", ".join(drops) or "none"
            rows.append(_row(build.config, split, f"{facts.rows:,}", length, *sizes, dropped))
    return "\n".join([*rows, *_others(manifests), *_warnings(manifests), *_licences(manifests)])


def _others(manifests: list[Manifest]) -> Iterable[str]:
    """Sources that are not what upstream publishes."""
    for build in manifests:
        files = [used.file for used in build.sources if used.as_published is False]
        if files and not build.parameters.get("bundled"):
            names = ", ".join(map(_cell, files))
            yield f"\n`{build.config}` is **not upstream's data**: other checksums: {names}."
        if chosen := build.where:
            condition = _code(chosen.condition)
            yield f"\n`{build.config}` has the rows of `{chosen.of.config}` where {condition}."
            for name, score in chosen.scores.items():
                of = [*filter(None, [score.label]), ", ".join(score.of)]
                by = f"{score.model['name']}, {score.model['revision']}"
                yield f"- {name}: {_cell(' '.join(of))} by {_cell(by)}"
        if asked := build.captions:
            by, what = _cell(asked.model), f"{_cell(asked.column)} of `{asked.of.config}`"
            yield f"\n`model_caption` in `{build.config}` is by a model, {by}, that saw {what}."


def _warnings(manifests: list[Manifest]) -> Iterable[str]:
    """What the ledger's details say of rows that are kept."""
    lines = [
        _row(build.config, split, _cell(kind), f"{rows:,}")
        for build in manifests
        for split, facts in build.splits.items()
        for kind, rows in facts.warnings.items()
    ]
    if lines:
        yield "\nNoted on rows that are kept (`detail` in the ledger):\n"
        yield "| config | split | note | rows |\n|---|---|---|--:|"
        yield from lines


def _licences(manifests: list[Manifest]) -> Iterable[str]:
    """Licences of the rows of the largest config, and what they allow."""
    largest = max(manifests, key=lambda m: m.rows)
    if counts := largest.licences():
        yield f"\nLicences of the rows of `{largest.config}` (`build --licences` takes some):\n"
        yield "| licence | SPDX | commercial use | changes | share alike | rows |"
        yield "|---|---|---|---|---|--:|"
        for name, rows in sorted(counts.items()):
            terms = licences.terms(name)
            said = ("yes" if each else "no" for each in terms[:3]) if terms else ["not known"] * 3
            yield _row(_cell(name) or "not stated", licences.spdx(name) or "", *said, f"{rows:,}")


def _columns(manifests: list[Manifest], examples: Mapping[str, Example]) -> Iterable[str]:
    """Every column of the configs, what it holds, and what a row of the largest has there."""
    largest = max(manifests, key=lambda m: m.rows)
    row = examples.get(largest.config) or {}
    head = f"\nColumns, and a row of `{largest.config}`:" if row else "\nColumns:"
    yield f"{head}{EXAMPLE.format(largest.config, largest.seal) if row else ''}\n"
    yield "| column | type | what | example |\n|---|---|---|---|"
    for name in dict.fromkeys(column for build in manifests for column in build.features):
        having = [build for build in manifests if name in build.features]
        build = largest if largest in having else having[0]
        feature = build.features[name]
        only = ", ".join(f"`{each.config}`" for each in having)
        where = f" (in {only})" if len(having) < len(manifests) else ""
        what = f"{note(name, feature, build.roles[name])}{where}"
        yield _row(_cell(name), _cell(type_name(feature)), what, row.get(name, ""))


def example(folder: Path, build: Manifest) -> Example:
    """The first row of a build that can be read here, as a card shows it: without media."""
    names = [n for n in build.features if build.roles[n] is not ColumnRole.MEDIA]
    for shard in build.shards():
        path = folder / shard.file
        if shard.rows and path.is_file():
            try:
                with parquet.opened(path) as file:
                    _, _, row = next(iter(file.rows_at([0], names)))
            except EdgeGlassError:  # `verify` tells what is wrong with it
                return {}
            return {name: _value(row[name]) for name in names}
    return {}


def example_in(text: str, build: Manifest) -> Example:
    """The row that a card shows of a config, if it is that of this very build."""
    _, mark, rest = text.partition(f"{EXAMPLE.format(build.config, build.seal)}\n\n")
    table = rest.partition("\n\n")[0]
    rows = re.findall(r"(?m)^\| ([^|]*) \| [^|]* \| [^|]* \| ([^|]*) \|$", table)
    return {name: value for name, value in rows if name in build.features} if mark else {}


def alignments(reports: Iterable[Alignment]) -> str:
    """Which columns align, as a section of a card; empty if nobody asked."""
    rows = [row for report in reports for row in _alignment(report)]
    return "\n".join([ALIGNMENT, *rows]) if rows else ""


def _alignment(report: Alignment) -> Iterable[str]:
    sides = [report["left"], report["right"]]
    for way, (one, other) in {"left_to_right": sides, "right_to_left": sides[::-1]}.items():
        probe, control, chance = (
            report["results"][name][way]["recall@1"] for name in ("probe", "shuffled", "chance")
        )
        cells = [_cell(report["config"]), f"{_cell(one)} → {_cell(other)}"]
        cells += [f"{x['mean']:.3f} ({x['low']:.3f} to {x['high']:.3f})" for x in (probe, control)]
        cells += [f"{chance['mean']:.3f}", f"{report['rows']['test']:,}"]
        yield _row(*cells, "yes" if probe["low"] > control["high"] else "not seen")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = _cell(text).strip()
    return f"{text[:SHOWN].rstrip()}…" if len(text) > SHOWN else text


def _code(text: str) -> str:
    """Text from outside as a span of code, in which `<` is one; it is no mark of ours."""
    safe = re.sub(r"[`\n\r]|<!--|-->", " ", str(visible(text)))
    return f"`{safe if len(safe) <= LONGEST else f'{safe[:LONGEST]}…'}`"


def _cell(text: str) -> str:
    """Text from outside, harmless in a Markdown table."""
    return re.sub(r"[|<>\n\r`\[\]]", " ", str(visible(text)))[:LONGEST]
