"""The commands that look at builds, or write them as others read them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_glass.cli import session
from edge_glass.cli.options import Built, Place, one_build, terminal_progress
from edge_glass.cli.session import verb
from edge_glass.core.errors import ConfigError, absent
from edge_glass.core.processors import cores

if TYPE_CHECKING:
    from edge_glass.core.manifest import Manifest


@verb("verify data")
def verify(directory: Place) -> None:
    """Read everything again: checksums, media, rates, ids, captions, ledger. Exits 1 on a fault."""
    from edge_glass.cli import terminal
    from edge_glass.core import finished, locations, manifest
    from edge_glass.release.checks_papers import verify as check

    where = locations.at(directory)
    with locations.errors_explained(where):
        findings = list(check(where, terminal_progress()))
    errors = sum(finding.kind == "error" for finding in findings)
    if not terminal.printed_as_json(findings):
        terminal.findings(findings)
        configs = ", ".join(manifest.built(where))
        terminal.say(f"{configs}: {errors} errors, {len(findings) - errors} notes")
        wrong = {each.config for each in findings if each.kind == "error"}
        for config in (name for name in manifest.built(where) if name in wrong):
            terminal.say(finished.mends(where / config))
    raise typer.Exit(1 if errors else 0)


@verb("ledger data --reason missing_media")
def ledger(
    directory: Place,
    reason: Annotated[str | None, "List all rows with this outcome."] = None,
) -> None:
    """The outcome of each source row: counts, and the rows that were dropped."""
    from edge_glass.cli import terminal
    from edge_glass.core import ledger as ledgers
    from edge_glass.core import locations, manifest

    if reason is not None and reason not in list(ledgers.Outcome):
        raise ConfigError(absent("outcome", reason, ledgers.Outcome))
    session.spare_memory()
    listed = 0
    for config, folder in manifest.built(locations.at(directory)).items():
        path, build = folder / ledgers.FILE, manifest.read(folder)
        entries = ledgers.dropped(path) if reason is None else ledgers.with_outcome(path, reason)
        if terminal.in_json:
            for row in entries:
                terminal.printed_as_json({"config": config, **row}, indent=None)
            continue
        terminal.builds([build])
        # what lists no row need not wait for what reads one
        rows = list(entries) if reason or any(s.dropped for s in build.splits.values()) else []
        listed += len(rows)
        if rows:
            terminal.ledger_rows(config, rows if reason else rows[: terminal.SHOWN], len(rows))
    if reason and not listed and not terminal.in_json:
        terminal.say(f"No row of {directory} has the outcome {reason}.")


@verb("report data")
def report(directory: Built) -> None:
    """Make report.html again: what was kept, some rows, class frequencies, captions, overlaps."""
    from edge_glass.cli import terminal
    from edge_glass.core import manifest, names
    from edge_glass.release import write_card

    folder = directory.parent if (directory / manifest.FILE).is_file() else directory
    write_card.write_report(folder)
    terminal.paths([folder / names.REPORT])


@verb("export data/pixmo_cap_10k --out tars --format webdataset")
def export(
    directory: Place,
    out: Annotated[Path, "The folder that gets OUT/<split>/."],
    format: Annotated[
        str, "webdataset (as img2dataset writes it), files, tsv, labels, vidore."
    ] = "webdataset",
    jpeg: Annotated[bool, "Write images of other kinds as JPEG, all as .jpg."] = False,
    name_by: Annotated[str | None, "The column that names the files."] = None,
) -> None:
    """Write a build in a layout that others read."""
    from edge_glass.cli import terminal
    from edge_glass.core import locations, manifest
    from edge_glass.release.export import export as write

    with locations.errors_explained(directory):
        folders = manifest.built(locations.at(directory))
        targets = {name: out if len(folders) == 1 else out / name for name in folders}
        for name, folder in folders.items():
            for left_out in write(folder, targets[name], format, jpeg, name_by):
                terminal_progress().say(f"{name}: {left_out}")
    terminal.paths(targets.values())


def filtered(
    names: list[str], out: str, name: str | None, condition: str, jobs: int | None
) -> "Manifest":
    """`build --where`: a build without some of its rows, as another config."""
    from edge_glass.release import write_card

    used = ("--where", "--out", "--name", "--jobs")
    session.only("with --where rows are taken out of a build as they are", *used)
    if len(names) != 1 or "://" in out:
        raise ConfigError(
            "--where: give the folder of one build, and a folder on this machine as --out"
        )
    folder = one_build(Path(names[0]))
    return write_card.filtered(folder, Path(out), name, condition, jobs or cores())
