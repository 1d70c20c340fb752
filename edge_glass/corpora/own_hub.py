"""A dataset of the Hub, there or cloned: which of its files are data, and their splits."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from edge_glass.core.errors import ConfigError, HubError, absent, hub_reason, of_the_hub
from edge_glass.core.names import glob, selected
from edge_glass.core.row import JsonObject
from edge_glass.core.spec import MAIN, Hub, Source, Splits
from edge_glass.corpora.layouts import shards, tables
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import is_hidden
from edge_glass.corpora.own_columns import stop
from edge_glass.sources.folder import Folder
from edge_glass.sources.opened_folder import archive_stem, is_archive
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


@dataclass(frozen=True)
class _Repository:
    """What is known of a repository: how commands and sources name it, and its files of data."""

    place: str
    title: str
    where: JsonObject
    every: list[str]


def is_repository(place: str) -> bool:
    """Whether a place may be a dataset of the Hub: `org/name`, `org/name@revision:folder`."""
    return PLACE.fullmatch(place) is not None and not place.startswith((".", "/"))


def dataset(place: str) -> Dataset:
    """The data in a repository, pinned to a commit. Raises EdgeGlassError."""
    parts = PLACE.fullmatch(place)
    assert parts is not None
    from huggingface_hub import HfApi

    from edge_glass.sources.hub_files import page

    repo, revision = parts["repo"], parts["revision"] or MAIN
    try:
        info = HfApi().dataset_info(repo, revision=revision)
    except of_the_hub() as error:
        raise HubError(
            f"{place}: there is no file or folder of this name here (is the path right?); taken "
            f"for a dataset on the Hub, {hub_reason(error, page(repo))}"
        ) from None
    where = {"hub": Hub(repo=repo, revision=str(info.sha))}
    every = [name for each in info.siblings or () if _is_data(name := each.rfilename)]
    known, part = _Repository(repo, repo, where, every), (parts["part"] or "").strip("/")
    configs = _configs(place, info.card_data.get("configs") if info.card_data else None)
    alone = part and part not in configs
    return _of_folder(known, part) if alone else _chosen(known, configs, part)


def clone(folder: Path, config: str) -> Dataset | None:
    """The data in a clone of a repository, as its README says; None where that says nothing.

    Raises EdgeGlassError if what it says cannot be so, or has no such `config`.
    """
    readme = folder / "README.md"
    configs = _configs(str(folder), _metadata(readme).get("configs") if readme.is_file() else [])
    if config and config not in configs:
        raise ConfigError(f"{readme}: {absent('config', config, configs or ['none'])}")
    every, name = [*filter(_is_data, Folder(folder).names())], folder.absolute().name
    known = _Repository(str(folder), name, {"path": name}, every)
    return _chosen(known, configs, config) if configs else None


def _metadata(readme: Path) -> JsonObject:
    """What a README says before its text; nothing where that is no YAML."""
    from huggingface_hub import metadata_load

    with suppress(yaml.YAMLError, ValueError, RecursionError):
        return metadata_load(readme) or {}
    return {}


def _configs(place: str, said: Any) -> dict[str, _Config]:
    """The configs of a README that say which files they have."""
    try:
        configs = TypeAdapter(list[_Config]).validate_python(said or [])
    except ValidationError as error:
        why = error.errors()[0]
        raise HubError(
            f"{place}: its README's configs cannot be read ({why['loc']}: {why['msg']}): mend "
            "them, or name a folder of it"
        ) from None
    return {each.config_name: each for each in configs if each.data_files or each.data_dir}


def _chosen(known: _Repository, configs: dict[str, _Config], name: str) -> Dataset:
    """What a config of the README says, or all there is, where it has none."""
    if not configs:
        return _of_folder(known, "")
    if not name and len(configs) > 1:
        ways = (f"edge-glass build {known.place}:{each}" for each in configs)
        raise stop(known.place, "its README has several configs", *ways)
    name = name or next(iter(configs))
    if len(configs) > 1:
        known = replace(known, title=f"{known.title} {name}")
    if patterns := configs[name].patterns():
        return _of_patterns(known, patterns)
    return _of_folder(known, configs[name].data_dir.strip("/"))


def _of_patterns(known: _Repository, patterns: dict[str, list[str]]) -> Dataset:
    title, every = known.title, known.every
    wanted = [each for listed in patterns.values() for each in listed]
    for each in wanted:
        if not any(map(glob(each).fullmatch, every)):
            raise HubError(f"{title}: its README names {each}, and there is no such file")
    chosen = [*selected(every, wanted, None)]
    packed, left_out = shards.packing(chosen)
    if "packed" not in packed and all(tables.ending(name) != tables.PARQUET for name in chosen):
        wanted += sorted({*_patterns(_beside(every, chosen))} - {*wanted})
    try:
        splits = Splits(by="file", names=_opened(patterns) if "archives" in packed else patterns)
    except ValidationError:
        raise HubError(
            f"{title}: its README has splits that `datasets` does not accept: {', '.join(patterns)}"
        ) from None
    return Dataset(title, Source(**known.where, files=wanted, **packed), splits, left_out)


def _opened(patterns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Patterns of the files that are read: instead of archives, of what is in them."""
    return {
        split: [f"{archive_stem(each)}/**" if is_archive(each) else each for each in listed]
        for split, listed in patterns.items()
    }


def _beside(every: list[str], chosen: list[str]) -> list[str]:
    """The media in or below the folders of tables, which may name them."""
    folders = {name.rpartition("/")[0] for name in chosen if tables.ending(name)}
    if any(map(kind_of, chosen)):
        return []
    below = tuple(f"{folder}/" if folder else "" for folder in folders)
    return [name for name in every if kind_of(name) and name.startswith(below)]


def _of_folder(known: _Repository, folder: str) -> Dataset:
    """All that is read of a folder: Parquet files, if there are any; else tars; else all files."""
    every = [name for name in known.every if not folder or name.startswith(f"{folder}/")]
    if not every:
        place = f"{known.place}:{folder}" if folder else known.place
        raise HubError(f"{place}: it has no data: no Parquet files, tables, media or tars")
    parquet = [n for n in every if n.endswith(SUFFIX) and PurePosixPath(n).stem != "metadata"]
    chosen, packed, left_out = parquet, JsonObject(), dict[str, str]()
    if parquet:
        left_out = dict.fromkeys(_patterns([*({*every} - {*parquet})]), "beside the Parquet files")
        parents = [PurePosixPath(name).parent for name in parquet]
        folders = sorted(
            {"/".join(p for p in at.parts if p.lower() not in WORDS) for at in parents}
        )
        if len(folders) > 1:
            place = f"edge-glass build {known.place}{':' if 'hub' in known.where else '/'}"
            ways = (f"{place}{each}" for each in filter(None, folders))
            raise stop(known.place, "there are Parquet files in several folders", *ways)
        folder = folder or (folders[0] if {str(at) for at in parents} == {*folders} else "")
    else:
        packed, left_out = shards.packing(every)
        chosen = [n for n in every if "packed" not in packed or shards.is_shard(n)]
    files = [*_patterns(chosen)]
    source = Source(**known.where, folder=folder or None, files=files, **packed)
    return Dataset(known.title, source, left_out=left_out)


def _patterns(names: list[str]) -> Iterator[str]:
    """Patterns of the files of these suffixes; of what has none by name."""
    yield from sorted({f"**/*{PurePosixPath(n).suffix}" if PurePosixPath(n).suffix else
                       f"**/{PurePosixPath(n).name}" for n in names})  # fmt: skip


def _is_data(name: str) -> bool:
    prose = PurePosixPath(name).name.upper().startswith(PROSE)
    return not (is_hidden(name) or prose or name.lower().endswith(CODE))
