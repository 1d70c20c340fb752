"""What training calls: a published version or a local build as plain `datasets` objects."""

from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from edge_glass import manifest
from edge_glass.errors import EdgeGlassError
from edge_glass.features import Audio


def load(
    name: str,
    repo: str | Path,
    version: str | None = None,
    split: str | None = None,
    streaming: bool = False,
) -> Any:
    """Load the config `name` of a dataset on the Hub (`org/name`) or of a local build folder.

    The same version gives the same rows online and offline: it is read from the snapshot of its
    tag, which `datasets` alone does not do offline. Without `version` the main branch is taken.
    Audio decodes without torch to `{"array": float32, "sampling_rate": Hz, "path": …}`.

    Returns a Dataset, or a DatasetDict without `split`; iterable ones with `streaming`, which reads
    shards as they are needed. Raises EdgeGlassError if the version is neither online nor cached.
    """
    if Path(repo).is_dir():
        place, revision = str(repo), None
    elif streaming and not datasets.config.HF_HUB_OFFLINE:
        place, revision = str(repo), _revision(version)
    else:
        place, revision = str(_snapshot(name, str(repo), version)), None
    loaded = datasets.load_dataset(place, name, split=split, revision=revision, streaming=streaming)
    if isinstance(loaded, dict):
        for key, dataset in loaded.items():
            loaded[key] = _decodable(dataset)
        return loaded
    return _decodable(loaded)


def _snapshot(name: str, repo: str, version: str | None) -> Path:
    """The local folder of one config of one version, fetched if it is not there."""
    config = name.removesuffix("_ledger")
    try:
        folder = snapshot_download(
            repo,
            repo_type="dataset",
            revision=_revision(version),
            allow_patterns=["README.md", f"{config}/*"],
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise EdgeGlassError(f"{repo}: no version {version or 'main'} there ({error})") from None
    except LocalEntryNotFoundError:
        raise EdgeGlassError(
            f"{repo}: version {version or 'main'} is not in the cache and the Hub is out of reach. "
            "Load it once while online; after that it is read from disk."
        ) from None
    made = manifest.read(Path(folder) / config)
    shards = [s["file"] for facts in made["splits"].values() for s in facts["shards"]]
    if absent := [shard for shard in shards if not (Path(folder) / config / shard).exists()]:
        raise EdgeGlassError(
            f"{repo}: {config}: not in the cache: {', '.join(absent)}. Load it online"
        )
    return Path(folder)


def _revision(version: str | None) -> str | None:
    return f"v{version.removeprefix('v')}" if version else None


def _decodable(dataset: Any) -> Any:
    """The dataset with every audio column decoded by soundfile."""
    for column, feature in (dataset.features or {}).items():
        if isinstance(feature, datasets.Audio):
            dataset = dataset.cast_column(column, Audio(sampling_rate=feature.sampling_rate))
    return dataset
