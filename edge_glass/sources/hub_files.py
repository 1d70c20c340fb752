"""Parquet files of a dataset repository of the Hub, fetched at one commit like any other file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.hf_api import RepoFile

from edge_glass.core import names, records
from edge_glass.core.errors import NetworkError, SourceError, of_the_hub
from edge_glass.core.schema import Plain
from edge_glass.core.spec import MAIN, Source, SourceFacts
from edge_glass.sources import download
from edge_glass.sources.parquet_folder import SUFFIX


@dataclass(frozen=True)
class File(Plain):
    """A file of a repository."""

    path: str
    commit: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class _Listing(Plain):
    files: list[File]


def files(source: Source, folder: Path) -> list[File]:
    """The Parquet files of a source, in order; asked for once, then read from beside `folder`.

    Raises EdgeGlassError if the repository, the commit or the files are not there.
    """
    assert source.hub and source.folder
    listing = _listing(source, folder)
    known = records.parsed(listing, _Listing)
    if known is None:
        known = _Listing(_asked(source))
        records.write(listing, known.plain())
    return known.files


def job(source: Source, folder: Path, file: File) -> download.Job:
    """The download of one file into `folder`."""
    assert source.hub
    repo, commit, endpoint = source.hub.repo, file.commit, HfApi().endpoint
    url = hf_hub_url(repo, file.path, repo_type="dataset", revision=commit, endpoint=endpoint)
    source = Source.model_validate({"url": url, "bytes": file.bytes, "sha256": file.sha256})
    path = names.below(folder, Path(file.path).name)
    return download.Job(f"{folder.name}/{path.name}", path, source, [url])


def facts(files: list[File]) -> SourceFacts:
    """What the manifest says of a source whose files were fetched; one checksum over them all."""
    sums = "".join(f"{file.sha256}  {file.path}\n" for file in files)
    return SourceFacts(
        revision=files[0].commit,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
    )


def state(source: Source, folder: Path) -> tuple[int | None, str]:
    """Bytes, if known, and whether they are here, for a plan: the network is left alone."""
    known = records.parsed(_listing(source, folder), _Listing)
    if known is None:
        return source.bytes, "to fetch"
    jobs = [job(source, folder, file) for file in known.files]
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
    except of_the_hub() as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise NetworkError(
            f"{where}: the Hub does not list it ({detail}). Run the same command again, or get the "
            "files by other means and pass their folder as --raw."
        ) from None
    files = [item for item in tree if isinstance(item, RepoFile) and item.path.endswith(SUFFIX)]
    sums = {item.path: item.lfs.sha256 for item in files if item.lfs}
    if not files or len(sums) < len(files):
        raise SourceError(f"{where}: no {SUFFIX} file with a checksum there")
    files = sorted(files, key=lambda item: item.path)
    return [File(item.path, str(commit), item.size, sums[item.path]) for item in files]
