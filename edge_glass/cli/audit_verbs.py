"""The command line's verb for audits."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Annotated

from edge_glass.cli.options import Jobs, Memory, Place, Ray, terminal_progress
from edge_glass.cli.session import ignored, verb
from edge_glass.core.errors import ConfigError
from edge_glass.core.processors import cores


@verb("audit data/clotho --check leaks,silence --drop-flagged")
def audit(
    directory: Place,
    check: Annotated[
        str | None, "Groups (duplicates, signals, captions, asr), checks, leaks; commas."
    ] = None,
    against: Annotated[list[str] | None, "DIR", "Another corpus; may be repeated."] = None,
    out: Annotated[Path | None, "DIR", "For DIR/audit/; default: where the build is."] = None,
    drop_flagged: Annotated[bool, "Make a config without the rows that were found."] = False,
    name: Annotated[str | None, "Name of that config; default: <config>_audited."] = None,
    language: Annotated[
        str | None, "Languages of captions, e.g. en,fr; default: the corpus's."
    ] = None,
    model: Annotated[str | None, "asr: tiny, base, …, org/model, or a CTranslate2 folder."] = None,
    memory: Memory = 4,
    jobs: Jobs = None,
    ray: Ray = None,
) -> None:
    """Duplicates, leaks, odd signals and captions, wrong transcripts: a table that names rows."""
    from edge_glass.audit import audits
    from edge_glass.audit.drop import LEAKS, drop, known
    from edge_glass.cli import terminal
    from edge_glass.core import locations, manifest
    from edge_glass.release import write_card

    where = locations.at(directory)
    built = manifest.built(where)
    if name and len(built) != 1:
        raise ConfigError("--name names one config: give the folder of one")
    progress = terminal_progress()
    given = [part.strip() for part in check.split(",")] if check else audits.usual(progress)
    groups, checks = known(given)
    _check_used(groups, drop_flagged)
    asked = {*checks, *(audits.CHECKS["duplicates"] if LEAKS in checks else ())}
    languages = [part.strip() for part in language.split(",")] if language else None
    workers = jobs or cores()
    options = audits.Options(groups, languages, model, workers, ray, int(memory * 1e9))
    others = [f for one in against or [] for f in manifest.built(locations.at(one)).values()]
    results = []
    for config, folder in built.items():
        place = out or (folder.parent if locations.is_local(folder) else Path("data"))
        with locations.errors_explained(where):
            audited = audits.audit(folder, place, options, others, progress)
            results.append(audited.plain())
            if not terminal.in_json:
                terminal.audit(place / audits.FOLDER / config, audited, asked)
            if drop_flagged:
                new = name or f"{config}_audited"
                making = partial(drop, folder, place, new, given, workers)
                build = write_card.with_card(place, new, making)
                write_card.write_report(place)
                if not terminal.in_json:
                    terminal.builds([build])
    terminal.printed_as_json(results)


def _check_used(groups: Collection[str], drops: bool) -> None:
    """Raise ConfigError over options that the groups of checks have no use for."""
    if not drops:
        ignored("it names the config that --drop-flagged makes", "--name")
    if "duplicates" not in groups:
        ignored("no check looks at two corpora", "--against")
    if "asr" not in groups:
        ignored("it is of --check asr", "--model")
    if not {"captions", "asr"}.intersection(groups):
        ignored("no check of captions is asked for", "--language")
