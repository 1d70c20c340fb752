"""History that holds withdrawn rows is removed from the Hub: versions, commits, files."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from huggingface_hub import HfApi

from edge_glass.core import ledger, locations, manifest
from edge_glass.core.errors import DataError, HubError
from edge_glass.core.parquet import groups
from edge_glass.core.revisions import Revisions
from edge_glass.core.schema import Plain
from edge_glass.release import publish
from edge_glass.release.repository import Repository


@dataclass(frozen=True)
class Purge(Plain):
    """What goes, or what is left that only the Hub's staff can remove."""

    tags: tuple[str, ...]  # versions that hold rows: nobody can load them any more
    files: tuple[str, ...]  # sha256 of files that no version has then
    bytes: int
    left: tuple[str, ...]  # branches and pull requests that hold rows: merge, close or delete them


def withdrawn_before(repo: str, dry_run: bool = False) -> Purge:
    """Purge what the last version of a dataset has withdrawn, whichever version withdrew it.

    Run it again after any stop. Returns what went, or (`dry_run`) would go. Raises EdgeGlassError
    if nothing was withdrawn, or if the main branch is not that version.
    """
    head, tags = publish.versions(repo)
    keep, commit = [*tags.items()][-1] if tags else ("", "")
    commits = Repository(repo, HfApi()).call("list_repo_commits")
    if commit != head and [one.title for one in commits] != [keep]:  # as a stopped purge left it
        raise HubError(
            f"{repo}: its main branch is not its last version {keep}: push that as a version first"
        )
    there = locations.at(f"{repo}@{head}")
    with locations.errors_explained(there):
        folders = manifest.built(there).items()
        known = {name: Revisions.of(manifest.read(folder), folder) for name, folder in folders}
    if not any(one.withdrawn for one in known.values()):
        raise DataError(f"{repo}: no row was withdrawn from {keep}: there is nothing to purge")
    planned = plan(repo, {name: _is_in(one) for name, one in known.items()}, keep)
    if not dry_run:
        purge(repo, planned, keep)
    return planned


def _is_in(known: Revisions) -> Callable[[str], bool]:
    return lambda id: known.reason("id", id) is not None


def plan(
    repo: str, gone: dict[str, Callable[[str], bool]], keep: str, replaced: Collection[str] = ()
) -> Purge:
    """What a purge of rows (config -> whether an id goes) removes; `keep` is without them.

    While it is not made yet, `replaced` are the files of the main branch that it has no more.
    """
    hub = Repository(repo, HfApi())
    refs = hub.call("list_repo_refs", include_pull_requests=True)
    tags = {ref.name: ref.target_commit for ref in refs.tags if ref.name != keep}
    others = {ref.ref: ref.target_commit for ref in [*refs.branches, *(refs.pull_requests or [])]}
    others.pop("refs/heads/main", None)
    holding = tuple(sorted(tag for tag, commit in tags.items() if _holds(repo, commit, gone)))
    left = tuple(sorted(ref for ref, commit in others.items() if _holds(repo, commit, gone)))
    used = _used(hub, [*sorted(tags.keys() - {*holding}), *others.values()])
    used |= {digest for path, digest in hub.tree("main").items() if path not in replaced}
    files = {file.file_oid: file.size for file in hub.call("list_lfs_files")}
    unused = {digest: size for digest, size in files.items() if digest not in used}
    return Purge(holding, (*sorted(unused),), sum(unused.values()), left)


def _used(hub: Repository, revisions: list[str]) -> set[str]:
    """The digests of all files of these."""
    return {digest for one in dict.fromkeys(revisions) for digest in hub.tree(one).values()}


def _holds(repo: str, commit: str, gone: dict[str, Callable[[str], bool]]) -> bool:
    """Whether the ledgers of a commit name such rows."""
    there = locations.at(f"{repo}@{commit}")
    for config, is_gone in gone.items():
        path = there / config / ledger.FILE
        if (there / config / manifest.FILE).is_file() and any(
            any(map(is_gone, group["id"].to_pylist())) for group in groups(path, ["id"])
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
