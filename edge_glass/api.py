"""What `import edge_glass` gives: each verb as a function with plain arguments and a typed result.

The command line does the same with the same code; nothing here prints but progress.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge_glass.api_arguments import StrPath, folder_of, lists_are, path_of, progress_bars
from edge_glass.core import ledger, locations, manifest, names, parquet
from edge_glass.core.errors import ConfigError
from edge_glass.core.manifest import Manifest
from edge_glass.core.progress import Progress
from edge_glass.core.visible import Result, Summary

if TYPE_CHECKING:
    import pyarrow as pa

    from edge_glass.audit.audits import AuditResult
    from edge_glass.audit.verify import Finding
    from edge_glass.core.spec import Own
    from edge_glass.corpora.understand import Choices
    from edge_glass.pipeline.estimate import Plan
    from edge_glass.release.publish import Release
    from edge_glass.sources.row_fetch import Network


@dataclass(frozen=True, repr=False)
class Build(Result):
    """A config that is built: its folder, and the manifest that says what lies in it."""

    folder: Path
    manifest: Manifest

    def ledger(self) -> "pa.Table":
        """What became of every source row, a row each."""
        return parquet.table(self.folder / ledger.FILE)

    def report(self) -> Path:
        """Draw the report over all builds beside this one. Returns the page, an HTML file."""
        from edge_glass.release import write_card

        write_card.write_report(self.folder.parent)
        return self.folder.parent / names.REPORT

    def load(self, split: str | None = None) -> Any:
        """The rows, without a copy of them.

        Args:
            split: one of the config's; all of them without it.

        Returns:
            A `datasets.Dataset`, or without `split` a `DatasetDict`.
        """
        return load(self.manifest.config, self.folder.parent, split=split)

    def _summary(self) -> Summary:
        summary = self.manifest._summary()
        return replace(summary, title=f"{summary.title} in {self.folder}")


def build(
    config: StrPath,
    out: StrPath = "data",
    *,
    raw: StrPath | None = None,
    jobs: int = 1,
    name: str | None = None,
    limit: int | None = None,
    unverified: bool = False,
    mirror: str | None = None,
    retry_failed: bool = False,
    refresh: StrPath | None = None,
    obey: Sequence[StrPath] = (),
    ray: str | None = None,
    network: "Network | None" = None,
    choices: "Choices | None" = None,
    where: str | None = None,
    progress: bool = True,
    **parameters: Any,
) -> Build:
    """Build a config into `out/<config>/`, and the card beside it; go on if it was stopped.

    Args:
        config: a published config, see `edge-glass list`, or data of your own.
        out: the folder that gets `<config>/`.
        raw: raw files on disk; the network is left alone.
        jobs: processes. They do not run the script that calls this, so it needs no guard.
        name: of the variant that `parameters` make; by default it is made of them.
        limit: only the first so many rows of a split.
        unverified: take raw files whose checksum differs.
        mirror: URL of a folder to fetch from before upstream.
        retry_failed: fetch again what may arrive now.
        refresh: an earlier build; only what changed since is fetched.
        obey: builds or versions whose withdrawals and edits hold for this one, too.
        ray: the address of a Ray cluster that does the work.
        network: how the far end is asked.
        choices: how data of your own are read, where that is to be said.
        where: `config` is the folder of a build: only its rows for which this holds, an expression
            over columns and scores such as `clip >= .28`, as the config `name`.
        progress: say on the standard error how far it is.
        parameters: of the config, such as `sample_rate=22050` or `subset=500`.

    Returns:
        The build. `print` shows its rows, a notebook a table.

    Raises:
        ChoiceError: data of your own can be read in several ways; its `choices` are the options.
        ConfigError: there is no such config or parameter, or arguments do not go together.
        EdgeGlassError: what is wrong, and what to do.

    Examples:
        >>> made = edge_glass.build("clotho_16k", raw="/data/CLOTHO", subset=500)
        >>> made.ledger().num_rows
    """
    from edge_glass.corpora import catalog
    from edge_glass.pipeline import unused_options
    from edge_glass.pipeline.build import Options
    from edge_glass.release import write_card
    from edge_glass.sources.row_fetch import Network

    lists_are(obey=obey)
    if where is not None:
        unused = [raw, limit, mirror, refresh, ray, network, choices, *obey, *parameters]
        if unverified or retry_failed or any(one is not None for one in unused):
            raise ConfigError(
                "where takes rows of a build as they are: give only config, out, name and jobs"
            )
        rest = write_card.filtered(Path(config), folder_of(out), name, where, jobs)
        return Build(folder_of(out) / rest.config, rest)
    variant = catalog.variant(str(config), parameters, name, _own(str(config), choices, raw))
    network = network or Network()
    given = {"raw": raw, "mirror": mirror, "unverified": unverified}
    given |= {"retry_failed": retry_failed, "refresh": refresh}
    unused_options.check(variant, given, network)
    options = Options(
        raw=path_of(raw),
        jobs=jobs,
        limit=limit,
        mirror=mirror,
        unverified=unverified,
        network=network,
        ray=ray,
        retry_failed=retry_failed,
        refresh=path_of(refresh),
        obey=(*(locations.at(str(one)) for one in obey),),
    )
    build_manifest = write_card.build(variant, folder_of(out), options, progress_bars(progress))
    return Build(folder_of(out) / variant.name, build_manifest)


def plan(
    config: StrPath,
    out: StrPath = "data",
    *,
    raw: StrPath | None = None,
    name: str | None = None,
    limit: int | None = None,
    choices: "Choices | None" = None,
    **parameters: Any,
) -> "Plan":
    """What a build of `config` will fetch and make; nothing is fetched.

    Args:
        config: a published config, see `edge-glass list`, or data of your own.
        out: where the build will go: the room on its disk is told, too.
        raw: raw files on disk, as for `build`.
        name: of the variant that `parameters` make.
        limit: only the first so many rows of a split.
        choices: how data of your own are read, as for `build`.
        parameters: of the config, as for `build`.

    Returns:
        Sources with their sizes and whether they are here, rows and shards of each split, licence.

    Raises:
        ChoiceError: as for `build`.
        ConfigError: there is no such config, parameter or value.

    Examples:
        >>> edge_glass.plan("clotho_16k").fetch_bytes
    """
    from edge_glass.corpora import catalog
    from edge_glass.pipeline import estimate, unused_options

    variant = catalog.variant(str(config), parameters, name, _own(str(config), choices, raw))
    unused_options.check(variant, {"raw": raw})
    plan = estimate.plan(variant, folder_of(out), path_of(raw), limit, progress_bars(False))
    if limit is not None and not plan.exact:
        raise ConfigError(f"limit: {estimate.UNCOUNTED}; leave it out")
    return plan


def verify(place: StrPath, *, progress: bool = True) -> list["Finding"]:
    """Read a build again, whole, and list all that is not as promised.

    Args:
        place: a folder that `build` made, `org/name@1.0.0` on the Hub, or a URL.
        progress: say on the standard error how far it is.

    Returns:
        Findings, each with config, place and what is wrong; an `error` is a fault of the build, a
        `note` upstream's doing. None if all is well.

    Raises:
        DataError: nothing is built there, or its manifest is damaged.
        NetworkError: the place is out of reach.

    Examples:
        >>> [finding for finding in edge_glass.verify("data") if finding.kind == "error"]
        []
    """
    from edge_glass.release.checks_papers import verify as check

    where = locations.at(str(place))
    with locations.errors_explained(where):
        return list(check(where, progress_bars(progress)))


def audit(
    place: StrPath,
    out: StrPath | None = None,
    *,
    checks: Sequence[str] | None = None,
    against: Sequence[StrPath] = (),
    jobs: int = 1,
    progress: bool = True,
) -> "dict[str, AuditResult]":
    """Audit a build: duplicates, leaks, odd signals and captions, wrong transcripts.

    Args:
        place: as of `verify`.
        out: gets `audit/<config>/`, by default beside the builds.
        checks: such as `duplicates`, `leaks`, `silence`, or a group of them; by default those of
            duplicates, signals and captions whose libraries are installed.
        against: other builds that rows may stand in, too.
        jobs: processes.
        progress: say on the standard error how far it is.

    Returns:
        By config how many rows each check named, and the file that lists them.

    Raises:
        ConfigError: there is no such check, or a library for it is missing.

    Examples:
        >>> edge_glass.audit("data", checks=["duplicates"])["clotho"].checks
    """
    from edge_glass.audit import audits
    from edge_glass.audit.drop import known

    lists_are(checks=checks or (), against=against)
    where = locations.at(str(place))
    bars = progress_bars(progress)
    groups, _ = known(checks or audits.usual(bars or Progress()))
    options = audits.Options(groups, jobs=jobs)
    others = [f for one in against for f in manifest.built(locations.at(str(one))).values()]
    with locations.errors_explained(where):
        return {
            config: audits.audit(folder, path_of(out) or folder.parent, options, others, bars)
            for config, folder in manifest.built(where).items()
        }


def push(
    place: StrPath,
    configs: Sequence[str],
    *,
    repo: str,
    version: str,
    private: bool = False,
    pr: bool = False,
    dry_run: bool = False,
) -> "Release":
    """Publish built configs of the folder `place` as a version of a dataset on the Hub.

    What was sent is not sent again, and the tag comes last: a version is whole or absent.

    Args:
        place: a folder that `build` made.
        configs: of those that are built there.
        repo: the dataset, `org/name`.
        version: that gets tagged, such as `1.0.0`.
        private: make a new repository private.
        pr: open a pull request and tag nothing.
        dry_run: say what would be sent, and send nothing.

    Returns:
        What was sent, removed and tagged.

    Raises:
        ConfigError: no config is named.
        DataError: a build is not whole, or does not balance.
        HubError: the version exists, or the Hub refuses.

    Examples:
        >>> edge_glass.push("data", ["clotho_16k"], repo="org/edge-glass", version="1.0.0")
    """
    from edge_glass.release import publish

    lists_are(configs=configs)
    return publish.push(
        Path(place), list(configs), repo, version, private=private, pr=pr, dry_run=dry_run
    )


def load(
    config: str,
    repo: StrPath,
    version: str | None = None,
    split: str | None = None,
    streaming: bool = False,
) -> Any:
    """Load a config of a dataset on the Hub or of a folder that `build` made.

    The same version gives the same rows online and offline. Audio decodes without torch to
    `{"array": float32, "sampling_rate": Hz, "path": …}`.

    Args:
        config: its name.
        repo: `org/name`, `org/name@1.0.0`, or the folder.
        version: of the dataset; the last one if it is not given.
        split: all of them if it is not given.
        streaming: read rows as they are asked for, and keep nothing.

    Returns:
        A Dataset, or a DatasetDict without `split`; iterable ones with `streaming`.

    Raises:
        ConfigError: there is no such folder or config.
        HubError: there is no such dataset or version.
        NetworkError: it is not in the cache, and the Hub is out of reach.

    Examples:
        >>> edge_glass.load("clotho_16k", "org/edge-glass", version="1.0.0", split="train")[0]
    """
    from edge_glass.release.load import load as read

    return read(config, repo if isinstance(repo, str) else Path(repo), version, split, streaming)


def export(
    place: StrPath,
    out: StrPath,
    format: Literal["webdataset", "files", "tsv", "labels", "vidore"] = "webdataset",
) -> None:
    """Write a build in a layout that others read.

    Args:
        place: the folder of a config, here or behind a URL.
        out: gets `<split>/`.
        format: tars as img2dataset writes them; media files in folders; a table of files with
            captions and labels; arrays of labels; a retrieval set as ViDoRe v3 has it.

    Raises:
        ConfigError: the build has no such columns.

    Examples:
        >>> edge_glass.export("data/pixmo_cap_10k", "tars")
    """
    from edge_glass.release.export import export as write

    with locations.errors_explained(str(place)):
        write(locations.at(str(place)), folder_of(out), format)


def _own(place: str, choices: "Choices | None", raw: StrPath | None) -> "Own | None":
    from edge_glass.corpora import catalog
    from edge_glass.corpora.understand import understand

    if raw is not None and catalog.is_data(place):
        raise ConfigError(f"raw: {place} is where the data are; leave it out")
    return understand(place, choices).own if choices else None
