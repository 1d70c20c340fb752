"""History that holds withdrawn rows is removed from the Hub: versions, commits, files."""

from dataclasses import dataclass

from huggingface_hub import HfApi

from edge_glass.core import ledger, locations, manifest
from edge_glass.core.parquet import groups
from edge_glass.core.schema import Plain
from edge_glass.release.repository import Repository


@dataclass(frozen=True)
class Purge(Plain):
    """What goes, or what is left that only the Hub's staff can remove."""

    tags: tuple[str, ...]  # versions that hold rows: nobody can load them any more
    files: tuple[str, ...]  # sha256 of files that no version has then
    bytes: int
    left: tuple[str, ...]  # branches and pull requests that hold rows: merge, close or delete them


def plan(repo: str, ids: dict[str, frozenset[str]], keep: str) -> Purge:
    """What a purge of rows (config -> ids) removes; `keep` is the version without them."""
    hub = Repository(repo, HfApi())
    refs = hub.call("list_repo_refs", include_pull_requests=True)
    tags = {ref.name: ref.target_commit for ref in refs.tags if ref.name != keep}
    others = {ref.ref: ref.target_commit for ref in [*refs.branches, *(refs.pull_requests or [])]}
    others.pop("refs/heads/main", None)
    held = tuple(sorted(tag for tag, commit in tags.items() if _holds(repo, commit, ids)))
    left = tuple(sorted(ref for ref, commit in others.items() if _holds(repo, commit, ids)))
    used = _used(hub, ["main", *sorted(tags.keys() - {*held}), *others.values()])
    files = {file.file_oid: file.size for file in hub.call("list_lfs_files")}
    gone = {digest: size for digest, size in files.items() if digest not in used}
    return Purge(held, (*sorted(gone),), sum(gone.values()), left)


def _used(hub: Repository, revisions: list[str]) -> set[str]:
    """The digests of all files of these."""
    return {digest for one in dict.fromkeys(revisions) for digest in hub.tree(one).values()}


def _holds(repo: str, commit: str, ids: dict[str, frozenset[str]]) -> bool:
    """Whether the ledgers of a commit name such rows."""
    there = locations.at(f"{repo}@{commit}")
    for config, wanted in ids.items():
        path = there / config / ledger.FILE
        if (there / config / manifest.FILE).is_file() and any(
            wanted & {*group["id"].to_pylist()} for group in groups(path, ["id"])
        ):
            return True
    return False


def purge(repo: str, planned: Purge, keep: str) -> None:
    """Remove what holds rows: the branch is squashed, tags and files are deleted, the files last.

    Run it again after any stop. Raises EdgeGlassError if the Hub refuses.
    """
    hub = Repository(repo, HfApi())
    if len(hub.call("list_repo_commits")) > 1:
        hub.call("super_squash_history", commit_message=keep)
    head = str(hub.call("repo_info", revision="main").sha)
    tags = {ref.name: ref.target_commit for ref in hub.call("list_repo_refs").tags}
    if tags.get(keep) != head:  # its own commit has all that was before it as its parents
        if keep in tags:
            hub.call("delete_tag", tag=keep)
        hub.tag(keep, head, f"{keep}, without its history")
    for tag in planned.tags:
        if tag in tags:
            hub.call("delete_tag", tag=tag)
    refs = hub.call("list_repo_refs", include_pull_requests=True)
    every = [*refs.tags, *refs.branches, *(refs.pull_requests or [])]
    gone = {*planned.files} - _used(hub, [ref.target_commit for ref in every])
    files = [file for file in hub.call("list_lfs_files") if file.file_oid in gone]
    hub.call("permanently_delete_lfs_files", lfs_files=files)
