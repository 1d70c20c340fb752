"""A dataset on the Hub that nobody has described: its Parquet files, at the commit of today."""

import re
from pathlib import PurePosixPath

from edge_glass.core.errors import HubError, of_the_hub
from edge_glass.core.spec import MAIN, Hub, Source
from edge_glass.corpora.own_columns import stop
from edge_glass.sources.parquet_folder import SUFFIX

PLACE = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?(:(?P<folder>[^:@]+))?")


def is_repository(place: str) -> bool:
    """Whether a place may be a dataset of the Hub: `org/name`, `org/name@revision:folder`."""
    return PLACE.fullmatch(place) is not None and not place.startswith((".", "/"))


def source(place: str) -> Source:
    """The folder of Parquet files of a dataset, pinned to a commit. Raises EdgeGlassError."""
    parts = PLACE.fullmatch(place)
    assert parts is not None
    from huggingface_hub import HfApi

    repo, revision = parts["repo"], parts["revision"] or MAIN
    try:
        info = HfApi().dataset_info(repo, revision=revision)
    except of_the_hub() as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise HubError(f"{place}: no file or folder here, and no such dataset: {detail}") from None
    files = [each.rfilename for each in info.siblings or () if each.rfilename.endswith(SUFFIX)]
    folders = sorted({str(PurePosixPath(file).parent) for file in files} - {"."})
    if parts["folder"]:
        folders = [folder for folder in folders if folder == parts["folder"].strip("/")]
    if not folders:
        raise HubError(
            f"{place}: no folder of {SUFFIX} files in it: fetch it with `hf download {repo} "
            "--repo-type dataset --local-dir DIR`, and build DIR"
        )
    if len(folders) > 1:
        ways = (f"edge-glass build {repo}:{folder}" for folder in folders)
        raise stop(place, "there are Parquet files in several folders", *ways)
    return Source(hub=Hub(repo=repo, revision=str(info.sha)), folder=folders[0])
