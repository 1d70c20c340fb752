"""What a build finds where it will be: a complete one, a broken one, work that was stopped."""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_glass.core import finished, manifest, records
from edge_glass.core.errors import ConfigError, DataError, EdgeGlassError
from edge_glass.core.manifest import WITHDRAWN, File, Inputs, Manifest
from edge_glass.core.progress import Progress
from edge_glass.core.revisions import Revisions
from edge_glass.core.schema import Plain
from edge_glass.corpora.catalog import Variant
from edge_glass.corpora.corpus import Corpus
from edge_glass.pipeline.remote_output import Away
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import Network

NAMED = 5  # modules that differ


@dataclass(frozen=True)
class Options:
    """What a build does not put into its output, with `limit` the one exception."""

    raw: Path | None = None
    jobs: int = 1
    limit: int | None = None
    mirror: str | None = None
    unverified: bool = False
    network: Network = field(default_factory=Network)
    ray: str | None = None  # the address of a cluster that does the work in place of `jobs`
    away: Away | None = None  # where shards go, if not into the output folder
    retry_failed: bool = False  # fetch again what may fare better now, of a build that is complete
    refresh: Path | None = None  # an earlier build: fetch only what changed since
    allow_empty: bool = True  # a build without a row is a build
    check: bool = False  # read every file of a complete build, whatever its time of change
    keep: bool = False  # go on with what other code made
    rebuild: bool = False  # make a complete build again, and what other code began
    by_this_code: bool = False  # make again what other code made
    obey: tuple[Path, ...] = ()  # builds whose withdrawals and edits hold for this one, too

    def __post_init__(self) -> None:
        for name, number in (("jobs", self.jobs), ("limit", self.limit)):
            if number is not None and number < 1:
                raise ConfigError(f"{name}: expected 1 or more, found {number}")

    def everywhere(self) -> "Options":
        """With paths that mean the same in any process."""
        raw, refresh = self.raw, self.refresh
        return replace(self, raw=raw and raw.absolute(), refresh=refresh and refresh.absolute())


@dataclass(frozen=True)
class _Begun(Plain):
    """What the work of a build under way is made of."""

    inputs: Inputs
    code: dict[str, str]  # module -> digest
    before: str | None = None  # digest of the ledger of the build that it starts from


@dataclass(frozen=True)
class Job:
    """A build that is to be made in `folder`, for its place `final`."""

    variant: Variant
    corpus: Corpus
    raw: Raw
    options: Options
    described: Inputs
    folder: Path
    final: Path
    revisions: Revisions
    before: Path | None = None  # a build whose rows are taken where they stand
    mended: Manifest | None = None  # of the build in `final`, if some of its files are broken
    broken: frozenset[str] = frozenset()

    def files(self, build: Manifest) -> list[File]:
        """The files of a build that are here."""
        return [*build.tables, build.ledger] if self.options.away else build.files()


def revised(described: Inputs, final: Path, options: Options) -> tuple[Inputs, Revisions]:
    """The inputs with the withdrawals and edits that a build obeys: those of earlier builds.

    Raises DataError where rows were appended to the build that is there.
    """
    every, build = Revisions.none(described), None
    ours = every
    try:
        build = manifest.read(final)
    except EdgeGlassError:
        if (final / WITHDRAWN).is_file():  # a list that nobody can vouch for, and nobody may lose
            raise
    if build and build.appended:
        raise DataError(
            f"{final}: rows were appended to it, which a build of one source would lose: build "
            "into another --out, and append that"
        )
    if build and build.corpus == described.corpus:
        every = ours = Revisions.of(build, final)
    for place in filter(None, (options.refresh, *options.obey)):
        folder = manifest.built(place).get(described.config, place / described.config)
        every |= Revisions.of(manifest.read(folder), folder)
    described = every.described(described)
    if build and every == ours:  # whatever release of a library wrote them
        described = replace(described, tables=build.tables)
    return described, every


def left_alone(job: Job, progress: Progress) -> tuple[Manifest | None, Job]:
    """The complete build if it stays as it is; the job, with what is taken from earlier builds.

    Raises DataError where other code made it and it is to be mended.
    """
    options, final = job.options, job.final
    refreshed = _refreshed(options.refresh, job) if options.refresh else None
    current = None if options.rebuild else already(final, job.described)
    if current is None:
        _tell_other_inputs(job, progress)
        return None, _from(job, refreshed)
    faults = finished.broken(final, job.files(current), options.check)
    again = current.heals and _again(job.raw, options)
    before = refreshed if refreshed and refreshed.resolve() == final.resolve() else None
    before = final if again and options.retry_failed else before
    if finished.other_code(current, job.described) and not options.keep:
        if options.by_this_code:
            return None, job
        if not (faults or before):
            return current, job
        raise DataError(
            f"{_other_code(job, current)}: --keep continues it with this code, --rebuild makes all "
            "of it again"
        )
    if faults and before:
        finished.check(final, job.files(current))
    if faults:
        differences = "; ".join(f"{name} {fault}" for name, fault in faults.items())
        progress.say(f"{final}: {differences}: made again")
        mended = None if options.away else current
        job = replace(_from(job, final), before=None, mended=mended, broken=frozenset(faults))
        return None, job
    return (None, _from(job, before)) if again or before else (current, job)


def _from(job: Job, before: Path | None) -> Job:
    """The job that takes rows or shards from an earlier build, other code's in part perhaps."""
    if before is None:
        return job
    described = finished.made_by_both(manifest.read(before), job.described)
    return replace(job, before=before, described=described)


def _other_code(job: Job, build: Manifest) -> str:
    """How the code differs that made the complete build."""
    known, code = finished.code(job.final), job.corpus.code()
    other = finished.differing_code(build, job.described, known, code)
    more = f" and {len(other) - NAMED} more" if len(other) > NAMED else ""
    return f"{job.final} was made by other code ({', '.join(other[:NAMED])}{more})"


def tell_other_code(job: Job, build: Manifest, progress: Progress) -> None:
    """Note how the files are, and say so if it was not this code that made them."""
    ours = not finished.other_code(build, job.described)
    if not ours:
        progress.say(f"{_other_code(job, build)} and stays as it is: --rebuild makes it again")
    code = job.corpus.code() if ours else finished.code(job.final)
    places = job.corpus.request().own_places()
    finished.remember(job.final, job.files(build), code, places)


def _again(raw: Raw, options: Options) -> bool:
    """Whether to look once more for what did not arrive the last time.

    Without being asked only where the rest is remembered, so that nothing is fetched twice.
    """
    remembered = all(remote.remembers for remote in raw.remote.values())
    return bool(raw.remote) and (options.retry_failed or remembered)


def _refreshed(place: Path, job: Job) -> Path:
    """The folder of the build that is to be refreshed. Raises if it was made of something else."""
    name = job.variant.name
    folder = manifest.built(place).get(name, place / name)
    build = manifest.read(folder)
    if other := finished.other_inputs(build, job.described):
        raise DataError(
            f"{name}: {folder} was made with other {', '.join(other)}; only the same rows "
            "can be refreshed: build afresh into another --out, then `edge-glass diff` the two"
        )
    if finished.other_code(build, job.described) and not job.options.keep:
        raise DataError(
            f"{name}: {folder} was made by other code or libraries: --keep takes its rows "
            "anyway, or build afresh into another --out, then `edge-glass diff` the two"
        )
    return folder


def already(final: Path, described: Inputs) -> Manifest | None:
    """The manifest of a finished build of the same inputs, by whatever code."""
    try:
        build = manifest.read(final)
    except EdgeGlassError:
        return None
    return None if finished.other_inputs(build, described) else build


def whole(folder: Path, described: Inputs) -> Manifest | None:
    """The manifest of a build that was stopped before it was moved to its place."""
    build = already(folder, described)
    ours = build and build.builder == described.builder
    return build if build and ours and not finished.broken(folder, build.files(), True) else None


def _tell_other_inputs(job: Job, progress: Progress) -> None:
    """Say why a complete build is made again."""
    with suppress(EdgeGlassError):
        if other := finished.other_inputs(manifest.read(job.final), job.described):
            progress.say(f"{job.final} was made with other {', '.join(other)}: made again")


def open_folder(job: Job, progress: Progress) -> Inputs:
    """Keep the work of a build that was stopped if it had the same inputs, else start afresh.

    Returns the inputs that the manifest will tell of.
    """
    file, inputs = job.folder / "inputs.json", None
    before = manifest.read(job.before).ledger.sha256 if job.before else None
    begun = records.parsed(file, _Begun)
    if begun and begun.before == before and not finished.other_inputs(begun.inputs, job.described):
        inputs = _gone_on_with(job, begun)
    if inputs is None:
        if any(job.folder.glob("*.done.json")):
            progress.say(f"{job.folder}: perhaps made from other inputs: made again")
        file.unlink(missing_ok=True)  # first: what is half removed is nobody's
        shutil.rmtree(job.folder, ignore_errors=True)
        if job.options.away:
            job.options.away.forget(job.folder.name)
    inputs = inputs or job.described
    records.write(file, _Begun(inputs, job.corpus.code(), before).plain())
    for leftover in job.folder.glob("*.tmp"):
        leftover.unlink()
    return inputs


def _gone_on_with(job: Job, begun: _Begun) -> Inputs | None:
    """What a manifest tells of work that is gone on with; None if it is to be begun afresh.

    Raises EdgeGlassError if other code began it and nobody said what to do.
    """
    if not finished.other_code(begun.inputs, job.described):
        return job.described
    if job.options.keep:
        return finished.made_by_both(begun.inputs, job.described)
    if job.options.rebuild or job.options.by_this_code:
        return None
    code = job.corpus.code()
    other = finished.differing_code(begun.inputs, job.described, begun.code, code)
    raise DataError(
        f"{job.folder}: other code began this build ({', '.join(other)}): --keep keeps the shards "
        "that it made, --rebuild makes them again"
    )
