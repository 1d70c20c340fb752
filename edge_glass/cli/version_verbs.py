"""The commands about versions: publish, compare, build again; and those about this machine."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_glass.cli.options import Jobs, Place, RawDir, terminal_progress
from edge_glass.cli.session import verb
from edge_glass.core.processors import cores

if TYPE_CHECKING:
    from edge_glass.release.diff import Difference


@verb("diff org/edge-glass@1.0.0 data")
def diff(
    old: Place,
    new: Place,
    plot: Annotated[Path | None, "FILE", "Draw the outcomes into this SVG."] = None,
    page: Annotated[Path | None, "FILE", "HTML of rows side by side, at most 2 MB."] = None,
) -> None:
    """Compare two builds: rows, columns, outcomes. Exits 1 if anything differs."""
    from edge_glass.core import locations
    from edge_glass.release import diff as versions
    from edge_glass.release import diff_page

    before, after = locations.at(old), locations.at(new)
    with locations.errors_explained(before), locations.errors_explained(after):
        differences = list(versions.diff(before, after))
        if page is not None:
            diff_page.write(differences, before, after, page)
    if plot is not None:
        versions.plot(differences, plot)
    _print_differences(differences)


@verb("history org/edge-glass")
def history(
    repo: Annotated[
        str, typer.Argument(metavar="REPO", help="org/name on the Hub; @1.1.0: up to that.")
    ],
) -> None:
    """List the versions of a dataset: when each was made, and its rows, withdrawals, edits."""
    from edge_glass.cli import terminal
    from edge_glass.release.history import history as versions

    listed = list(versions(repo))
    if terminal.printed_as_json(listed):
        return
    heads = ["version", "date", "config", "rows", "change", "shards", "new", "withdrawn", "edits"]
    heads += ["appended"]
    rows = (
        [version.tag, version.date[:10], config, *vars(state).values()]
        for version in listed
        for config, state in version.configs.items()
    )
    terminal.table(repo, heads, rows)


@verb("reproduce org/edge-glass 1.0.0 --config clotho_16k")
def reproduce(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The dataset on the Hub, org/name.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version, e.g. 1.0.0.")],
    config: Annotated[list[str] | None, "Only this config; may be repeated."] = None,
    out: Annotated[Path, "DIR", "The folder to build it into."] = Path("reproduced"),
    raw: RawDir = None,
    jobs: Jobs = None,
) -> None:
    """Build a version again from its manifests: byte-identical, or which rows differ and why."""
    from edge_glass.core import locations
    from edge_glass.pipeline.build import Options
    from edge_glass.release.rebuild import reproduce as again

    # sources are held against the manifest, whatever upstream publishes by now
    options = Options(raw=raw, jobs=jobs or cores(), unverified=True)
    there = locations.at(f"{repo}@{version}")
    with locations.errors_explained(there):
        differences = list(again(there, out, config or [], options, terminal_progress()))
    _print_differences(differences)


@verb("docs --out site")
def docs(
    out: Annotated[Path, "DIR", "Folder for DIR/index.html."] = Path("site"),
) -> None:
    """The catalogue as a page: every corpus with what, how much, licence and a row of it."""
    from edge_glass.cli import terminal
    from edge_glass.release import catalogue as page

    terminal.paths([page.write(out, terminal_progress())])


@verb("cache --clear unpacked")
def cache(
    clear: Annotated[str | None, "PART", "Remove what is in this part."] = None,
) -> None:
    """Show what is in the folder of downloads ($EDGE_GLASS_CACHE), and how large it is."""
    from edge_glass.cli import terminal
    from edge_glass.core import units
    from edge_glass.pipeline import cache as parts
    from edge_glass.sources.obtain import store

    for path in parts.clear(clear) if clear else []:
        terminal.say(f"{path}: Edge Glass did not write it: kept")
    listed = parts.parts()
    if terminal.printed_as_json(listed):
        return
    rows = [(part.name, part.files, units.size(part.bytes), part.what) for part in listed]
    terminal.table(str(store()), ["part", "files#", "size#", "what it is; when cleared"], rows)


def _print_differences(differences: list["Difference"]) -> None:
    """What differs; the exit code says whether anything does."""
    from edge_glass.cli import terminal

    if not terminal.printed_as_json(differences):
        for difference in differences:
            terminal.difference(difference)
    raise typer.Exit(0 if all(difference.identical for difference in differences) else 1)


@verb("push clotho --from data --repo org/edge-glass --version 1.0.0")
def push(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Configs to publish.")],
    from_: Annotated[
        Path, typer.Option("--from", metavar="DIR", help="A folder that `build` made.")
    ],
    repo: Annotated[str, "The dataset on the Hub, org/name."],
    version: Annotated[str, "The version that gets tagged, e.g. 1.0.0."],
    private: Annotated[bool, "Make a new repository private."] = False,
    pr: Annotated[bool, "Open a pull request, tag nothing."] = False,
    dry_run: Annotated[bool, "Show what would be sent."] = False,
) -> None:
    """Publish builds as a version on the Hub: shards, ledger and card first, the tag last."""
    from edge_glass.cli import terminal
    from edge_glass.release import publish

    done = publish.push(from_, names, repo, version, private=private, pr=pr, dry_run=dry_run)
    terminal.result(done, partial(terminal.release, dry_run=dry_run))
