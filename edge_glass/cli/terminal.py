"""Tables for the command line. Text from outside is printed as it is, never as markup."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_glass.core.row import JsonObject
from edge_glass.core.visible import json_visible, visible

if TYPE_CHECKING:  # a table of what a search found need not wait for what builds are made with
    from edge_glass.audit.audits import AuditResult
    from edge_glass.audit.verify import Finding
    from edge_glass.core.manifest import Manifest
    from edge_glass.corpora.corpus import Corpus
    from edge_glass.corpora.params import CorpusConfig
    from edge_glass.corpora.understand import Understood
    from edge_glass.pipeline.estimate import Plan
    from edge_glass.release.diff import Difference
    from edge_glass.release.publish import Release
    from edge_glass.tables import dedup, parts
    from edge_glass.vectors.alignment import Alignment

in_json = False  # whether the command was asked for JSON
console = Console(emoji=False)  # what a table of emoji says is for no name out of a file
SHOWN = 20  # ids or rows of a long list
SHORT = 200  # characters of a caption


def printed_as_json(value: Any, indent: int | None = 1) -> bool:
    """Print JSON to standard output, if the command was asked for it; a dataclass is an object."""
    if in_json:
        print(json_visible(json.dumps(value, indent=indent, ensure_ascii=False, default=asdict)))
    return in_json


def result(value: Any, tell: Callable[[Any], None]) -> None:
    """Print what a command did: as JSON if it was asked for that, else as `tell` does."""
    if not printed_as_json(value):
        tell(value)


def say(words: object, style: str = "") -> None:
    """Print a line as it is, however long."""
    console.print(_text(str(words), style), soft_wrap=True)


def paths(written: Iterable[Path]) -> None:
    """Print what was written, a line or an item of JSON each."""
    names = [*map(str, written)]
    if not printed_as_json(names):
        for name in names:
            say(name)


def _text(words: str, style: str = "") -> Text:
    return Text(visible(words), style=style)


def table(title: str, columns: list[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table; columns whose names end in # are numbers.

    No word is folded: where the longest words of all columns do not stand beside each other, each
    row is a paragraph.
    """
    heads = [column.removesuffix("#") for column in columns]
    cells = [[visible(_cell(value)) for value in row] for row in rows]
    if title:
        say(title, "bold")  # the table's own would fold at its width
    texts = [[head, *column] for head, *column in zip(heads, *cells, strict=True)]
    widths = [_longest(column, str.split) for column in texts]
    spare = console.width - sum(widths) - 3 * len(widths)
    if spare < 0:
        _paragraphs(heads, cells)
        return
    wanted = [_longest(column, str.splitlines) for column in texts]
    by_want = sorted(range(len(widths)), key=lambda at: wanted[at] - widths[at])
    for left, at in zip(range(len(widths), 0, -1), by_want, strict=True):
        more = min(wanted[at] - widths[at], spare // left)
        widths[at], spare = widths[at] + more, spare - more
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column, head, width in zip(columns, heads, widths, strict=True):
        grid.add_column(head, justify="right" if column.endswith("#") else "left", width=width)
    for row in cells:
        grid.add_row(*map(Text, row))
    console.print(grid)


def _longest(texts: list[str], parts: Callable[[str], list[str]]) -> int:
    """The width of the longest word or line."""
    return max((cell_len(part) for text in texts for part in parts(text)), default=0)


def _paragraphs(heads: list[str], rows: list[list[str]]) -> None:
    """Rows one below the other, a line a cell, as wide as they are."""
    for first, *rest in rows:
        say(first)
        for head, cell in zip(heads[1:], rest, strict=True):
            if cell:
                say(f"  {head}: {cell}")
    console.print()


def _cell(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def info(kind: "type[Corpus]") -> None:
    """What there is to know of a corpus before it is built."""
    spec = kind.spec()
    say(f"{spec.title} — {kind.corpus} {spec.version}", "bold")
    say(f"{spec.homepage}\nLicence: {' '.join(spec.licence.split())}\n")
    configs = [
        (name, ", ".join(f"{k}={v}" for k, v in params.items()))
        for name, params in spec.configs.items()
    ]
    table("Configs", ["config", "parameters"], configs)
    table(
        "Parameters, for --set",
        ["name", "values", "default", "what it does"],
        parameters(kind.BUILDER_CONFIG_CLASS),
    )
    sources = [(name, s.bytes, s.rows) for name, s in spec.sources.items()]
    table("Sources", ["file", "bytes#", "rows#"], sources)
    for source in spec.sources.values():
        say(str(source.url))  # by itself on a line, to be copied
    say(f"\n{spec.citation}")


def parameters(kind: "type[CorpusConfig]") -> list[tuple[str, str, str, str]]:
    """Name, values, default and meaning of each parameter of a config."""
    from edge_glass.corpora.params import model

    schema = model(kind).model_json_schema()["properties"]
    return [
        (name, _values(schema[name]), json.dumps(field.default), field.description or "")
        for name, field in model(kind).model_fields.items()
    ]


def _values(schema: JsonObject) -> str:
    if "anyOf" in schema:
        return " | ".join(_values(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"[{_values(schema['items'])}, …]"
    return str(schema.get("const", schema.get("type", "any")))


def audit(folder: Path, result: "AuditResult", asked: Collection[str]) -> None:
    """What an audit found, by check: of those that were asked for."""
    all_ = [
        (group, check, count, checked.file if count else "")
        for group, checked in result.groups.items()
        for check, count in checked.checks.items()
    ]
    rows = [row for row in all_ if row[1] in asked]
    table(f"{result.config}: {result.rows:,} rows", ["", "check", "found#", "in"], rows)
    if any(row[3] for row in rows):
        say(f"Rows are named in {folder}/")
    if others := [f"{row[2]:,} {row[1]}" for row in all_ if row[2] and row[1] not in asked]:
        say(f"Found by earlier audits, in {folder}/: {', '.join(others)}")


def plan(estimate: "Plan") -> None:
    """One config's plan."""
    say(" — ".join(dict.fromkeys((estimate.config, estimate.title))), "bold")
    say(f"Licence: {estimate.licence}")
    rows = [(source.file, source.bytes, source.state) for source in estimate.sources]
    table("Sources", ["file", "bytes#", "state"], rows)
    for file, others in estimate.columns.items():
        said = ", ".join(f"{ours} is read from {theirs}" for ours, theirs in others.items())
        say(f"Columns of {file}: {said}")
    counted = [(split, rows, estimate.shards.get(split)) for split, rows in estimate.rows.items()]
    stated = any(estimate.rows.values())
    how = "counted" if estimate.exact else "as upstream states them" if stated else "not counted"
    table(f"Source rows ({how})", ["split", "rows#", "shards#"], counted)
    known = sum(source.bytes or 0 for source in estimate.sources if source.fetched)
    by_row = any(source.state == "row by row" for source in estimate.sources)
    how = "more than " if estimate.fetch_bytes is None else "about " if by_row else ""
    say(f"To fetch: {how}{known:,} bytes. Free on the disk: {estimate.free_bytes:,} bytes.\n")


def understood(seen: "Understood") -> None:
    """Say on the standard error what was understood of data of one's own."""
    spec, out = seen.spec, Console(stderr=True, quiet=console.quiet)
    how = "" if spec.splits.by == "all" else f" by {spec.splits.key or spec.splits.by}"
    lines = [f"{seen.name}: {seen.rows:,} records; layout {spec.layout}: {seen.why}"]
    lines.append(f"  splits{how}: {', '.join(spec.splits.names)}")
    for name, column in spec.columns.items():
        key = column.key if isinstance(column.key, str) else ", ".join(column.key)
        how = f"{column.role}, read from {key}" if key != name else column.role
        how += "" if column.stored_as == "file" else f" ({column.stored_as})"
        values = " | ".join(f"{value!s:.40}" for value in seen.examples[name])
        lines.append(f"  {name}: {how}: {values}")
    times = [str(c.key) for c in spec.columns.values() if c.role in ("start", "end", "length")]
    if times:
        lines.append(f"  recordings are cut: {' and '.join(times)} say which seconds a record is")
        lines.append(f"    (--column {times[0]}=number leaves them whole)")
    lines += [f"  left out: {what}: {why}" for what, why in seen.left_out.items()]
    for line in lines:
        out.print(_text(line), soft_wrap=True)


def builds(manifests: "list[Manifest]") -> None:
    """Rows kept and dropped, by config and split; apart from them what the config leaves out."""
    from edge_glass.core.ledger import LEFT_OUT

    rows: list[tuple[Any, ...]] = []
    for build in manifests:
        rows.append((build.config, "", "", "", ""))
        for split, facts in build.splits.items():
            out = sum(n for reason, n in facts.dropped.items() if reason in LEFT_OUT)
            lost = facts.total - facts.kept - out
            rows.append((f"  {split}", facts.total, facts.kept, lost, out or ""))
            for reason, n in facts.dropped.items():
                apart = reason in LEFT_OUT
                rows.append((f"    {reason}", "", "", "" if apart else n, n if apart else ""))
    names = ["config, split", "rows#", "kept#", "dropped#", "left out#"]
    width = 5 if any(row[4] for row in rows) else 4
    table("Source rows", names[:width], [row[:width] for row in rows])


def findings(problems: "list[Finding]") -> None:
    """What verify found."""
    rows = [(f.kind, f.config, f.where, f.what) for f in problems]
    if rows:
        table("Findings", ["kind", "config", "where", "what"], rows)


def ledger_rows(config: str, rows: Sequence[Mapping[str, Any]], total: int) -> None:
    """Rows of a ledger."""
    columns = ["split", "id", "outcome", "detail"]
    title = f"{config}: {len(rows):,} of {total:,} rows" if len(rows) < total else config
    table(title, columns, ([row[column] for column in columns] for row in rows))


def difference(compared: "Difference") -> None:
    """One config in two builds."""
    if compared.identical:
        say(f"{compared.config}: byte-identical")
    elif not compared.rows:
        say(f"{compared.config}: the rows are equal, the files are not")
    else:
        rows = [(kind, n, _some(compared.ids[kind], n)) for kind, n in compared.rows.items()]
        table(compared.config, ["difference", "rows#", "ids"], rows)
    if any(" -> " in kind for kind in compared.rows):
        counts = [(name, a, b, f"{b - a:+,}") for name, (a, b) in compared.outcomes.items()]
        table("", ["outcome", "old#", "new#", "change#"], counts)
    for name, (old, new) in compared.inputs.items():
        say(f"  {name}: {json.dumps(old)} -> {json.dumps(new)}")


def _some(ids: list[str], total: int) -> str:
    more = f", … {total - 3:,} more" if total > 3 else ""
    return ", ".join(ids[:3]) + more


def release(done: "Release", dry_run: bool) -> None:
    """What a push did or would do."""
    lines = [str(done), *done.kept]
    if done.unreached:
        lines.append(f"The Hub was not asked which files it has: {done.unreached}")
    if dry_run:
        lines += [f"  send {path}" for path in done.send]
        lines += [f"  delete {path}" for path in done.delete]
    elif done.tagged:
        loading = f'load_dataset("{done.repo}", "{done.configs[0]}", revision="{done.tag}")'
        lines.append(f"Tagged {done.tag}. Load it with\n  {loading}")
    else:
        where = (
            f"Opened {done.pull_request}" if done.pull_request else "All of it is merged already"
        )
        lines.append(f"{where}. Nothing is tagged: run the same command without --pr once merged.")
    say("\n".join(lines))


def built(out: str, build: "Manifest") -> None:
    """Where a build lies, and how it is loaded with the libraries that are here."""
    say(f"Parquet and ledgers: {out}/<config>/")
    say(f"Report:              {out}/report.html")
    say(f"Card:                {out}/README.md")
    say("Load it:")
    if "://" in out:
        say(f'  edge_glass.train.loader("{out}/{build.config}")')
        return
    sounds = re.search(r"'_type': '(Audio|Video)'", str(build.features))
    if find_spec("torchcodec") or not sounds:
        say(f'  datasets.load_dataset("{out}", "{build.config}")')
    why = "   # decodes audio without torch" if sounds else ""
    say(f'  edge_glass.load("{build.config}", repo="{out}"){why}')


def step(out: Path, summary: "parts.Summary") -> None:
    """What became of the rows of a table in a step."""
    table("Source rows", ["outcome", "rows#"], summary["outcomes"].items())
    say(f"Parts:  {(out / summary['parts'][0]['file']).parent}/ ({len(summary['parts'])})")
    say(f"Ledger: {(out / summary['ledger'][0]['file']).parent}/")


def deduplicated(out: Path, summary: "dedup.Summary") -> None:
    """What became of the rows of a table, and what the kept ones look like."""
    from edge_glass.tables import stats

    step(out, summary)
    source, statistics = summary["source"], stats.read(out)
    rows = [
        (name, value, count, f"{100 * count / max(statistics['rows'], 1):.2f}")
        for name, values in statistics["counts"].items()
        for value, count in list(values.items())[:5]
    ]
    table("Rows kept, by their most frequent values", ["column", "value", "rows#", "%#"], rows)
    whole = f"{source['rows']:,} rows of {source['files']:,} chunks"
    say(f"{whole}, {summary['flagged']:,} kept with an unusual value")
    say(f"Statistics: {out / stats.PAGE}")


def indexes(measured: list[JsonObject]) -> None:
    """Indexes with what was measured of them."""
    rows = []
    for one in measured:
        recall = ", ".join(f"{column} {r:.3f}" for column, r in one["recall_at_10"].items())
        times = ", ".join(f"{c} {ms['median']:.2f}" for c, ms in one["ms_a_query"].items())
        kind = one["kind"]
        if kind == "inverted":
            kind = f"IVF{one['lists']},{one['code']}, {one['probes']} read"
        rows.append((one["name"], one["rows"], kind, f"{one['bytes'] / 1e6:.1f}", recall, times))
    columns = ["column", "rows#", "index", "MB#", "recall@10 of queries by", "ms a query"]
    table("Indexes", columns, rows)


def hits(name: str, nearest: list[JsonObject]) -> None:
    """Rows that a search found, the nearest first."""
    rows = []
    for hit in nearest:
        text = " ".join(hit["caption"].split())
        text = f"{text[:SHORT]}…" if len(text) > SHORT else text
        more = f" (and {len(hit['like_it'])} like it)" if hit["like_it"] else ""
        rows.append((hit["row"], f"{hit['score']:.3f}", hit["id"], text + more))
    table(f"Nearest by {name}", ["row#", "score#", "id", "caption"], rows)


def alignment(report: "Alignment") -> None:
    """How well two columns align: means with 95% intervals."""
    arrows = {"left_to_right": "→", "right_to_left": "←"}
    rows = [
        (f"{arrows[way]} {name}", *(_interval(figure) for figure in figures.values()))
        for name, ways in report["results"].items()
        for way, figures in ways.items()
    ]
    rows.sort(key=lambda row: row[0][0], reverse=True)
    kind = "linear" if report["layers"] == 1 else "two layers"
    used = ", ".join(f"{count:,} {part}" for part, count in report["rows"].items())
    title = f"{report['config']}: {report['left']} → {report['right']}"
    table(title, ["", "recall@1", "recall@5", "recall@10", "median rank"], rows)
    say(f"Probe: {kind}, {report['seeds']} seeds; rows: {used}")


def _interval(figure: dict[str, float]) -> str:
    mean = f"{figure['mean']:.3g}"
    return f"{mean} ({figure['low']:.3g}–{figure['high']:.3g})" if "low" in figure else mean
