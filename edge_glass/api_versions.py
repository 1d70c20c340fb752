"""What `import edge_glass` gives for builds that are there: compared, changed, captioned, shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge_glass.api import Build
from edge_glass.api_arguments import StrPath, folder_of, lists_are, path_of, progress_bars
from edge_glass.core import locations
from edge_glass.core.manifest import Manifest
from edge_glass.core.progress import Progress

if TYPE_CHECKING:
    from edge_glass.release.certificate import Certificate
    from edge_glass.release.diff import Difference
    from edge_glass.release.history import Version
    from edge_glass.release.why import Origin


def diff(old: StrPath, new: StrPath) -> list["Difference"]:
    """What changed between two builds, config by config.

    Args:
        old: a place as of `verify`.
        new: the one that is held against it.

    Returns:
        Of each config whether it is byte-identical, and else rows by kind of difference, with ids.

    Raises:
        DataError: a config is in one of them alone, or a file is not what its manifest says.

    Examples:
        >>> [difference] = edge_glass.diff("org/x@1.0.0", "org/x@1.1.0")
        >>> difference.rows
        {'added': 12, 'changed caption': 3}
    """
    from edge_glass.release.diff import diff as compare

    before, after = locations.at(str(old)), locations.at(str(new))
    with locations.errors_explained(before), locations.errors_explained(after):
        return list(compare(before, after))


def history(repo: str) -> list["Version"]:
    """The versions of a dataset on the Hub, and what each changed in its configs.

    Args:
        repo: the dataset, `org/name`; `org/name@1.1.0` for those up to that one.

    Returns:
        The versions, in their order.

    Raises:
        ConfigError: it is a folder.
        HubError: there is no such dataset or version.

    Examples:
        >>> [version.tag for version in edge_glass.history("org/edge-glass")]
    """
    from edge_glass.release.history import history as versions

    return list(versions(repo))


def amend(
    place: StrPath,
    edits: StrPath,
    config: str | None = None,
    *,
    version: str | None = None,
    jobs: int = 1,
) -> dict[str, Manifest]:
    """Correct texts of the builds of a folder, or of `org/name` on the Hub.

    Args:
        place: a folder that `build` made, or a dataset on the Hub.
        edits: Parquet with the columns id, column, value, who and why.
        config: only this one.
        version: on the Hub, the version that this makes.
        jobs: processes.

    Returns:
        The manifests, by config.

    Raises:
        EdgeGlassError: a row or a column is not there, or holds no text.

    Examples:
        >>> edge_glass.amend("data", "edits.parquet")
    """
    from edge_glass.release.amend import amend as correct

    return correct(str(place), Path(edits), config, version, jobs)[0]


def append(
    place: StrPath,
    new: StrPath,
    config: str | None = None,
    *,
    on_same: Literal["skip", "error", "replace"] = "skip",
    version: str | None = None,
    jobs: int = 1,
) -> dict[str, Manifest]:
    """Put the rows of the builds in `new` behind those of a folder, or of `org/name` on the Hub.

    Args:
        place: a folder that `build` made, or a dataset on the Hub.
        new: builds of the same configs (places as of `verify`), or a folder of raw files of them.
        config: only this one.
        on_same: what becomes of ids that are there already.
        version: on the Hub, the version that this makes.
        jobs: processes.

    Returns:
        The manifests, by config.

    Raises:
        EdgeGlassError: the two are not of one corpus, features and parameters.

    Examples:
        >>> edge_glass.append("data", "more")
    """
    from edge_glass.release.append import append as join

    return join(str(place), str(new), config, on_same, version, jobs)[0]


def compact(
    place: StrPath,
    raw: StrPath | None = None,
    config: str | None = None,
    *,
    version: str | None = None,
    jobs: int = 1,
) -> dict[str, Manifest]:
    """Make configs that grew by appends anew, byte for byte as one build of the same rows does.

    Args:
        place: a folder that `build` made, or a dataset on the Hub.
        raw: the sources of the last append, with all that was appended before.
        config: only this one.
        version: on the Hub, the version that this makes.
        jobs: processes.

    Returns:
        The manifests, by config.

    Raises:
        EdgeGlassError: the sources do not give the same rows; nothing is changed.

    Examples:
        >>> edge_glass.compact("data", raw="sources")
    """
    from edge_glass.pipeline.build import Options
    from edge_glass.release.rebuild import compact as in_one_go

    options = Options(raw=None if raw is None else Path(raw), jobs=jobs, unverified=True)
    return in_one_go(str(place), options, config, version)[0]


def caption(
    place: StrPath,
    *,
    model: str,
    base_url: str,
    column: str | None = None,
    name: str | None = None,
    language: str | None = None,
    connections: int = 16,
    tokens: int | None = None,
    progress: bool = True,
) -> Build:
    """Ask a model for a caption of each row of a build; goes on with the rows that have none.

    Args:
        place: the folder of a config that `build` made.
        model: its name, as the server knows it.
        base_url: of a server that speaks OpenAI's protocol, such as `http://localhost:8000/v1`.
        column: of images, frames or sounds; by default the only one.
        name: of the new config; by default `<config>_captioned`.
        language: to write in; English by default.
        connections: calls at once.
        tokens: that all runs on this build may take together.
        progress: say on the standard error how far it is.

    Returns:
        The new build, beside the other one, with the column `model_caption`.

    Raises:
        ConfigError: there is no such column.
        NetworkError: some rows brought no answer, or the budget is spent: call it again.

    Examples:
        >>> edge_glass.caption("data/pixmo_cap", model="m", base_url="http://localhost:8000/v1")
    """
    from edge_glass.domains.slides import captions, vision_model
    from edge_glass.release import write_card

    folder = Path(place)
    options = vision_model.Options(
        model, base_url, (captions.TASK,), language, at_once=connections, tokens=tokens
    )
    asked, build = captions.caption(folder, options, column, name, progress_bars(progress))
    asked.check(place, "rows")
    assert build is not None  # all rows have been answered
    write_card.write_report(folder.parent)
    return Build(folder.parent / build.config, build)


def page(
    place: StrPath,
    out: StrPath,
    config: str | None = None,
    *,
    data: str | None = None,
    embeddings: StrPath | None = None,
    progress: bool = True,
) -> Path:
    """Write a page of files alone, for any web server: the rows of a build, and a search.

    Args:
        place: a folder that `build` made, or `org/name@1.0.0`.
        out: the folder that gets the page.
        config: of several, or of a dataset on the Hub.
        data: URL where the page finds the shards; by default where they are now.
        embeddings: the folder that `embed` wrote; by default beside the builds.
        progress: say on the standard error how far it is.

    Returns:
        Its `index.html`.

    Raises:
        DataError: something else is in `out`.

    Examples:
        >>> edge_glass.page("data/pixmo_cap", "site")
    """
    from edge_glass.release.load import addressed
    from edge_glass.vectors import web_page

    folder, address = addressed(str(place), config, folder_of(out))
    bar = progress_bars(progress) or Progress()
    return web_page.write(folder, folder_of(out), data or address, path_of(embeddings), bar)


def withdraw(
    place: StrPath,
    config: str | None = None,
    *,
    ids: Sequence[str] = (),
    sha256: Sequence[str] = (),
    url: str | None = None,
    where: str | None = None,
    reason: str = "on request",
    version: str | None = None,
    certificate: StrPath | None = None,
    purge: bool = False,
    jobs: int = 1,
) -> "Certificate":
    """Take rows out of the builds of a folder, or of `org/name` on the Hub, for good.

    Args:
        place: a folder that `build` made, or a dataset on the Hub.
        config: only this one.
        ids: of rows.
        sha256: of their media.
        url: a pattern of their URLs, with `*` and `?`.
        where: SQL over columns that are no media, such as `speaker_id = 1089`.
        reason: published with the tombstones.
        version: on the Hub, the version that this makes.
        certificate: the folder that gets the certificate.
        purge: on the Hub, earlier versions and the history go, too.
        jobs: processes.

    Returns:
        What was changed, and what was read to see that nothing is left.

    Raises:
        ConfigError: `ids` or `sha256` is a text and no list.
        EdgeGlassError: no such row is there, or something of them is left.

    Examples:
        >>> edge_glass.withdraw("data", ids=["train/12"], reason="asked by mail")
    """
    from edge_glass.release.withdraw import Request
    from edge_glass.release.withdraw import withdraw as take_back

    lists_are(ids=ids, sha256=sha256)
    request = Request(frozenset(ids), frozenset(sha256), url, where, reason)
    papers = None if certificate is None else Path(certificate)
    return take_back(
        str(place), request, config,
        version=version, certificates=papers, jobs=jobs, purge_history=purge,
    )  # fmt: skip


def why(place: StrPath, id: str) -> list["Origin"]:
    """Where the row `id` comes from, in each config of a folder or a version that has it.

    Args:
        place: as of `verify`.
        id: of a row, or of one of its examples.

    Returns:
        Its source and record, what a server said, licence, consent, parameters, code, where it
        lies, what audits found and what was edited.

    Raises:
        EdgeGlassError: no config has such a row.

    Examples:
        >>> [origin] = edge_glass.why("org/edge-glass@1.0.0", "train/12")
        >>> origin.places[0].shard
    """
    from edge_glass.release.why import why as ask

    where = locations.at(str(place))
    with locations.errors_explained(where):
        return ask(where, id)
