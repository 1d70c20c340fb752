"""A version on the Hub: everything is written first and tagged last, so it is whole or absent."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
)

from edge_glass.core import ledger, locations, manifest, units
from edge_glass.core.errors import ConfigError, DataError, HubError
from edge_glass.core.manifest import WITHDRAWN, Manifest
from edge_glass.core.names import PLOTS, picture
from edge_glass.core.revisions import SCHEMAS, Revisions
from edge_glass.core.visible import Result, Summary
from edge_glass.release import card, card_section, citation, croissant, write_card
from edge_glass.release.repository import OutOfReachError, Repository

COMMIT_FILES = 100  # in one commit; a release of more files comes in several, its README last
REVIEW = "edge_glass_diff.html"  # of a pull request
NUMBER = r"(0|[1-9][0-9]*)"
SHARD = re.compile(r"[\w.]+-\d{5,}-of-\d{5,}\.parquet")

Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete


@dataclass(repr=False)
class Release(Result):
    """What a push did, or (`dry_run`) would do."""

    repo: str
    tag: str
    configs: list[str]
    send: list[str] = field(default_factory=list)
    send_bytes: int = 0
    already_there: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # written by hand
    commit: str | None = None
    pull_request: str | None = None
    tagged: bool = False
    unreached: str | None = None  # why a dry run could not ask the Hub what it has

    def _summary(self) -> Summary:
        size = units.size(self.send_bytes)
        rows = [
            ("sent" if self.commit else "to be sent", f"{len(self.send)} files ({size})"),
            ("there already", f"{len(self.already_there)} files"),
            ("deleted" if self.commit else "to be deleted", f"{len(self.delete)} files"),
        ]
        return Summary(f"{self.repo} {self.tag}", rows=rows)


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
    token: str | None = None,
) -> Release:
    """Publish built configs under `out` as version `version` of the dataset `repo`.

    Files that the repository has already are not sent again, so a push that was stopped goes on.
    Other configs of the repository stay as they are. With `pr` a pull request is opened and nothing
    is tagged; the same call without it tags once that is merged. Raises EdgeGlassError if the
    version exists, a build is not whole, or the Hub refuses.
    """
    if not configs:
        raise ConfigError(f"{out}: name at least one config to push")
    release = Release(repo, tag_name(version), [*dict.fromkeys(configs)])
    builds = _builds(out, release.configs)
    hub = Repository(repo, HfApi(endpoint=endpoint, token=token), sends=True)
    try:
        head = hub.head(release.tag, private)
    except OutOfReachError as error:
        if not dry_run:
            raise
        head, release.unreached = None, error.problems[0].splitlines()[0]
    going = _Push(hub, head, hub.tree(head), builds, release)
    operations = going.operations(pr and not dry_run)
    if dry_run:
        return release
    seals = card.seal_lines(builds.values())
    release.commit = going.commit(operations, head or hub.create(private), pr, seals)
    if not pr:
        hub.tag(release.tag, release.commit, seals)
        release.tagged = True
    return release


def versions(repo: str) -> tuple[str, dict[str, str]]:
    """The latest commit of a dataset, and tag -> commit of its versions, the oldest first."""
    hub = Repository(repo, HfApi())
    tags = _tags(hub)
    return str(hub.call("repo_info", revision="main").sha), tags


def _tags(hub: Repository) -> dict[str, str]:
    tags = {ref.name: str(ref.target_commit) for ref in hub.call("list_repo_refs").tags}
    return dict(sorted(tags.items(), key=lambda one: _order(one[0])))


def _first_date(hub: Repository, head: str | None) -> str | None:
    """The day on which the first version was committed, None if there is none yet."""
    first = next(iter(_tags(hub).values()), None) if head else None
    commits = hub.call("list_repo_commits", revision=first) if first else ()
    return next((one.created_at.date().isoformat() for one in commits), None)


def _order(tag: str) -> tuple[list[int], bool, str]:
    """v1.2.0-rc1 stands before v1.2.0, and that before v1.10.0."""
    numbers, _, rest = tag.removeprefix("v").partition("-")
    return [int(one) for one in re.findall(r"\d+", numbers)], not rest, rest


def tag_name(version: str) -> str:
    """The tag of a version, `v1.0.0`. Raises ConfigError if it is none."""
    if not re.fullmatch(rf"v?{NUMBER}\.{NUMBER}\.{NUMBER}([.-][0-9A-Za-z]+)*", version):
        raise ConfigError(f"--version {version}: write it as 1.0.0 (or 1.0.0-rc1)")
    return f"v{version.removeprefix('v')}"


def _builds(out: Path, configs: list[str]) -> dict[Path, Manifest]:
    built = manifest.built(out)
    if absent := [name for name in configs if name not in built]:
        raise DataError(
            f"{out}: not built: {', '.join(absent)}. Run `edge-glass build {' '.join(absent)} "
            f"--out {out}` first"
        )
    builds = {built[name]: manifest.read(built[name]) for name in configs}
    if cut := [build.config for build in builds.values() if build.limit is not None]:
        raise DataError(f"{', '.join(cut)}: built with --limit, rows are missing: build it whole")
    if empty := [build.config for build in builds.values() if not build.kept]:
        raise DataError(f"{', '.join(empty)}: not one row was kept: see its ledger for why")
    for folder, build in builds.items():
        _check_balance(folder, build)
    return builds


def _check_balance(folder: Path, build: Manifest) -> None:
    """Raise EdgeGlassError if rows that are kept are not those published, or the ledger differs."""
    counts = ledger.count(folder / ledger.FILE) if (folder / ledger.FILE).is_file() else None
    for name, split in build.splits.items():
        uneven = split.rows < split.kept or (split.rows > split.kept and not build.each_example)
        uneven |= split.rows != sum(shard.rows for shard in split.shards)
        if uneven or (counts is not None and counts.get(name, {}) != split.outcomes):
            raise DataError(
                f"{folder}: {name} does not balance: {split.rows} rows are published, its manifest "
                f"says {split.outcomes}, its ledger {(counts or {}).get(name)}: build again"
            )


@dataclass(frozen=True)
class _Push:
    """Builds on their way to a repository."""

    hub: Repository
    head: str | None  # the commit to build on
    there: dict[str, str]  # path -> digest of what it has
    builds: dict[Path, Manifest]
    release: Release  # is told what is done

    def operations(self, pr: bool) -> list[Operation]:
        """What the repository lacks of the builds and their card, and what it has too much."""
        operations: list[Operation] = []
        for folder, build in self.builds.items():
            self._check_withdrawn(folder, build)
            operations += self._of_build(folder, build)
        if pr:
            operations += self._review()
        elif REVIEW in self.there:
            operations.append(self._delete(REVIEW))
        operations += self._plots()
        for name, text in self._texts().items():
            operations.append(CommitOperationAdd(name, text.encode()))
            self.release.send.append(name)
        # what readers of the main branch see changes with the README and the deletions: these last
        return sorted(
            operations,
            key=lambda o: (isinstance(o, CommitOperationDelete), o.path_in_repo == card.FILE),
        )

    def _of_build(self, folder: Path, build: Manifest) -> Iterator[Operation]:
        """What the repository lacks of a build, and the shards that are no longer its own."""
        known = {digest: path for path, digest in self.there.items()}
        promised = _promised(folder, build)
        for name, digests in promised.items():
            path = f"{build.config}/{name}"
            source = next((known[one] for one in digests if one in known), None)
            if self.there.get(path) in digests:
                self.release.already_there.append(path)
            elif source and SHARD.fullmatch(name):  # its bytes are there under another name
                yield CommitOperationCopy(source, path)
                self.release.already_there.append(path)
            elif (folder / name).is_file():
                yield self._add(folder / name, path, digests)
            else:
                raise DataError(f"{folder}: {name} is missing: build again")
        for path in self.there:
            config, _, name = path.partition("/")
            ours = SHARD.fullmatch(name) or name in SCHEMAS
            if config == build.config and ours and name not in promised:
                yield self._delete(path)

    def _review(self) -> Iterator[Operation]:
        """A pull request brings the page of what changes; it is gone from what is tagged."""
        from edge_glass.release import diff_page  # which few need

        repo, tag = self.hub.repo, self.release.tag
        place = locations.at(f"{repo}@{self.head}")
        with locations.errors_explained(place):
            page = diff_page.review(place, self.builds, repo, tag) if self.head else None
        if page is not None:
            self.release.send.append(REVIEW)
            yield CommitOperationAdd(REVIEW, page)

    def _plots(self) -> Iterator[Operation]:
        """The pictures of the card that the repository lacks; `there` has them all afterwards."""
        for folder, build in self.builds.items():
            path = picture(build.config)
            if not (folder.parent / path).is_file():
                write_card.write_report(folder.parent)
            digests = _digests((folder.parent / path).read_bytes())
            if self.there.get(path) not in digests:
                yield self._add(folder.parent / path, path, digests)
            self.there[path] = ""

    def _check_withdrawn(self, folder: Path, build: Manifest) -> None:
        """Raise EdgeGlassError if rows that were withdrawn from a config there could come back."""
        if f"{build.config}/{WITHDRAWN}" in self.there:
            known = self._manifest(build.config)
            paths = [
                self.hub.file(self.head, f"{build.config}/{each.file}") for each in known.tables
            ]
            published = Revisions.of(known, paths[0].parent)
            if published.withdrawn.keys() - Revisions.of(build, folder).withdrawn.keys():
                raise DataError(
                    f"{folder}: rows were withdrawn from {build.config} of {self.hub.repo}, and "
                    f"this build does not know of it: build it again with --obey {self.hub.repo}"
                )

    def _add(self, local: Path, path: str, digests: set[str]) -> CommitOperationAdd:
        operation = CommitOperationAdd(path, local)
        if operation.upload_info.sha256.hex() not in digests:
            raise DataError(f"{local}: sha256 differs from the manifest's: build again")
        self.release.send.append(path)
        self.release.send_bytes += operation.upload_info.size
        return operation

    def _delete(self, path: str) -> CommitOperationDelete:
        self.release.delete.append(path)
        return CommitOperationDelete(path)

    def _texts(self) -> dict[str, str]:
        """What is said of the whole repository: its new texts, without those that it has."""
        there, ours = self.there, [*self.builds.values()]
        folders = {path.partition("/")[0] for path in there} - {m.config for m in ours}
        others = [
            self._manifest(folder)
            for folder in sorted(folders)
            # what else is called so is other people's
            if {f"{folder}/{manifest.FILE}", f"{folder}/{ledger.FILE}"} <= there.keys()
        ]
        manifests = sorted([*others, *ours], key=lambda m: m.config)
        known = (card.FILE, citation.FILE, croissant.FILE)
        previous = {name: self.hub.read(self.head, name) for name in known if name in there}
        readme = previous.get(card.FILE)
        corpora = {m.corpus for m in ours}
        examples = {m.config: card_section.example(folder, m) for folder, m in self.builds.items()}
        plots = {Path(path).stem for path in there if path.startswith(f"{PLOTS}/")}
        about = (manifests, self.hub.url, self.release.tag, card.doi(readme))
        texts = {
            citation.FILE: citation.render(*about),
            croissant.FILE: croissant.render(*about, _first_date(self.hub, self.head)),
            card.FILE: card.render(
                [m for m in manifests if m.corpus in corpora],
                self.hub.repo,
                readme,
                plots,
                examples,
                card.alignments(self.builds),
            ),
        }
        if not citation.is_ours(previous.get(citation.FILE)):
            kept = f"{citation.FILE}: not as Edge Glass wrote it: it stays as it is"
            self.release.kept.append(kept)
            del texts[citation.FILE]
        return {name: text for name, text in texts.items() if text != previous.get(name)}

    def _manifest(self, folder: str) -> Manifest:
        path = f"{folder}/{manifest.FILE}"
        data = self.hub.read(self.head, path).encode()
        build = manifest.parse(data, f"{self.hub.repo}: {path}")
        if build.config != folder:
            raise HubError(f"{self.hub.repo}: {path} is of {build.config}: mend or delete it")
        return build

    def commit(self, operations: list[Operation], head: str, pr: bool, seals: str) -> str:
        """Commit everything on top of `head`; returns the last commit, which has the seals."""
        message = f"{', '.join(self.release.configs)} {self.release.tag}"
        branch = None
        for start in range(0, len(operations), COMMIT_FILES):
            some = operations[start : start + COMMIT_FILES]
            said = [seals] if start + COMMIT_FILES >= len(operations) else []
            if pr and REVIEW in (each.path_in_repo for each in some):
                said.append(f"What changes, row by row: {REVIEW} of this pull request.")
            info = self.hub.call(
                "create_commit",
                operations=some,
                commit_message=message,
                commit_description="\n\n".join(said) or None,
                parent_commit=head,
                create_pr=pr and branch is None,
                revision=branch,
            )
            head = info.oid
            if pr and branch is None:
                branch, self.release.pull_request = info.pr_revision, info.pr_url
        return head


def _promised(folder: Path, build: Manifest) -> dict[str, set[str]]:
    """File name -> digests that the Hub may know the file by, of everything in a build."""
    files = {file.file: {file.sha256} for file in build.files()}
    return files | {manifest.FILE: _digests((folder / manifest.FILE).read_bytes())}


def _digests(data: bytes) -> set[str]:
    """What the Hub may know a small file by: sha256, or git's id."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return {hashlib.sha256(data).hexdigest(), blob.hexdigest()}
