"""Libraries that the package does not bring by itself, and the command that installs them."""

import json
from functools import cache
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge_glass.core.errors import ConfigError


class LibraryError(ConfigError):
    """A library that an extra brings is not installed."""


def needs(what: str, extra: str, *libraries: str, instead: str = "") -> None:
    """Raise LibraryError if one of the libraries that `what` needs is not installed."""
    if lacking := missing(*libraries):
        raise LibraryError(
            f"{what} needs {', '.join(lacking)}, not installed here: {command(extra)}{instead}"
        )


def missing(*libraries: str) -> list[str]:
    """Those of some libraries that are not installed."""
    return [library for library in libraries if not find_spec(library)]


def installed(library: str) -> str | None:
    """The version of a library, None if it is not installed."""
    return next((each.version for each in distributions(name=library)), None)


def command(extra: str) -> str:
    """The command that installs an extra where this package is installed: a clone, or PyPI's."""
    clone = _clone()
    if clone is None:
        return f"pip install 'edge-glass[{extra}]'"
    return f"pip install -e '{'.' if clone == Path.cwd() else clone}[{extra}]'"


@cache
def _clone() -> Path | None:
    """The clone that `pip install -e` was called in, if it was."""
    for each in distributions(name="edge-glass"):  # in a clone its .egg-info comes first
        direct = json.loads(each.read_text("direct_url.json") or "{}")
        if direct.get("dir_info", {}).get("editable"):
            return Path(unquote(urlsplit(direct["url"]).path))
    return None
