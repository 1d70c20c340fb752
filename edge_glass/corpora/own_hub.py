"""A dataset on the Hub that nobody has described: which of its files are data, and their splits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from edge_glass.core.errors import HubError, of_the_hub
from edge_glass.core.names import glob
from edge_glass.core.spec import MAIN, Hub, Source, Splits
from edge_glass.corpora.layouts import shards, tables
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.own_columns import stop
from edge_glass.sources.parquet_folder import SUFFIX

PLACE = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?(:(?P<part>[^:@]+))?")
PROSE = ("README", "LICEN", "CHANGELOG", "CITATION", "DATASET_INFO")
CODE = (".py", ".md", ".ipynb", ".pdf")
WORDS = {word for words in tables.WORDS.values() for word in words}


class _Files(BaseModel):
    split: str
    path: str | list[str]


class _Config(BaseModel):
    """A config that the README of a dataset lists, as `datasets` reads it."""

    config_name: str = "default"
    data_files: str | list[str | _Files] = []
    data_dir: Annotated[str, Field(pattern=r"^[^/].*|^$")] = ""

    def patterns(self) -> dict[str, list[str]]:
        """The files of each split."""
        splits: dict[str, list[str]] = {}
        for each in [self.data_files] if isinstance(self.data_files, str) else self.data_files:
            split, paths = ("train", each) if isinstance(each, str) else (each.split, each.path)
            listed = [paths] if isinstance(paths, str) else paths
            splits.setdefault(split, []).extend(
                str(PurePosixPath(self.data_dir, p)) for p in listed
            )
        return splits


@dataclass(frozen=True)
class Dataset:
    """What is read of a repository."""

    title: str
    source: Source
    splits: Splits | None = None  # as its README says
    left_out: dict[str, str] = field(default_factory=dict)


def is_repository(place: str) -> bool:
    """Whether a place may be a dataset of the Hub: `org/name`, `org/name@revision:folder`."""
    return PLACE.fullmatch(place) is not None and not place.startswith((".", "/"))


def dataset(place: str) -> Dataset:
    """The data in a repository, pinned to a commit. Raises EdgeGlassError."""
    parts = PLACE.fullmatch(place)
    assert parts is not None
    from huggingface_hub import HfApi

    repo, revision = parts["repo"], parts["revision"] or MAIN
    try:
        info = HfApi().dataset_info(repo, revision=revision)
    except of_the_hub() as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise HubError(
            f"{place}: no such file or folder is here, and no such dataset on the Hub: {detail}"
        ) from None
    every = [name for each in info.siblings or () if _is_data(name := each.rfilename)]
    part = (parts["part"] or "").strip("/")
    said = info.card_data.get("configs") if info.card_data else None
    configs = _configs(place, said or [])
    hub = Hub(repo=repo, revision=str(info.sha))
    if configs and (part in configs or not part):
        if not part and len(configs) > 1:
            ways = (f"edge-glass build {repo}:{name}" for name in configs)
            raise stop(place, "its README has several configs", *ways)
        name = part or next(iter(configs))
        title = repo if len(configs) == 1 else f"{repo} {name}"
        return _of_config(title, hub, every, configs[name])
    below = (
        [n for n in every if f"{n.rpartition('/')[0]}/".startswith(f"{part}/")] if part else every
    )
    return _of_folder(place, hub, below, part)


def _configs(place: str, said: Any) -> dict[str, _Config]:
    """The configs of a README that say which files they have."""
    try:
        configs = TypeAdapter(list[_Config]).validate_python(said)
    except ValidationError as error:
        why = error.errors()[0]
        raise HubError(
            f"{place}: its README's configs cannot be read ({why['loc']}: {why['msg']}): name a "
            "folder of it, org/name:FOLDER"
        ) from None
    return {each.config_name: each for each in configs if each.data_files or each.data_dir}


def _of_config(title: str, hub: Hub, every: list[str], config: _Config) -> Dataset:
    patterns = config.patterns()
    if not patterns:
        folder = config.data_dir.strip("/")
        return _of_folder(title, hub, [n for n in every if n.startswith(f"{folder}/")], folder)
    for each in (each for listed in patterns.values() for each in listed):
        if not any(map(glob(each).fullmatch, every)):
            raise HubError(f"{title}: its README names {each}, and there is no such file")
    wanted = [each for listed in patterns.values() for each in listed]
    chosen = [name for name in every if any(glob(each).fullmatch(name) for each in wanted)]
    packed, left_out = shards.packing(chosen)
    if not packed and all(tables.ending(name) != tables.PARQUET for name in chosen):
        wanted += sorted({*_patterns(_beside(every, chosen))} - {*wanted})
    try:
        splits = Splits(by="file", names=patterns)
    except ValidationError:
        raise HubError(
            f"{title}: its README has splits that `datasets` does not accept: {', '.join(patterns)}"
        ) from None
    return Dataset(title, Source(hub=hub, files=wanted, packed=packed), splits, left_out)


def _beside(every: list[str], chosen: list[str]) -> list[str]:
    """The media in or below the folders of tables, which may name them."""
    folders = tuple({name.rpartition("/")[0] for name in chosen if tables.ending(name)})
    if any(map(kind_of, chosen)) or not folders:
        return []
    return [name for name in every if kind_of(name) and _is_below(name, folders)]


def _is_below(name: str, folders: tuple[str, ...]) -> bool:
    return any(not folder or name.startswith(f"{folder}/") for folder in folders)


def _of_folder(place: str, hub: Hub, every: list[str], folder: str) -> Dataset:
    """All that is read of a folder: Parquet files, if there are any; else tars; else all files."""
    if not every:
        raise HubError(f"{place}: it has no data: no Parquet files, tables, media or tars")
    parquet = [n for n in every if n.endswith(SUFFIX) and PurePosixPath(n).stem != "metadata"]
    chosen, packed, left_out = parquet, False, dict[str, str]()
    if parquet:
        left_out = dict.fromkeys(_patterns([*({*every} - {*parquet})]), "beside the Parquet files")
        parents = [PurePosixPath(name).parent for name in parquet]
        folders = sorted(
            {"/".join(p for p in at.parts if p.lower() not in WORDS) for at in parents}
        )
        if len(folders) > 1:
            ways = (f"edge-glass build {hub.repo}:{each}" for each in filter(None, folders))
            raise stop(place, "there are Parquet files in several folders", *ways)
        folder = folder or (folders[0] if {str(at) for at in parents} == {*folders} else "")
    else:
        packed, left_out = shards.packing(every)
        chosen = [n for n in every if not packed or shards.is_shard(n)]
    source = Source(hub=hub, folder=folder or None, files=[*_patterns(chosen)], packed=packed)
    return Dataset(hub.repo, source, left_out=left_out)


def _patterns(names: list[str]) -> Iterator[str]:
    """Patterns of the files of these suffixes; of what has none by name."""
    yield from sorted({f"**/*{PurePosixPath(n).suffix}" if PurePosixPath(n).suffix else
                       f"**/{PurePosixPath(n).name}" for n in names})  # fmt: skip


def _is_data(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    return not (hidden or path.name.upper().startswith(PROSE) or name.lower().endswith(CODE))
