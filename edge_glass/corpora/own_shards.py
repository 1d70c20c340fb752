"""Folders of shards that nobody has described: samples, or tars of folders as other layouts are."""

import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath

from edge_glass.core.row import JsonObject
from edge_glass.corpora.layouts import recipes, shards
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files, is_hidden
from edge_glass.corpora.layouts.registry import LAYOUTS
from edge_glass.corpora.own_columns import stop
from edge_glass.sources.packed_folder import is_cache

IN_TAR = re.compile(r"(?P<tar>.+?\.(tar|tgz)(\.gz)?)(/(?P<within>.*))?")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
NO_DATA = (".git", ".cache", ".ipynb_checkpoints")


def packing(place: Path) -> tuple[JsonObject, dict[str, str]]:
    """How a folder is packed; and what of it is not read, links to folders too."""
    every, left_out = list[str](), dict[str, str]()
    for folder, folders, names in os.walk(place):
        left_out |= _hidden(folders, names)
        folders[:] = [name for name in folders if not is_hidden(name)]
        every += (name for name in names if not is_hidden(name))
        for link in (path for name in folders if (path := Path(folder, name)).is_symlink()):
            why = "a link to a folder: its files are read where a table names them, no others"
            left_out[link.relative_to(place).as_posix()] = why
        caches = any(is_cache(Path(folder, name)) for name in names)
        left_out |= {"cache-*.arrow": "what `datasets` left there, no data"} if caches else {}
    packed, beside = shards.packing(every)
    return packed, left_out | beside


def _hidden(folders: list[str], names: list[str]) -> dict[str, str]:
    """Hidden media, tables and folders of those in one folder, as patterns, and why."""
    seen = [f"*{name}/" for name in folders if name.startswith(".") and name not in NO_DATA]
    for name in sorted(names):
        if name.startswith(".") and not name.startswith("._"):  # which macOS writes
            ending = PurePosixPath(name).suffix
            seen += [f".*{ending}"] if kind_of(name) or ending in TABLES else []
    return dict.fromkeys(
        seen, "hidden by the dot in its name, and read only where a table names it"
    )


def is_dict(place: Path) -> bool:
    """Whether this is a saved DatasetDict, each of whose folders is a split."""
    return (place / "dataset_dict.json").is_file()


def hold_trees(name: str, files: Files, asked: str | None) -> bool:
    """Whether tars hold folders as other layouts have them, and no samples; `asked`: the layout.

    Raises ConfigError if it is to be said.
    """
    if asked:
        return asked not in ("webdataset", "mds")
    inside, tables = _in_tars(files)
    if not (inside or tables):
        return recipes.is_lhotse(files)  # whose Shar has texts beside its tars
    if tables or any(one.fits and one.fits(files) for one in LAYOUTS.values()):
        return True
    tar, count = inside.most_common(1)[0]
    if count > 1:
        raise stop(
            name, f"the {count} folders in {tar} may be classes",
            "--layout media  (folders are read)", "--layout webdataset  (folders are ignored)",
        )  # fmt: skip
    return False


def _in_tars(files: Files) -> tuple[Counter[str], bool]:
    """How many folders each tar has inside, and whether there is a table that is of no sample."""
    inside, alone = Counter[str](), False
    for folder, names in files.folders():
        place = IN_TAR.fullmatch(folder)
        if place and place["within"]:
            inside[place["tar"]] += 1
        for table in (each for each in names if each.endswith(TABLES)):
            stem = table.rpartition(".")[0]
            alone |= not any(n.startswith(f"{stem}.") and n != table for n in names)
    return inside, alone
