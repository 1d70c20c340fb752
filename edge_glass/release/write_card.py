"""What lies beside the builds of a folder: the card, and the report with its plots."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from edge_glass.core import locations, manifest, names, outputs
from edge_glass.core.atomic_files import disk_full
from edge_glass.core.manifest import Manifest
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.corpora.catalog import Variant
from edge_glass.pipeline.build import REMEDY, Options
from edge_glass.pipeline.build import build as make
from edge_glass.pipeline.remote_output import Away
from edge_glass.release import card

MARKS = {card.FILE: b"<!-- /edge-glass ", names.REPORT: b"<title>Edge Glass: what was built<"}


def check(out: Path, config: str, away: Away | None = None) -> None:
    """Raise EdgeGlassError if files of the user's lie where something is written beside a build."""
    marks = {**MARKS, names.picture(config): names.PICTURE_MARK}
    for place in [out, locations.at(away.url)] if away else [out]:
        for name, mark in marks.items():
            outputs.check_marked(place / name, mark)


def build(
    variant: Variant, out: Path, options: Options | None = None, progress: Progress | None = None
) -> Manifest:
    """Build a config as `pipeline.build` does, and write the card; returns the manifest."""
    options = options or Options()
    return with_card(out, variant.name, lambda: make(variant, out, options, progress), options.away)


def filtered(folder: Path, out: Path, name: str | None, condition: str, jobs: int = 1) -> Manifest:
    """Make a config of the rows of a build as `audit.where.filtered` does, and write the card.

    It is called `<config>_filtered` if it gets no name. Returns the manifest.
    """
    from edge_glass.audit import where  # DuckDB, as below

    new = name or f"{folder.name}_filtered"
    return with_card(out, new, lambda: where.filtered(folder, out, new, condition, jobs))


def with_card(
    out: Path, config: str, making: Callable[[], Manifest], away: Away | None = None
) -> Manifest:
    """Make a config, and write the card over all that is built in `out`.

    What was drawn of an earlier build of it is removed. Returns the manifest. Raises EdgeGlassError
    before anything is made if files of the user's lie in the way.
    """
    check(out, config, away)
    before = _bytes(out / config / manifest.FILE)
    current = making()
    with disk_full(out, REMEDY):
        if before not in (None, _bytes(out / config / manifest.FILE)):
            outdated(out, config)
        listed(out, away)
    return current


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def listed(out: Path, away: Away | None = None) -> None:
    """Write the card over all that is built in `out`."""
    with _alone(out):
        card.write(out, locations.at(away.url) if away else None)
    _send(out, [card.FILE], away)


def write_report(out: Path, away: Away | None = None) -> None:
    """Draw the report over all that is built in `out`, and its plots for the card."""
    from edge_glass.audit import report  # DuckDB and more, which the workers of a build do without

    for config in manifest.built(out):
        check(out, config, away)
    with disk_full(out, "Make room and run the same command again."), _alone(out):
        names = report.write(out)
        card.write(out, locations.at(away.url) if away else None)
    _send(out, [*names, card.FILE], away)


def outdated(out: Path, config: str) -> None:
    """Remove what was drawn of an earlier build of `config`."""
    check(out, config)
    for name in (names.REPORT, names.picture(config)):
        (out / name).unlink(missing_ok=True)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Builds of other configs may run into the same folder."""
    (out / HIDDEN).mkdir(parents=True, exist_ok=True)
    with FileLock(out / HIDDEN / "present.lock"):
        yield


def _send(out: Path, names: list[str], away: Away | None) -> None:
    if away:
        for name in names:
            away.put(out / name, name)
