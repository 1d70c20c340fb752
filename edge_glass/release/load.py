"""What training calls: a published version or a local build as plain `datasets` objects."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import DatasetCard, HfApi, hf_hub_url, snapshot_download
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from edge_glass.core import locations, manifest
from edge_glass.core.errors import (
    ConfigError,
    DataError,
    EdgeGlassError,
    HubError,
    NetworkError,
    absent,
    of_the_hub,
)
from edge_glass.media.decoding import decodable
from edge_glass.release import card


def load(
    name: str,
    repo: str | Path,
    version: str | None = None,
    split: str | None = None,
    streaming: bool = False,
) -> Any:
    """Load the config `name` of a dataset on the Hub or of a local build folder.

    The dataset is `org/name`, `org/name@1.0.0` or `hf://datasets/org/name`.

    The same version gives the same rows online and offline: it is read from the snapshot of its
    tag, which `datasets` alone does not do offline. Without `version` the main branch is taken.
    Audio decodes without torch to `{"array": float32, "sampling_rate": Hz, "path": …}`.

    Returns a Dataset, or a DatasetDict without `split`; iterable ones with `streaming`, which reads
    shards as they are needed (a stream left half read can make Python abort when it exits, with all
    rows delivered: apache/arrow issue 45214).

    Raises EdgeGlassError if there is no such folder, dataset, version or config, or if it is
    neither online nor cached.
    """
    if Path(repo).is_dir():
        if version:
            raise ConfigError(f"{repo} is a folder, which has no versions: leave version out")
        place, commit = str(repo), None
        _check_config(name, Path(repo, card.FILE), str(repo))
    else:
        place, commit = _Hub(str(repo), version).place(name, streaming)
    read = partial(datasets.load_dataset, place, name, revision=commit, streaming=streaming)
    try:
        loaded = read(split=split)
    except ValueError as error:  # no such split
        raise ConfigError(f"{repo}: {name}: {error}") from None
    if not isinstance(loaded, dict):
        return decodable(loaded)
    for key, dataset in loaded.items():
        loaded[key] = decodable(dataset)
    return loaded


def snapshot(name: str, repo: str, version: str | None = None) -> Path:
    """The local folder of the config `name` at a version, fetched from the Hub if it is not here.

    Raises EdgeGlassError as `load` does.
    """
    place, _ = _Hub(repo, version).place(name, streaming=False)
    return Path(place) / name


def addressed(place: str, config: str | None, page: Path) -> tuple[Path, str]:
    """The folder of a config, and the address that its shards have, as seen from a page.

    Args:
        place: a folder that `build` made, or `org/name@1.0.0`, which is fetched if it is not here.
        config: of several.
        page: the folder that gets the page.

    Raises:
        ConfigError: there is no such config, or it is not said which of several.
        EdgeGlassError: as `load` does.
    """
    where = locations.at(place)
    with locations.errors_explained(where):
        folders = manifest.built(where)
    name = config or next(iter(folders))
    if name not in folders or (config is None and len(folders) > 1):
        raise ConfigError(f"{place} holds {', '.join(folders)}: choose one with --config")
    if hub := locations.published(place):
        named = {"repo_type": "dataset", "revision": hub.revision}
        file = hf_hub_url(hub.repo, f"{name}/{manifest.FILE}", **named)
        return snapshot(name, place), file.rpartition("/")[0]
    return folders[name], os.path.relpath(folders[name].resolve(), page.resolve())


def _check_config(name: str, readme: Path, where: str) -> None:
    if not readme.is_file():
        raise DataError(f"{where}: no {card.FILE}: nothing was built or published there")
    configs = DatasetCard.load(readme).data.get("configs") or []
    names = [config.get("config_name") for config in configs]
    if name not in names:
        raise ConfigError(f"{where}: {absent('config', name, map(str, names))}")


class _Hub:
    """One version of a dataset on the Hub, or what is cached of it."""

    def __init__(self, repo: str, version: str | None) -> None:
        hub = locations.published(repo)
        if hub is None:
            raise ConfigError(f"{repo}: no such folder, and no dataset on the Hub (org/name)")
        if version and hub.version:
            raise ConfigError(f"{repo} names a version: leave version out")
        hub = hub._replace(version=version or hub.version)
        self._repo, self._revision = hub.repo, hub.revision
        self._what = f"{hub.repo}: version {hub.version or 'main'}"

    def place(self, name: str, streaming: bool) -> tuple[str, str | None]:
        """Where `datasets` finds the config `name`: a folder, or the dataset and its commit."""
        base = name.removesuffix("_ledger").removesuffix("_edits")
        commit = self._commit() if streaming else None
        folder = self._snapshot([card.FILE, *([] if commit else [f"{base}/*"])])
        _check_config(name, folder / card.FILE, self._what)
        if commit:
            return self._repo, commit
        self._check_shards(folder / base)
        return str(folder), None

    def _commit(self) -> str | None:
        """The commit of the version, None if the Hub is out of reach."""
        try:
            info = HfApi().repo_info(self._repo, repo_type="dataset", revision=self._revision)
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise self._absent(error) from None
        except of_the_hub():  # the cache may have it
            return None
        return info.sha

    def _snapshot(self, files: list[str]) -> Path:
        """The local folder of the version with these files, fetched if they are not there."""
        fetch = partial(
            snapshot_download, self._repo, repo_type="dataset", revision=self._revision,
            allow_patterns=files,
        )  # fmt: skip
        try:
            return Path(fetch())
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise self._absent(error) from None
        except of_the_hub() as error:
            with suppress(LocalEntryNotFoundError):
                return Path(fetch(local_files_only=True))
            raise self._out_of_reach(str(error)) from None

    def _check_shards(self, folder: Path) -> None:
        """Older clients take a snapshot that was fetched in part for a whole one."""
        if not (folder / manifest.FILE).is_file():
            raise self._out_of_reach(f"{folder} lacks {manifest.FILE}")
        shards = [shard.file for shard in manifest.read(folder).shards()]
        if absent := [shard for shard in shards if not (folder / shard).exists()]:
            raise self._out_of_reach(f"{folder} lacks {', '.join(absent)}")

    def _absent(self, error: Exception) -> EdgeGlassError:
        if isinstance(error, RevisionNotFoundError):
            return HubError(f"{self._what} does not exist")
        return HubError(f"{self._repo}: no such dataset, or `hf auth login` is needed for it")

    def _out_of_reach(self, why: str) -> EdgeGlassError:
        return NetworkError(
            f"{self._what} is not (all) in the cache, and the Hub is out of reach. Load it once "
            f"while online; after that it is read from disk. ({' '.join(why.split())})"
        )
