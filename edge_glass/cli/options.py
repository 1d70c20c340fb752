"""What several commands of the command line take, and how they read it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console

from edge_glass.core import locations
from edge_glass.core.errors import ConfigError

if TYPE_CHECKING:
    from edge_glass.core.progress import Progress
    from edge_glass.core.spec import Own
    from edge_glass.corpora.catalog import Variant
    from edge_glass.corpora.understand import Choices

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Configs, see `list`.")]
Out = Annotated[Path, "DIR", "Folder for DIR/<config>/."]
RawDir = Annotated[Path | None, "DIR", "Raw files on disk; nothing is downloaded."]
AllowEmpty = Annotated[bool, "Accept a build of no row."]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only N rows of each split.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; default: cores.")]
Ray = Annotated[str | None, "ADDRESS", "Work on a Ray cluster, e.g. auto or host:6379."]
Set = Annotated[list[str] | None, "K=V", "Override a parameter, e.g. sample_rate=22050."]
Licences = Annotated[
    str | None,
    "USES",
    "Only rows whose licence allows: commercial, share-alike, permissive; or USE,USE.",
]
Name = Annotated[str | None, "Name of the variant made by --set."]
Encoder = Annotated[str, "clip-vit-b32, minilm, org/model, a folder, .onnx, or module:function."]
Place = Annotated[
    str,
    typer.Argument(
        metavar="DIR", help="A folder that `build` made, org/name@1.0.0 on the Hub, or a URL."
    ),
]
Memory = Annotated[float, typer.Option("--memory", min=0.4, help="GB for all jobs.")]
Intranet = Annotated[bool, "URLs: allow private addresses, too."]
Built = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder that `build` made.", parser=locations.here)
]
Embeddings = Annotated[Path | None, "DIR", "The --out that `embed` was given."]
OWN = "Your own data: "


@dataclass(frozen=True)
class OwnData:
    """What the user says of data of their own: an option each (see `session.command`)."""

    url: Annotated[str | None, "KEY", f"{OWN}the key of what is fetched."] = None
    caption: Annotated[str | None, "KEY", f"{OWN}the key of the caption, or KEY,KEY."] = None
    column: Annotated[list[str] | None, "KEY=ROLE", f"{OWN}what a key is; none leaves it out."] = (
        None
    )
    layout: Annotated[str | None, "NAME", f"{OWN}how they are laid out."] = None
    split: Annotated[
        str | None,
        "RULE",
        f"{OWN}all, folder, key=NAME, list=FILE,FILE, or 'train:0.9,test:0.1 by KEY'.",
    ] = None
    licence: Annotated[str | None, "TAG", f"{OWN}for the card, e.g. cc-by-4.0."] = None

    def choices(self) -> "Choices | None":
        """The same for what reads them, None if nothing is said.

        Raises ConfigError if a role is none.
        """
        if not any(vars(self).values()):
            return None
        from edge_glass.core.spec import Role
        from edge_glass.corpora.understand import Choices

        known = (*get_args(Role), "url", "none")
        roles = {key: "caption" for key in (self.caption or "").split(",") if key}
        roles |= {self.url: "url"} if self.url else {}
        for setting in self.column or []:
            key, equals, role = setting.rpartition("=")
            if not equals or role not in known:
                raise ConfigError(f"--column {setting}: write KEY=ROLE; roles: {', '.join(known)}")
            roles[key] = role
        return Choices(self.layout, roles, self.split, self.licence)


def variants(
    names: list[str],
    settings: list[str] | None,
    name: str | None,
    said: "Choices | None" = None,
    licences: str | None = None,
) -> list["Variant"]:
    """The configs of these names, or the one variant that `settings` make of one.

    Raises ConfigError if options contradict each other.
    """
    from edge_glass.corpora import catalog

    if name and len(names) != 1:
        raise ConfigError("--name names one variant: give one config with it")
    overrides = catalog.parse_overrides(settings or [])
    if licences and "licences" in overrides:
        raise ConfigError("--licences and --set licences=… mean the same: give one of them")
    if licences:
        overrides["licences"] = [use.strip() for use in licences.split(",")]
    return [catalog.variant(config, overrides, name, _own(config, said)) for config in names]


def _own(place: str, said: "Choices | None") -> "Own | None":
    """Data of one's own that no YAML describes: what was understood of them is shown."""
    from edge_glass.cli import session, terminal
    from edge_glass.corpora import catalog

    if catalog.is_data(place):
        session.ignored(f"{place} is where the data are", "--raw", "--unverified", "--fetch-clips")
        from edge_glass.corpora.understand import understand

        terminal.understood(seen := understand(place, said))
        return seen.own
    if said:
        raise ConfigError(f"{place}: its YAML says already how it is read: edit the YAML")
    return None


def one_build(directory: Path) -> Path:
    """The folder of the only config that is built there.

    Raises ConfigError where there are several.
    """
    from edge_glass.core import manifest

    built = manifest.built(directory)
    if len(built) != 1:
        raise ConfigError(
            f"{directory} holds several configs, give the folder of one of {', '.join(built)}"
        )
    [folder] = built.values()
    return folder


def terminal_progress() -> "Progress":
    """Progress on the standard error."""
    from edge_glass.cli import terminal
    from edge_glass.core.progress import Shown

    return Shown(Console(stderr=True, quiet=terminal.console.quiet))
