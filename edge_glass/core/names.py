"""Names out of files and rows are data: here alone they become names of files.

`check` is for names that are told as they are (configs, splits): they fit, or they are refused.
`file_name` is for values of rows: any text has one, and no two texts have the same.
"""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from edge_glass.core.errors import ConfigError, DataError

NAME = re.compile(r"\w[\w.-]*")
SUFFIX = re.compile(r"\.\w{1,16}", re.ASCII)
MAX_BYTES = 200  # of a name; file systems take 255, and `.tmp` and the like come behind it
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))]
)
HIDDEN = ".edge_glass"  # in an output folder: work under way, locks, the run log
REPORT = "report.html"  # beside the builds of a folder
PLOTS = "plots"  # the folder with a picture of each config
PICTURE_MARK = b"Software\0Edge Glass"  # in each of them, as `core.plots` writes it


class BadName(ConfigError, ValueError):
    """A name that cannot be that of a file; a ValueError, too, for what reads through a schema."""


def check(name: str) -> str:
    """`name`, which is given back if it is fit to be the name of a file or folder as it is.

    Raises BadName if it is not.
    """
    if not NAME.fullmatch(name) or _is_device(name) or len(name.encode()) > MAX_BYTES:
        raise BadName(f"{name[:MAX_BYTES]!r} is no name: use letters, digits, _ - and .")
    return name


def file_name(value: str, suffix: str = "") -> str:
    """The file name that stands for a text out of a row; `suffix` is kept at its end.

    Letters, digits, `_`, `-`, `~` and dots inside stand as they are, all else as in a URL. Of what
    is too long the beginning is kept, and a digest.
    """
    name = quote(value, safe="", errors="surrogatepass")
    if name.startswith(".") or not name or _is_device(name + suffix):
        name = f"%{ord(value[0]):02X}{name[1:]}" if name else "%"
    if name.endswith(".") and not suffix:
        name = f"{name[:-1]}%2E"
    return _cut(name, value, suffix) if len(name + suffix) > MAX_BYTES else name + suffix


def media_suffix(path: str | None, default: str = ".bin") -> str:
    """The suffix of a file as a row names it, `default` if it has none that is fit to be one."""
    suffix = PurePosixPath(path or "").suffix
    return suffix if SUFFIX.fullmatch(suffix) else default


class Distinct:
    """File names for rows, and in any one folder they differ by more than their case."""

    def __init__(self) -> None:
        self._taken = set[bytes]()

    def name(self, value: str, suffix: str = "", folder: str = "") -> str:
        """`file_name(value, suffix)`, with a digest if another row in `folder` has one like it.

        Raises EdgeGlassError for a value that had a name before.
        """
        plain = file_name(value, suffix)
        for name in (plain, _cut(plain.removesuffix(suffix), value, suffix)):
            key = sha256(f"{folder}/{name}".lower().encode()).digest()[:8]
            if key not in self._taken:
                self._taken.add(key)
                return name
        raise DataError(f"{plain}: two rows are called {value!r}, and one file cannot hold both")


@cache
def glob(pattern: str) -> re.Pattern[str]:
    """The paths that a pattern means: `*` is any part of a name, `**` folders as well.

    Raises BadName if it is no pattern.
    """
    means = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern)
    wild = ((means.get(each) or each.replace("[!", "[^")) for each in parts[1::2])
    try:
        pairs = zip_longest(map(re.escape, parts[::2]), wild, fillvalue="")
        return re.compile("".join(map("".join, pairs)))
    except re.error as error:
        raise BadName(f"{pattern!r} is no pattern of files: {error}") from None


def selected(every: Iterable[str], patterns: Iterable[str], folder: str | None) -> dict[str, str]:
    """Of all files those in a folder that patterns mean, with their names below it."""
    start, wanted = f"{folder}/" if folder else "", [*map(glob, patterns)]
    inside = {name: name.removeprefix(start) for name in every if name.startswith(start)}
    return {n: below for n, below in inside.items() if any(w.fullmatch(below) for w in wanted)}


def below(folder: Path, *names: str) -> Path:
    """`folder/name/…`, where something is about to be written.

    Raises EdgeGlassError if that does not lie in `folder`, by its name or by a link on the way.
    """
    path = folder.joinpath(*names)
    try:
        inside = path.resolve().is_relative_to(folder.resolve()) and path != folder
    except (ValueError, OSError):  # NUL in it, or a link that goes round
        inside = False
    if not inside:
        raise DataError(f"{str(path)!r} does not lie in {folder}: nothing is written there")
    return path


def _is_device(name: str) -> bool:
    """Whether Windows takes a name for a device."""
    return name.partition(".")[0].lower() in DEVICES


def _cut(name: str, value: str, suffix: str) -> str:
    """`%~` stands in no name that was not cut."""
    digest = sha256(value.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{name[: MAX_BYTES - len(suffix) - len(digest) - 2]}%~{digest}{suffix}"


def picture(config: str) -> str:
    """The name of a config's plots as PNG."""
    return f"{PLOTS}/{config}.png"
