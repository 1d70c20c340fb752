"""Options that the sources of configs have no use for: one rule for commands and for Python."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from edge_glass.core.errors import ConfigError
from edge_glass.core.spec import CLIPS
from edge_glass.sources.row_fetch import Network

if TYPE_CHECKING:
    from edge_glass.corpora.catalog import Variant

OF_CLIPS = ("--cookies", "--proxy", "--clips-at-once", "--clips-per-minute", "--clip-seconds")
OF_NETWORK = dict(
    zip(("cookies", "proxy", "at_once", "per_minute", "seconds"), OF_CLIPS, strict=True),
    beside_raw="--fetch-clips",
    web="--connections",
)
OF_URLS = ("--connections", "--per-host", "--intranet", "--retry-failed", "--refresh")
Unused = tuple[str, tuple[str, ...]]  # why options would do nothing, and their names


def unused_options(variants: list["Variant"], raw: bool, fetch_clips: bool) -> Iterator[Unused]:
    """Which options would do nothing for these configs, by their names on the command line.

    Args:
        variants: that are built.
        raw: whether a folder of raw files is given.
        fetch_clips: whether clips are fetched all the same.

    Yields:
        Why some do nothing, and which.
    """
    requests = [variant.builder().request() for variant in variants]
    specs = [variant.kind.spec() for variant in variants]
    fetched = {source.fetch for spec in specs for source in spec.sources.values()}
    if not fetched.intersection(CLIPS):
        yield "no clips are fetched for these configs", ("--fetch-clips", *OF_CLIPS)
    elif raw and not fetch_clips:
        yield "with --raw no clips are fetched, but for --fetch-clips", OF_CLIPS
    if not fetched - {*CLIPS, None}:
        yield "these configs name no URLs", OF_URLS
    if requests and all(each.samples for each in requests):
        yield "bundled files are read, no others", ("--raw",)
    if raw or (requests and not any(each.has_addresses for each in requests)):
        yield "nothing is fetched from addresses of upstream", ("--mirror",)
    if not raw:
        yield "it is about the files of --raw", ("--unverified", "--fetch-clips")
    sources = [source for each in requests for source in each.sources.values()]
    if not any(source.checksum or source.rows is not None for source in sources):
        yield "upstream says no checksums and no numbers of rows", ("--unverified",)


def check(variant: "Variant", given: Mapping[str, object], network: Network | None = None) -> None:
    """Look for arguments of a function that would do nothing.

    Args:
        variant: that is built.
        given: arguments by name; what is false is not given.
        network: how the far end is asked.

    Raises:
        ConfigError: there are some.
    """
    if given.get("refresh") and given.get("retry_failed"):
        raise ConfigError("retry_failed: it has no use beside refresh; leave it out")
    names = {key: f"--{key.replace('_', '-')}" for key, value in given.items() if value}
    names |= {f"network.{name}": option for name, option in _changed(network or Network())}
    beside_raw = network is not None and network.beside_raw
    for why, options in unused_options([variant], given["raw"] is not None, beside_raw):
        if unused := [key for key, option in names.items() if option in options]:
            raise ConfigError(f"{', '.join(unused)}: {why}; leave it out")


def _changed(network: Network) -> Iterator[tuple[str, str]]:
    """What is not as usual: its name in Python, and on the command line."""
    usual = Network()
    for name, option in OF_NETWORK.items():
        if getattr(network, name) != getattr(usual, name):
            yield name, option
