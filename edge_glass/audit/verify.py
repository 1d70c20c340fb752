"""Re-read everything that was built, and list all that is not as promised.

The checks are the public functions of four modules; docs/verify.md lists them.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_glass.audit import checks_files, checks_ledger, checks_rows, checks_upstream
from edge_glass.audit.checked_build import CheckedBuild, CheckedRow, Finding
from edge_glass.audit.decoded_media import Sound, decoded
from edge_glass.core import finished, interrupts, manifest
from edge_glass.core.progress import Progress
from edge_glass.core.row import Example

__all__ = ["BUILD_CHECKS", "FILE_CHECKS", "ROW_CHECKS", "Finding", "verify"]


def _checks(room: ModuleType) -> list[Callable[..., Iterator[Any]]]:
    """The checks of a module: its public functions, in their order."""
    own = [each for each in vars(room).values() if isfunction(each)]
    return [f for f in own if f.__module__ == room.__name__ and not f.__name__.startswith("_")]


FILE_CHECKS = _checks(checks_files)  # before anything is read
ROW_CHECKS = _checks(checks_rows)
BUILD_CHECKS = [*_checks(checks_ledger), *_checks(checks_upstream)]  # after all rows


def verify(out: Path, progress: Progress | None = None) -> Iterator[Finding]:
    """Findings over every config built under `out`, as they are made.

    `out` may lie behind a URL (`locations.at`): it is read as it is needed, never kept on disk.
    """
    built = manifest.built(out)
    for config, folder in built.items():
        errors = 0
        for finding in _config(config, folder, progress or Progress()):
            errors += finding.kind == "error"
            yield finding
        if errors:
            finished.suspect(folder)
    for orphan in sorted(
        {path.parent for path in out.glob("*/*-of-*.parquet")} - {*built.values()}
    ):
        what = f"shards without a {manifest.FILE}: build again, or delete the folder"
        yield Finding("error", orphan.name, orphan.name, what)


def _config(name: str, folder: Path, progress: Progress) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as temp:
        build = CheckedBuild(name, folder, manifest.read(folder), Path(temp))
        try:
            yield from _run(FILE_CHECKS, build)
            yield from _rows(build, progress)
            yield from _run(BUILD_CHECKS, build)
        finally:
            build.close()


def _run(
    checks: Iterable[Callable[[CheckedBuild], Iterator[Finding]]], build: CheckedBuild
) -> Iterator[Finding]:
    for check in checks:
        for finding in check(build):
            yield replace(finding, check=check.__name__)


def _rows(build: CheckedBuild, progress: Progress) -> Iterator[Finding]:
    faults = 0
    before = ("", "")
    what = f"verify {build.name}"
    with (
        interrupts.guarded(),
        progress.rows(what, build.manifest.rows, lambda: (build.rows, faults)),
    ):
        for split, shard, example in build.to_check():
            row = _checked(build, split, shard, example)
            key = (split, row.sound.digest() if row.sound.heard else "")
            # the captions of a clip follow each other, a row each: it counts once
            if build.hears:
                build.sounds.add(key[1] if key[1] and key != before else f"row {build.rows}")
            before = key
            for check in ROW_CHECKS:
                for fault in check(build, row):
                    faults += 1
                    yield replace(build.error(row.where, fault), check=check.__name__)
        build.finish()


def _checked(build: CheckedBuild, split: str, shard: str, example: Example) -> CheckedRow:
    entry, number = build.pair(split, shard, example)
    sound = Sound()
    with interrupts.deferred:
        media = list(decoded(build.media_kinds, example, sound))
    build.ids.add(str(example["id"]))
    digests = build.digests.of(example)
    return CheckedRow(split, shard, example, entry, number, media, sound, digests)
