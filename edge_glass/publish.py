"""A version on the Hub: everything is written first and tagged last, so it is whole or absent."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from edge_glass import card, manifest
from edge_glass.errors import EdgeGlassError
from edge_glass.fetch.hub import CLIENTS
from edge_glass.manifest import Manifest

COMMIT_FILES = 1000  # in one commit; a release of more files comes in several, its README last


@dataclass
class Release:
    """What a push did, or (`dry_run`) would do."""

    repo: str
    version: str
    configs: list[str]
    send: list[str] = field(default_factory=list)
    send_bytes: int = 0
    already_there: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    commit: str | None = None
    pull_request: str | None = None
    tagged: bool = False


def push(
    out: Path,
    configs: list[str],
    repo: str,
    version: str,
    *,
    private: bool = False,
    pr: bool = False,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> Release:
    """Publish built configs under `out` as version `version` of the dataset `repo`.

    Files that the repository has already are not sent again, so a push that was stopped goes on.
    Other configs of the repository stay as they are. With `pr` a pull request is opened and nothing
    is tagged; the same call without it tags once that is merged. Raises EdgeGlassError if the
    version exists, a build is not whole, or the Hub refuses.
    """
    tag = _tag(version)
    api = HfApi(endpoint=endpoint)
    with _plainly(api):
        release = Release(repo, version, configs)
        builds = _builds(out, configs)
        head = _head(api, repo, tag)
        if head is None and not dry_run:
            api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
            head = api.repo_info(repo, repo_type="dataset").sha
        operations = _operations(api, repo, head, builds, release)
        if dry_run:
            return release
        commit = _commit(api, repo, head, operations, release, pr)
        if not pr:
            api.create_tag(repo, repo_type="dataset", tag=tag, revision=commit)
            release.tagged = True
    return release


def _tag(version: str) -> str:
    if not re.fullmatch(r"v?\d+\.\d+\.\d+([.-]\w+)*", version):
        raise EdgeGlassError(f"--version {version}: write it as 1.0.0 (or 1.0.0-rc1)")
    return f"v{version.removeprefix('v')}"


def _builds(out: Path, configs: list[str]) -> dict[Path, Manifest]:
    built = manifest.built(out)
    if absent := [name for name in configs if name not in built]:
        raise EdgeGlassError(
            f"{out}: not built: {', '.join(absent)}. Run `edge-glass build {' '.join(absent)} "
            f"--out {out}` first"
        )
    return {built[name]: manifest.read(built[name]) for name in configs}


def _head(api: HfApi, repo: str, tag: str) -> str | None:
    """The commit to build on, None if there is no such repository."""
    try:
        refs = api.list_repo_refs(repo, repo_type="dataset")
    except RepositoryNotFoundError:
        return None
    if tag in {ref.name for ref in refs.tags}:
        raise EdgeGlassError(
            f"{repo}: version {tag} exists and is never overwritten: choose another"
        )
    head: str | None = api.repo_info(repo, repo_type="dataset", revision="main").sha
    return head


def _operations(
    api: HfApi, repo: str, head: str | None, builds: dict[Path, Manifest], release: Release
) -> list[CommitOperationAdd | CommitOperationDelete]:
    there = dict(_tree(api, repo, head))
    operations: list[CommitOperationAdd | CommitOperationDelete] = []
    for folder, made in builds.items():
        promised = _promised(folder, made)
        for name, sha256 in promised.items():
            path = f"{made['config']}/{name}"
            if there.get(path) == sha256:
                release.already_there.append(path)
                continue
            operations.append(_add(folder / name, path, sha256, release))
        for path in there:
            if path.startswith(f"{made['config']}/") and path.split("/", 1)[1] not in promised:
                operations.append(CommitOperationDelete(path))
                release.delete.append(path)
    text = _readme(api, repo, head, there, list(builds.values()))
    if text is not None:
        operations.append(CommitOperationAdd(card.FILE, text.encode()))
        release.send.append(card.FILE)
    return operations


def _promised(folder: Path, made: Manifest) -> dict[str, str | None]:
    """File name -> sha256 of everything in a build; the manifest itself has none."""
    shards = [shard for split in made["splits"].values() for shard in split["shards"]]
    files = {file["file"]: file["sha256"] for file in [*shards, made["ledger"]]}
    if absent := [name for name in files if not (folder / name).is_file()]:
        raise EdgeGlassError(f"{folder}: {', '.join(absent)} is missing: build again")
    return files | {manifest.FILE: None}


def _add(local: Path, path: str, sha256: str | None, release: Release) -> CommitOperationAdd:
    operation = CommitOperationAdd(path, local)
    if sha256 not in (None, operation.upload_info.sha256.hex()):
        raise EdgeGlassError(f"{local}: sha256 differs from the manifest's: build again")
    release.send.append(path)
    release.send_bytes += operation.upload_info.size
    return operation


def _tree(api: HfApi, repo: str, head: str | None) -> Iterator[tuple[str, str | None]]:
    """Path and sha256 (of LFS files) of everything in the repository."""
    if head is not None:
        for item in api.list_repo_tree(repo, repo_type="dataset", revision=head, recursive=True):
            if isinstance(item, RepoFile):
                yield item.path, item.lfs.sha256 if item.lfs else None


def _readme(
    api: HfApi, repo: str, head: str | None, there: dict[str, str | None], ours: list[Manifest]
) -> str | None:
    """The new README, None if the repository has the same one."""
    corpora, names = {m["corpus"] for m in ours}, {m["config"] for m in ours}
    others = [
        json.loads(_download(api, repo, head, path))
        for path in there
        if path.endswith(f"/{manifest.FILE}") and path.split("/")[0] not in names
    ]
    manifests = [m for m in others if m["corpus"] in corpora] + ours
    manifests.sort(key=lambda m: m["config"])
    previous = _download(api, repo, head, card.FILE) if card.FILE in there else None
    text = card.render(manifests, repo, previous)
    return None if text == previous else text


def _download(api: HfApi, repo: str, head: str | None, path: str) -> str:
    local = api.hf_hub_download(repo, path, repo_type="dataset", revision=head)
    return Path(local).read_text(encoding="utf-8")


def _commit(
    api: HfApi,
    repo: str,
    head: str | None,
    operations: list[CommitOperationAdd | CommitOperationDelete],
    release: Release,
    pr: bool,
) -> str | None:
    """Commit everything on top of `head`; returns the commit to be tagged."""
    # what readers of the main branch see changes with the README and the deletions: they go last
    operations.sort(
        key=lambda o: (isinstance(o, CommitOperationDelete), o.path_in_repo == card.FILE)
    )
    for start in range(0, len(operations), COMMIT_FILES):
        info = api.create_commit(
            repo,
            operations[start : start + COMMIT_FILES],
            repo_type="dataset",
            commit_message=f"{', '.join(release.configs)} {release.version}",
            parent_commit=head,
            create_pr=pr,
        )
        head, release.pull_request = info.oid, info.pr_url
    release.commit = head
    return head


@contextmanager
def _plainly(api: HfApi) -> Iterator[None]:
    """Turn what the Hub or the network says into one line that holds no token."""
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        raise EdgeGlassError(f"{_scrub(api, str(error))}\n{_advice(status)}") from None
    except Exception as error:
        if type(error).__module__.split(".")[0] not in CLIENTS:
            raise
        raise EdgeGlassError(
            f"{type(error).__name__}: {_scrub(api, str(error))}\n{_advice(None)}"
        ) from None


def _advice(status: int | None) -> str:
    if status in (401, 403):
        return "Log in with a token that may write: `hf auth login`, or set HF_TOKEN."
    if status == 412:
        return "Someone else pushed meanwhile: look at the repository, then run the same command."
    return "Nothing is tagged. Run the same command again: what was sent is not sent twice."


def _scrub(api: HfApi, text: str) -> str:
    for token in (api.token, get_token()):
        if isinstance(token, str) and token:
            text = text.replace(token, "***")
    return " ".join(text.split())
