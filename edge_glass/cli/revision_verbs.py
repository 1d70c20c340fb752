"""The commands that change a dataset row by row, and say where a row comes from."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edge_glass.cli.options import Jobs, Place, RawDir, terminal_progress
from edge_glass.cli.session import ignored, verb
from edge_glass.core.errors import ConfigError
from edge_glass.core.processors import cores

if TYPE_CHECKING:
    from edge_glass.core.manifest import Manifest
    from edge_glass.release.publish import Release

Changed = Annotated[
    str, typer.Argument(metavar="DIR", help="A folder that `build` made, or org/name.")
]
OneConfig = Annotated[
    str | None, typer.Argument(metavar="CONFIG", help="Only this config; default: all.")
]
Version = Annotated[str | None, "On the Hub: the new version."]


@verb("withdraw data --ids gone.txt --reason 'asked by mail'")
def withdraw(
    directory: Changed,
    config: OneConfig = None,
    ids: Annotated[Path | None, "FILE", "A file of ids, one a line."] = None,
    sha256: Annotated[Path | None, "FILE", "A file of sha256 of media, one a line."] = None,
    url: Annotated[str | None, "Pattern of URLs, e.g. 'https://example.com/*'."] = None,
    where: Annotated[str | None, "SQL over columns, e.g. 'speaker_id = 1089'."] = None,
    reason: Annotated[str, "The reason. It is published: name nobody."] = "on request",
    version: Version = None,
    certificate: Annotated[Path | None, "DIR", "Default: DIR/certificates."] = None,
    purge: Annotated[bool, "On the Hub: earlier versions and the history go, too."] = False,
    dry_run: Annotated[bool, "With --purge: show what would go, change nothing."] = False,
    jobs: Jobs = None,
) -> None:
    """Remove rows from shards, ledger and all that was made from them; with a certificate."""
    from edge_glass.cli import revision_output, terminal
    from edge_glass.release.withdraw import Request, plan_purge
    from edge_glass.release.withdraw import withdraw as take_back

    request = Request(_lines(ids), _lines(sha256), url, where, reason)
    if (purge and version is None) or (dry_run and not purge):
        raise ConfigError("--purge goes with --version, and --dry-run with --purge")
    if dry_run:
        ignored("a dry run writes nothing", "--certificate", "--jobs", "--reason")
        purged = plan_purge(directory, request, config, version)
        terminal.result(purged, revision_output.purge)
        return
    done = take_back(
        directory, request, config,
        version=version, certificates=certificate, jobs=jobs or cores(), purge_history=purge,
    )  # fmt: skip
    terminal.result(done, revision_output.withdrawn)


@verb("purge org/edge-glass --dry-run")
def purge(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The dataset on the Hub, org/name.")],
    dry_run: Annotated[bool, "Show what would go, change nothing."] = False,
) -> None:
    """Remove withdrawn rows from the history: versions that hold them are deleted for good."""
    from edge_glass.cli import revision_output, terminal
    from edge_glass.release.purge import withdrawn_before

    purged = withdrawn_before(repo, dry_run)
    terminal.result(purged, partial(revision_output.purge, done=not dry_run))


@verb("append data --from more")
def append(
    directory: Changed,
    new: Annotated[
        str,
        typer.Option("--from", metavar="DIR", help="Builds of the same configs, or raw files."),
    ],
    config: OneConfig = None,
    on_same: Annotated[
        Literal["skip", "error", "replace"], "For ids that are there: skip, error or replace."
    ] = "skip",
    version: Version = None,
    jobs: Jobs = None,
) -> None:
    """Add rows of another build behind those that are there; old shards stay as they are."""
    from edge_glass.release.append import append as join

    builds, release = join(
        directory, new, config, on_same, version, jobs or cores(),
        progress=terminal_progress(),
    )  # fmt: skip
    _say(builds, release)


@verb("amend data --edits edits.parquet")
def amend(
    directory: Changed,
    edits: Annotated[Path, "FILE", "Parquet: id, column, value, who, why."],
    config: OneConfig = None,
    version: Version = None,
    jobs: Jobs = None,
) -> None:
    """Correct texts; the table of edits is published with the rows."""
    from edge_glass.release.amend import amend as correct

    builds, release = correct(directory, edits, config, version, jobs or cores())
    _say(builds, release)


@verb("compact data --raw sources")
def compact(
    directory: Changed,
    config: OneConfig = None,
    raw: RawDir = None,
    version: Version = None,
    jobs: Jobs = None,
) -> None:
    """Build anew what grew by appends: the same bytes as one build of all rows."""
    from edge_glass.pipeline.build import Options
    from edge_glass.release.rebuild import compact as in_one_go

    options = Options(raw=raw, jobs=jobs or cores(), unverified=True)
    builds, release = in_one_go(directory, options, config, version, terminal_progress())
    _say(builds, release)


def _say(builds: "dict[str, Manifest]", release: "Release | None") -> None:
    from edge_glass.cli import terminal

    if terminal.printed_as_json([one.plain() for one in builds.values()]):
        return
    terminal.builds([*builds.values()])
    if release:
        terminal.release(release, dry_run=False)


@verb("why org/edge-glass@1.0.0 'train/12'")
def why(
    directory: Place,
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of a row.")],
) -> None:
    """Where a row comes from: source, licence, consent, code, shard, findings, edits."""
    from edge_glass.cli import revision_output, terminal
    from edge_glass.core import locations
    from edge_glass.release.why import why as ask

    where = locations.at(directory)
    with locations.errors_explained(where):
        origins = [asdict(origin) for origin in ask(where, id)]
    terminal.result(origins, revision_output.origins)


def _lines(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors write a mark first
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8: save it so") from None
    return frozenset(filter(None, text.split("\n")))
