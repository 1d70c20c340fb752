"""A corpus's section of a card: its prose, and tables out of the builds."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from functools import cache
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
    spec, tables = kind.spec(), _tables(manifests, plots, examples)
    prose = template.render(tables=tables, spec=spec, manifests=manifests)
    title = f"[{spec.title}]({spec.homepage})" if spec.homepage else _cell(spec.title)
    return f"## {title}\n\n{prose.strip()}"


def _tables(
    manifests: list[Manifest], plots: Collection[str], examples: Mapping[str, Example]
) -> str:
    largest = max(manifests, key=lambda m: m.rows)
    row, head = examples.get(largest.config), "Columns:"
    if row:
        mark = EXAMPLE.format(largest.config, largest.seal)
        head = f"Columns, and a row of `{largest.config}`:{mark}"
    return _filled(
        "card_tables",
        manifests=manifests,
        warned=any(build.warnings() for build in manifests),
        largest=largest,
        licences=licences,
        head=head,
        row=row or {},
        columns=_columns(manifests, largest),
        plots=plots,
        folder=PLOTS,
    )


def _columns(manifests: list[Manifest], largest: Manifest) -> Iterable[tuple[str, str, str]]:
    """Every column of the configs, its type, and what it holds."""
    for name in dict.fromkeys(column for build in manifests for column in build.features):
        having = [build for build in manifests if name in build.features]
        build = largest if largest in having else having[0]
        feature = build.features[name]
        only = ", ".join(f"`{each.config}`" for each in having)
        where = f" (in {only})" if len(having) < len(manifests) else ""
        yield name, type_name(feature), f"{note(name, feature, build.roles[name])}{where}"


def _filled(template: str, **values: Any) -> str:
    """A template of Markdown, in which text from outside goes through `cell` or `code`."""
    return _environment().get_template(f"{template}.md.jinja").render(**values).strip()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edge_glass", "release"),
        trim_blocks=True,
        autoescape=False,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"cell": _cell, "code": _code, "clock": _clock}
    environment.filters["thousands"] = "{:,}".format
    return environment


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
    listed = [*reports]
    return _filled("card_alignment", reports=listed) if listed else ""


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))


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
