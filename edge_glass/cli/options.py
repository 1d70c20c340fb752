"""What several commands of the command line take, and how they read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from edge_glass.core.errors import ConfigError

if TYPE_CHECKING:
    from edge_glass.core.progress import Progress
    from edge_glass.corpora.catalog import Variant

Json = Annotated[bool, typer.Option("--json", help="Print JSON; rows a line each.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Configs, see `list`.")
]
Out = Annotated[
    Path, typer.Option("--out", help="The folder that gets DIR/<config>/.", metavar="DIR")
]
RawDir = Annotated[
    Path | None,
    typer.Option("--raw", metavar="DIR", help="Raw files on disk; the network is left alone."),
]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="No row kept is no error.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N rows a split.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; default: cores.")]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Work on a Ray cluster, e.g. auto or host:6379."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="K=V", help="Override a parameter, e.g. sample_rate=22050."),
]
Name = Annotated[str | None, typer.Option("--name", help="Name of the variant made by --set.")]
Encoder = Annotated[
    str,
    typer.Option(
        "--encoder", help="clip-vit-b32, minilm, org/model, a folder, .onnx, or module:function."
    ),
]
Place = Annotated[
    str,
    typer.Argument(
        metavar="DIR", help="A folder that `build` made, org/name@1.0.0 on the Hub, or a URL."
    ),
]
Built = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `build` made.")]

Embeddings = Annotated[
    Path | None,
    typer.Option("--embeddings", metavar="DIR", help="The --out of `embed`, if it had one."),
]


def variants(names: list[str], settings: list[str] | None, name: str | None) -> list["Variant"]:
    """The configs of these names, or the one variant that `settings` make of one."""
    from edge_glass.corpora import catalog

    if name and len(names) != 1:
        raise ConfigError("--name names one variant: give one config with it")
    overrides = catalog.parse_overrides(settings or [])
    return [catalog.variant(config, overrides, name) for config in names]


def terminal_progress() -> "Progress":
    """Progress on the standard error."""
    from edge_glass.cli import terminal
    from edge_glass.core.progress import Shown

    return Shown(Console(stderr=True, quiet=terminal.console.quiet))
