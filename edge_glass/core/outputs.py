"""Nothing of the user's is deleted: what lies where an output goes is replaced only if it is ours.

A folder is ours if it holds nothing beyond the inventory of what we put there; an entry of a folder
that others may use as well is ours if we said so before we made it, or if it bears our mark.
"""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from edge_glass.core.atomic_files import sync_folder
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.locations import is_local

CLAIMS = ".edge_glass.txt"  # in a folder that others may use as well: the names of what is ours
SHOWN = 5


def check_apart(source: Path, target: Path) -> None:
    """Raise EdgeGlassError if what is read and what is written are not two folders apart."""
    if not is_local(source):
        return
    one, other = source.resolve(), target.resolve()
    if one == other:
        raise ConfigError(f"{target}: it is the input as well: give another folder for the output")
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ConfigError(
            f"of input {source} and output {target} one lies in the other: keep them apart"
        )


def check_replaceable(folder: Path, inventory: Collection[str] | None) -> None:
    """Raise EdgeGlassError if more lies in `folder` than these files; None: nothing there is ours.

    One that is not there, or empty, is in nobody's way.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DataError(f"{folder}: is in the way of an output: it is not a folder: move it away")
    ours = inventory or ()
    more = sorted(
        path.name
        for path in (folder.iterdir() if folder.exists() else ())
        if path.name not in ours or path.is_symlink() or not path.is_file()
    )
    if more:
        rest = f" and {len(more) - SHOWN} more" if len(more) > SHOWN else ""
        raise DataError(
            f"{folder}: is in the way of an output: Edge Glass would replace it, but did not write "
            f"{', '.join(more[:SHOWN])}{rest}. Move it away, or give the output another place."
        )


def replace(
    new: Path, folder: Path, inventory: Collection[str] | None, aside: Path | None = None
) -> None:
    """Move the folder `new` to `folder`, and remove what was there; checked as above.

    `aside` is where the old one goes meanwhile, on the same disk.
    """
    check_replaceable(folder, inventory)
    aside = aside or folder.with_name(f".{folder.name}.previous")
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    new.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def claim(out: Path, names: Iterable[str], marks: dict[str, bytes] | None = None) -> None:
    """Say that entries of `out` are ours from now on, before they are made.

    `marks` are bytes that stand in a file of ours by its name. Raises EdgeGlassError if one is
    there that we did not make.
    """
    ours, marks = claimed(out), marks or {}
    new = [name for name in names if name not in ours]
    in_the_way = [n for n in new if _is_there(out / n) and not _is_marked(out / n, marks.get(n))]
    if in_the_way:
        raise DataError(
            f"{out}: Edge Glass would write {', '.join(in_the_way[:SHOWN])}, but something of "
            "yours is there: move it away, or give the output another place"
        )
    if new:  # at the end, in one piece: others may claim something there at the same time
        out.mkdir(parents=True, exist_ok=True)
        with (out / CLAIMS).open("ab", buffering=0) as file:
            file.write("".join(f"{name}\n" for name in new).encode())


def claimed(out: Path) -> set[str]:
    """The names of the entries of `out` that are ours."""
    try:
        return set((out / CLAIMS).read_text(encoding="utf-8", errors="replace").splitlines())
    except FileNotFoundError:
        return set()


def _is_there(path: Path) -> bool:
    return path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir())))


def check_marked(path: Path, mark: bytes) -> None:
    """Raise EdgeGlassError if something lies where a file of ours goes that does not bear our mark.

    The mark is bytes that stand in every such file.
    """
    blocked = path.parent.exists() and not path.parent.is_dir()
    if blocked or (_is_there(path) and not _is_marked(path, mark)):
        raise DataError(
            f"{path}: Edge Glass would write it, but something of yours is there: move it away, or "
            "give the output another place"
        )


def _is_marked(path: Path, mark: bytes | None) -> bool:
    return mark is not None and path.is_file() and mark in path.read_bytes()
