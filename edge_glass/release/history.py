"""The versions of a dataset on the Hub, and what each changed in its configs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from huggingface_hub import HfApi

from edge_glass.core import locations, manifest
from edge_glass.core.errors import ConfigError, HubError, absent
from edge_glass.core.ledger import Outcome
from edge_glass.core.manifest import EDITS, Manifest
from edge_glass.core.visible import Result
from edge_glass.release import publish
from edge_glass.release.repository import Repository


@dataclass(frozen=True)
class State:
    """A config in a version; what is added up begins with its first version."""

    rows: int
    change: int  # of the number of rows since the version before
    shards: int
    new_shards: int  # that the version before does not have
    withdrawn: int  # source rows
    edits: int
    appended: int  # builds


@dataclass(frozen=True, repr=False)
class Version(Result):
    """A tag of a dataset."""

    tag: str
    commit: str
    date: str  # of the commit, as ISO 8601 has it
    configs: dict[str, State] = field(default_factory=dict)


def history(place: str) -> Iterator[Version]:
    """The versions of `org/name`, the oldest first; of each its manifests are read.

    Of `org/name@1.1.0` those up to that one. Raises EdgeGlassError if there is no such dataset or
    version.
    """
    before: dict[str, Manifest] = {}
    dates: dict[str, str] = {}
    named = locations.published(place)
    if named is None:
        raise ConfigError(f"{place}: org/name on the Hub has versions, a folder has none")
    repo, tags = named.repo, publish.versions(named.repo)[1]
    if named.version:
        if named.revision not in tags:
            raise HubError(f"{repo}: {absent('version', named.revision, tags)}")
        last = [*tags].index(named.revision)
        tags = dict([*tags.items()][: last + 1])
    hub = Repository(repo, HfApi())
    for commit in reversed(tags.values()):
        if commit not in dates:  # of a version and of all that it came after
            commits = hub.call("list_repo_commits", revision=commit)
            dates |= {one.commit_id: one.created_at.isoformat() for one in commits}
    for tag, commit in tags.items():
        there = locations.at(f"{repo}@{commit}")
        with locations.errors_explained(there):
            folders = manifest.built(there)
            manifests = {name: manifest.read(folder) for name, folder in folders.items()}
        states = {name: _state(one, before.get(name)) for name, one in manifests.items()}
        yield Version(tag, commit, dates[commit], states)
        before = manifests


def _state(build: Manifest, before: Manifest | None) -> State:
    known = set(before.digests()) if before else set()
    return State(
        rows=build.rows,
        change=build.rows - (before.rows if before else 0),
        shards=len(build.shards()),
        new_shards=len({*build.digests()} - known),
        withdrawn=build.outcomes()[Outcome.WITHDRAWN],
        edits=sum(table.rows for table in build.tables if table.file == EDITS),
        appended=len(build.appended),
    )
