"""Files of a dataset repository of the Hub, fetched at one commit like any other file.

Those of a folder of Parquet files lie side by side. Those that patterns say lie as in the
repository, in a folder for each commit and selection, into which they are linked from where they
are fetched: records of downloads are not to be read as data.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import HfApi, constants, get_token, hf_hub_url
from huggingface_hub.hf_api import RepoFile

from edge_glass.core import names, records
from edge_glass.core.errors import NetworkError, SourceError, hub_reason, of_the_hub
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
    sha256: str | None  # of one that Git itself has it is not told
    git: str | None = None  # the digest by which Git knows such a file


@dataclass(frozen=True)
class _Listing(Plain):
    files: list[File]


def files(source: Source, folder: Path) -> list[File]:
    """The files of a source, in order; asked for once, then read from beside `folder`.

    Raises EdgeGlassError if the repository, the commit or the files are not there.
    """
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
    name = _name(source, file) if source.files else PurePosixPath(file.path).name
    path = names.below(folder / f"{commit}.fetched" if source.files else folder, name)
    source = Source.model_validate({"url": url, "bytes": file.bytes, "sha256": file.sha256})
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    said = f"Bearer {token}" if token else None
    name = f"{folder.name}/{name}"
    return download.Job(name, path, source, [url], file.git, said, page(repo))


def page(repo: str) -> str:
    """Where the Hub shows a dataset, and access to it is asked for."""
    return f"{HfApi().endpoint}/datasets/{repo}"


def laid_out(source: Source, folder: Path, files: list[File]) -> Path:
    """The folder that the files of a source lie in, once they are fetched."""
    if not source.files:
        return folder
    place = folder / f"{files[0].commit}{_selection(source)}"
    for file in files:
        fetched, path = job(source, folder, file).path, names.below(place, _name(source, file))
        if not (path.exists() and path.samefile(fetched)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.hardlink_to(fetched)
    return place


def _name(source: Source, file: File) -> str:
    """The name of a file below the folder of its source."""
    return file.path.removeprefix(f"{source.folder}/" if source.folder else "")


def _selection(source: Source) -> str:
    """What tells the folders of several sources of a repository apart."""
    said = json.dumps([source.folder, source.files]) if source.files else ""
    return said and f"-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def facts(files: list[File]) -> SourceFacts:
    """What the manifest says of a source whose files were fetched; one checksum over them all."""
    sums = "".join(f"{file.sha256 or file.git}  {file.path}\n" for file in files)
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
    return folder / f"{source.hub.revision}{_selection(source)}.json"


def _asked(source: Source) -> list[File]:
    assert source.hub
    repo, revision = source.hub.repo, source.hub.revision
    where = f"{repo} at {revision}, folder {source.folder or '.'}"
    try:
        # main is whatever it is today: the commit is what the manifest names, and what stays
        commit = HfApi().dataset_info(repo, revision=revision).sha if revision == MAIN else revision
        place: Any = {"path_in_repo": source.folder, "recursive": bool(source.files)}
        tree = HfApi().list_repo_tree(repo, **place, revision=commit, repo_type="dataset")
        listed = sorted((each for each in tree if isinstance(each, RepoFile)), key=lambda f: f.path)
    except of_the_hub() as error:
        raise NetworkError(f"{where}: {hub_reason(error, page(repo))}") from None
    sums = {file.path: file.lfs.sha256 if file.lfs else None for file in listed}
    files = [
        File(file.path, str(commit), file.size, sums[file.path], None if file.lfs else file.blob_id)
        for file in listed
    ]
    if source.files:
        wanted = names.selected(sums, source.files, source.folder)
        files = [file for file in files if file.path in wanted]
    else:
        files = [file for file in files if file.path.endswith(SUFFIX)]
    if not files or not (source.files or all(file.sha256 for file in files)):
        kind = ", ".join(source.files) or f"{SUFFIX} file with a checksum"
        raise SourceError(f"{where}: no {kind} there")
    return files
