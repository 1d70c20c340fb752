"""The pages of the site: those written by hand, and the reference, which is asked of the code.

`python docs/gather.py DIR` fills DIR; `make docs` makes the site of it.
"""

import inspect
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import table_plots
import typer

import edge_glass.train
from edge_glass import api as api_module
from edge_glass import builder
from edge_glass.cli.main import app
from edge_glass.cli.terminal import parameters
from edge_glass.core import lazy_names, ledger, spec
from edge_glass.corpora import catalog
from edge_glass.corpora.params import CorpusConfig
from edge_glass.sources.raw import Raw

ROOT = Path(__file__).parents[1]
COPIED = {  # page of the reference -> file of the repository
    "benchmarks": "benchmarks/README.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
}
COMMON = ("quiet", "verbose", "log", "json")


def main(out: Path) -> None:
    """Write all pages of the site into a folder."""
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in (".css", ".js", ".md", ".png", ".svg"):
            target = out / path.relative_to(ROOT / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    reference = out / "reference"
    reference.mkdir(parents=True, exist_ok=True)
    for name, source in COPIED.items():
        text = table_plots.drawn((ROOT / source).read_text())
        (reference / f"{name}.md").write_text(_moved(text, (ROOT / source).parent, reference, out))
    (reference / "commands.md").write_text("\n".join(commands()))
    (reference / "catalogue.md").write_text("\n".join(catalogue()))
    (reference / "python.md").write_text("\n".join(api()))
    (reference / "builders.md").write_text("\n".join(builders()))
    for page in out.glob("*.md"):
        page.write_text(_moved(page.read_text(), ROOT / "docs", page.parent, out))


def _moved(text: str, was: Path, now: Path, out: Path) -> str:
    """The text with links that lead to the same pages from another folder."""
    homes = {ROOT / source: out / "reference" / f"{name}.md" for name, source in COPIED.items()}

    def link(match: re.Match[str]) -> str:
        place, hash_, anchor = match[2].partition("#")
        if not place or "://" in place:
            return match[0]
        target = (was / place).resolve()
        if target.is_relative_to(ROOT / "docs"):
            target = out / target.relative_to(ROOT / "docs")
        elif target not in homes:
            return match[1]  # what the site does not have is named, and no link
        target = homes.get(target, target)
        return f"[{match[1]}]({os.path.relpath(target, now)}{hash_}{anchor})"

    return re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", link, text)


def commands() -> Iterator[str]:
    """Every command with its options, as the command line itself knows them."""
    group: Any = typer.main.get_command(app)
    yield "# Commands\n\n`edge-glass COMMAND -h` shows the same. Every command also takes:\n"
    yield from _options("Option", [p for p in group.commands["build"].params if p.name in COMMON])
    for name, command in group.commands.items():
        own = [p for p in command.params if p.name not in COMMON]
        arguments = [p for p in own if p.param_type_name == "argument"]
        usage = " ".join(p.metavar or p.name.upper() for p in arguments)
        yield f"## {name}\n\n{_plain(command.help)}\n"
        yield f"```text\nedge-glass {name} {usage}{' ' if usage else ''}[OPTIONS]\n```\n"
        panels: dict[str, list[Any]] = {}
        for parameter in own:
            kind = "Argument" if parameter in arguments else "Option"
            panels.setdefault(parameter.rich_help_panel or kind, []).append(parameter)
        for title, rows in panels.items():
            yield from _options(title, rows)
        if command.epilog:
            yield f"{_plain(command.epilog, raw=True).replace('Example: ', 'Example: `', 1)}`\n"


def _options(title: str, parameters: list[Any]) -> Iterator[str]:
    yield f"| {title} | what it does |\n|---|---|"
    for one in parameters:
        argument = one.param_type_name == "argument"
        names = [one.metavar or one.name.upper()] if argument else [*one.opts, *one.secondary_opts]
        value = f" `{one.metavar}`" if one.metavar and not argument else ""
        known = one.default not in (None, False) and not argument
        default = f" Default: `{one.default}`." if known else ""
        listed = ", ".join(f"`{name}`" for name in names)
        yield f"| {listed}{value} | {_plain(one.help)}{default} |"
    yield ""


def _plain(text: str | None, raw: bool = False) -> str:
    """One line, in which a table finds no column and a browser no tag."""
    line = " ".join((text or "").replace("\\[", "[").split())
    return line if raw else line.replace("|", "\\|").replace("<", "&lt;")


def catalogue() -> Iterator[str]:
    """Every corpus with its configs, parameters and sources, as the YAML has them."""
    yield "# Catalogue\n"
    for name in catalog.corpora():
        kind = catalog.corpus(name)
        spec = kind.spec()
        yield f"## {spec.title} {{#{name}}}\n\n{_plain(spec.licence)}  \n<{spec.homepage}>\n"
        yield "| config | parameters |\n|---|---|"
        for config, values in spec.configs.items():
            listed = ", ".join(f"`{k}={v}`" for k, v in values.items())
            yield f"| `{config}` | {listed or 'the defaults'} |"
        yield "\n| parameter | values | default | what it does |\n|---|---|---|---|"
        for row in parameters(kind.BUILDER_CONFIG_CLASS):
            yield f"| {' | '.join(map(_plain, row))} |"
        yield "\nIts sources:\n"
        for file, source in spec.sources.items():
            sizes = {"bytes": source.bytes, "rows": source.rows}
            known = [f"{n:,} {unit}" for unit, n in sizes.items() if n is not None]
            yield f"- {file}{': ' if known else ''}{', '.join(known)}"
        yield ""


def builders() -> Iterator[str]:
    """What who writes a builder or a YAML asks: outcomes, keys, parameters, helpers, readers."""
    yield "# Builders and YAMLs\n\n## Outcomes\n\n| outcome | a row that |\n|---|---|"
    said = re.findall(r'^    \w+ = "(\w+)"  # (.*)$', Path(ledger.__file__).read_text(), re.M)
    yield from (f"| `{outcome}` | {_plain(what)} |" for outcome, what in said)
    for model in (spec.Source, spec.Column, spec.Splits, spec.Expected):
        yield f"\n## {model.__name__}\n\n{model.__doc__}\n\n| key | what it says |\n|---|---|"
        for name, field in model.model_fields.items():
            yield f"| `{name}` | {_plain(field.description)} |"
    for exported in lazy_names.origins(builder.__name__):
        kind = getattr(builder, exported)
        if isinstance(kind, type) and issubclass(kind, CorpusConfig):
            yield f"\n## {exported}\n\n{kind.__doc__}\n\n| parameter or helper | |\n|---|---|"
            for name, hint in inspect.get_annotations(kind).items():
                about = [each.description for each in getattr(hint, "__metadata__", ())]
                yield f"| `{name}` | {_plain(about[0] if about else '')} |"
            yield from _methods(kind)
    yield "\n## Readers of `raw`\n\n| reader | |\n|---|---|"
    yield from _methods(Raw)


def _methods(kind: type) -> Iterator[str]:
    for name, value in vars(kind).items():
        if not name.startswith("_") and callable(value) and name not in ("problems", "made_with"):
            yield f"| `{name}()` | {_plain(str(value.__doc__).partition(chr(10))[0])} |"


def api() -> Iterator[str]:
    """Every public function and class, as its docstring has it."""
    yield "# Python reference\n"
    for package in (edge_glass, edge_glass.train):
        for name in package.__all__:
            public = getattr(api_module if hasattr(api_module, name) else package, name)
            if not isinstance(public, ModuleType):
                yield f"::: {public.__module__}.{public.__name__}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
