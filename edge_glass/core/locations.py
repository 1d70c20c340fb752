"""Where builds lie that are only read: a folder, a URL that fsspec knows, a version on the Hub."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from huggingface_hub import constants

from edge_glass.core.errors import EdgeGlassError, NetworkError

REPO = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<version>[\w.-]+))?")


def at(where: str | Path) -> Path:
    """A path to read from: a folder, `hf://datasets/org/name@v1.0.0`, `org/name@1.0.0`, s3://….

    What lies behind a URL is read as it is needed, nothing of it is kept on disk. Raises
    EdgeGlassError if there is no such place.
    """
    text = str(where)
    if "://" not in text:
        named = REPO.fullmatch(text)
        if Path(text).exists() or not named:
            return Path(text)
        text = f"hf://datasets/{named['repo']}{_revision(named['version'])}"
    with errors_explained(where):
        from upath import UPath

        options = {"endpoint": constants.ENDPOINT} if text.startswith("hf://") else {}
        return cast(Path, UPath(text.rstrip("/"), **options))


def _revision(version: str | None) -> str:
    if version is None:
        return ""
    return f"@v{version}" if re.match(r"\d+\.\d", version) else f"@{version}"


def is_local(path: str | Path) -> bool:
    """Whether a path is one of this machine."""
    return isinstance(path, str | Path)


@contextmanager
def errors_explained(where: str | Path) -> Iterator[None]:
    """Errors of the network and of storage as what they mean to who asked."""
    try:
        yield
    except EdgeGlassError:
        raise
    except Exception as error:  # each storage's plug-in for fsspec raises classes of its own
        named = REPO.fullmatch(str(where)) and not Path(where).exists()  # perhaps of the Hub
        if "://" not in str(where) and not named:
            raise
        what = "no such folder here; on the Hub: " if named else ""
        what += " ".join(str(error).split())[:300]
        raise NetworkError(
            f"{where}: {what}. Is the address right, the network there, and `hf auth login` done?"
        ) from error
