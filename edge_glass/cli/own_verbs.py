"""Data of one's own: what was understood of them, the YAML that says so, a package for them."""

import os
import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from edge_glass.cli.options import OwnData
from edge_glass.cli.session import verb
from edge_glass.core.errors import ConfigError

HEAD = """\
# How {name} is read; docs/own-data.md says what each line means. Then: edge-glass build {name}.yaml
# homepage and citation (BibTeX) go into its card, once they are here.
"""


@verb("init ./birds > birds.yaml")
def init(
    place: Annotated[
        str, typer.Argument(metavar="PATH", help="A folder, an archive, a table, org/name.")
    ],
    own: OwnData,
) -> None:
    """Print the YAML that says how your own data are read, to be edited and built."""
    import yaml

    from edge_glass.cli import terminal
    from edge_glass.corpora.understand import understand

    seen = understand(place, own.choices())
    plain = seen.spec.model_dump(mode="json", exclude_defaults=True)
    for source in plain["sources"].values():
        if "path" in source:  # as it is from here, where the YAML will lie
            source["path"] = os.path.relpath((seen.home or Path()) / source["path"])
    if not terminal.printed_as_json(plain):
        body = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        print(HEAD.format(name=seen.name) + body)


@verb("new birds")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: letters, digits, _.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to make; default: NAME.")
    ] = None,
    builder: Annotated[bool, "With a builder, for data that no layout reads."] = False,
) -> None:
    """Write a package with a corpus of your own: it builds as it is, and is yours to change."""
    from edge_glass.cli import terminal
    from edge_glass.corpora import catalog

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f"{name!r}: use small letters, digits and _, a letter first")
    if name in (*catalog.corpora(), "edge_glass"):  # whose folder Python would find in its place
        raise ConfigError(f"{name}: this name is taken: choose another")
    folder = out or Path(name)
    if folder.exists():
        raise ConfigError(f"{folder} is there already: give another --out")
    template = resources.files("edge_glass.corpora") / "new_package"
    for part in ("all", "builder" if builder else "yaml"):
        with resources.as_file(template / part) as root:
            for path in sorted(path for path in root.rglob("*") if path.is_file()):
                _write(path, folder / _filled(path.relative_to(root).as_posix(), name), name)
    terminal.paths([folder])
    if not terminal.in_json:
        terminal.say(f"`pip install -e {folder}`, then `edge-glass build {name}_sample`")


def _filled(text: str, name: str) -> str:
    return text.replace("PACKAGE", f"{name}_corpus").replace("NAME", name)


def _write(template: Path, path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if template.suffix == ".template":
        path.with_suffix("").write_text(_filled(template.read_text("utf-8"), name), "utf-8")
    else:
        path.write_bytes(template.read_bytes())
