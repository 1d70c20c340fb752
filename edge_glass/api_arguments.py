"""Arguments of the functions that `import edge_glass` gives, read alike by all of them."""

from os import PathLike
from pathlib import Path

from edge_glass.core.errors import ConfigError
from edge_glass.core.progress import Progress, Shown

StrPath = str | PathLike[str]


def lists_are(**named: object) -> None:
    """Raises ConfigError for a text or path in place of a list, whose letters would be taken."""
    for name, value in named.items():
        if isinstance(value, str | Path):
            raise ConfigError(f"{name}: expected a list, found {str(value)!r}")


def path_of(place: StrPath | None) -> Path | None:
    """A path, if one is given."""
    return None if place is None else folder_of(place)


def folder_of(place: StrPath) -> Path:
    """A path. Raises ConfigError for an empty text, which would be the folder of the program."""
    if not str(place):
        raise ConfigError("a folder's name is empty: give '.' for the current one")
    return Path(place)


def progress_bars(progress: bool) -> Progress | None:
    """Progress on the standard error, if it is wanted."""
    from rich.console import Console

    return Shown(Console(stderr=True)) if progress else None
