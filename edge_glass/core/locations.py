"""Where builds lie that are only read: a folder, a URL that fsspec knows, a version on the Hub."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from edge_glass.core.errors import ConfigError, EdgeGlassError, NetworkError

REPO = re.compile(r"(hf://datasets/)?(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<version>[\w.-]+))?")


class Published(NamedTuple):
    """A dataset on the Hub, and one of its versions or branches."""

    repo: str
    version: str | None

    @property
    def revision(self) -> str:
        """The tag of the version, or what it is if it is no number: a branch, a commit."""
        version = self.version or "main"
        return f"v{version}" if re.match(r"\d+\.\d", version) else version


def published(where: str | Path) -> Published | None:
    """What `org/name`, `org/name@1.0.0` or `hf://datasets/org/name` is; a folder comes first."""
    named = REPO.fullmatch(str(where))
    if named is None or Path(where).exists():
        return None
    return Published(named["repo"], named["version"])


def part_of(place: str) -> tuple[Path, str]:
    """A file or folder, and what of it: `clone:config` is a part of the folder `clone`."""
    folder, _, part = place.rpartition(":")
    if folder and Path(folder).is_dir() and not Path(place).exists():
        return Path(folder), part
    return Path(place), ""


def here(where: str) -> Path:
    """A folder of this machine. Raises ConfigError for any other place."""
    if hub := published(where):
        revision = f" --revision {hub.revision}" if hub.version else ""
        raise ConfigError(
            f"{where}: no such folder here. A dataset on the Hub must be a folder first: "
            f"`hf download {hub.repo} --repo-type dataset{revision} --local-dir DIR`"
        )
    if "://" in where:
        raise ConfigError(f"{where}: this reads a folder on this machine: copy the data here first")
    return Path(where)


def at(where: str | Path) -> Path:
    """A path to read from: a folder, `hf://datasets/org/name@v1.0.0`, `org/name@1.0.0`, s3://….

    What lies behind a URL is read as it is needed, nothing of it is kept on disk. Raises
    EdgeGlassError if there is no such place.
    """
    text = str(where)
    if hub := published(text):
        text = f"hf://datasets/{hub.repo}{f'@{hub.revision}' if hub.version else ''}"
    if "://" not in text:
        return Path(text)
    with errors_explained(where):
        from huggingface_hub import constants
        from upath import UPath

        options = {"endpoint": constants.ENDPOINT} if text.startswith("hf://") else {}
        return cast(Path, UPath(text.rstrip("/"), **options))


def is_local(path: str | Path) -> bool:
    """Whether a path is one of this machine."""
    return isinstance(path, str | Path)


@contextmanager
def errors_explained(where: str | Path) -> Iterator[None]:
    """Errors of the network and of storage as what they mean to who asked.

    Raises NetworkError, or as they are.
    """
    try:
        yield
    except EdgeGlassError:
        raise
    except Exception as error:  # each storage's plug-in for fsspec raises classes of its own
        named = published(str(where))  # perhaps of the Hub
        if not named and "://" not in str(where):
            raise
        place = str(where).removeprefix("hf://datasets/")
        what = "no such folder here; on the Hub: " if named else ""
        what += " ".join(str(error).split())[:300]
        raise NetworkError(
            f"{place}: {what}. Is the address right, the network there, and `hf auth login` done?"
        ) from error
