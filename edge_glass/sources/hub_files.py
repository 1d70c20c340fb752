"""Parquet files of a dataset repository of the Hub, fetched at one commit like any other file."""

import hashlib
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.hf_api import RepoFile

from edge_glass.core import names, records
from edge_glass.core.errors import NetworkError, SourceError
from edge_glass.core.spec import MAIN, Source, SourceFacts
from edge_glass.sources import download
from edge_glass.sources.parquet_folder import SUFFIX

File = dict[str, Any]  # path in the repository, commit, bytes, sha256


def files(source: Source, folder: Path) -> list[File]:
    """The Parquet files of a source, in order; asked for once, then read from beside `folder`.

    Raises EdgeGlassError if the repository, the commit or the files are not there.
    """
    assert source.hub and source.folder
    listing = _listing(source, folder)
    record = records.read(listing)
    if record is None:
        record = {"files": _asked(source)}
        records.write(listing, record)
    files: list[File] = record["files"]
    return files


def job(source: Source, folder: Path, file: File) -> download.Job:
    """The download of one file into `folder`."""
    assert source.hub
    repo, commit, endpoint = source.hub.repo, file["commit"], HfApi().endpoint
    url = hf_hub_url(repo, file["path"], repo_type="dataset", revision=commit, endpoint=endpoint)
    known = {"url": url, "bytes": file["bytes"], "sha256": file["sha256"]}
    path = names.below(folder, Path(file["path"]).name)
    return download.Job(f"{folder.name}/{path.name}", path, Source(**known), [url])


def facts(files: list[File]) -> SourceFacts:
    """What the manifest says of a source whose files were fetched; one checksum over them all."""
    sums = "".join(f"{file['sha256']}  {file['path']}\n" for file in files)
    return SourceFacts(
        revision=files[0]["commit"],
        files=len(files),
        bytes=sum(file["bytes"] for file in files),
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
    )


def state(source: Source, folder: Path) -> tuple[int | None, str]:
    """Bytes, if known, and whether they are here, for a plan: the network is left alone."""
    record = records.read(_listing(source, folder))
    if record is None:
        return source.bytes, "to fetch"
    jobs = [job(source, folder, file) for file in record["files"]]
    size = sum(job.source.bytes or 0 for job in jobs)
    here = [download.stored(job.path, job.source) is not None for job in jobs]
    return size, "here" if all(here) else "partly here" if any(here) else "to fetch"


def _listing(source: Source, folder: Path) -> Path:
    assert source.hub
    return folder / f"{source.hub.revision}.json"


def _asked(source: Source) -> list[File]:
    assert source.hub and source.folder
    repo, revision = source.hub.repo, source.hub.revision
    where = f"{repo} at {revision}, folder {source.folder}"
    try:
        # main is whatever it is today: the commit is what the manifest names, and what stays
        commit = HfApi().dataset_info(repo, revision=revision).sha if revision == MAIN else revision
        tree = list(
            HfApi().list_repo_tree(repo, source.folder, revision=commit, repo_type="dataset")
        )
    except Exception as error:  # httpx, requests and urllib3 each have errors of their own
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise NetworkError(
            f"{where}: the Hub does not list it ({detail}). Run the same command again, or get the "
            "files by other means and pass their folder as --raw."
        ) from None
    files = [item for item in tree if isinstance(item, RepoFile) and item.path.endswith(SUFFIX)]
    if not files or not all(item.lfs for item in files):
        raise SourceError(f"{where}: no {SUFFIX} file with a checksum there")
    return [
        {
            "path": item.path,
            "commit": commit,
            "bytes": item.size,
            "sha256": item.lfs.sha256 if item.lfs else None,
        }
        for item in sorted(files, key=lambda item: item.path)
    ]
