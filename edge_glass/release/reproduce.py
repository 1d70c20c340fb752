"""A version is built again, out of what its manifests say, and held against what was published."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_glass.core import manifest
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.core.manifest import Manifest
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.corpora.catalog import Variant
from edge_glass.pipeline.build import Options
from edge_glass.release.diff import Difference, compare
from edge_glass.release.write_card import build


def reproduce(
    version: Path, out: Path, names: list[str], options: Options, progress: Progress | None = None
) -> Iterator[Difference]:
    """Build configs of a version (all, without `names`) into `out`: what differs, one at a time.

    A build that is there already is gone on with, if this code made it. Raises EdgeGlassError if
    the version has no such config, nothing here can build it, or files of it are damaged.
    """
    published = manifest.built(version)
    if absent := [name for name in names if name not in published]:
        raise ConfigError(
            f"{version}: no config {', '.join(absent)}; there are {', '.join(published)}"
        )
    for name in names or published:
        if manifest.read(published[name]).appended:
            raise DataError(
                f"{version}: rows were appended to {name}: build each part, and append it to the "
                "one before; its manifest tells their sources"
            )
        options = replace(options, by_this_code=True, obey=(published[name],))
        build(recipe(manifest.read(published[name])), out, options, progress)
        yield compare(name, published[name], out / name)


def recipe(build: Manifest) -> Variant:
    """The variant that a manifest tells of. Raises EdgeGlassError if it cannot be configured."""
    kind, name = catalog.variant_of(build, "", {}).kind, build.config
    base = name if name in kind.spec().configs else kind.corpus
    ours = catalog.variant_of(build, base, {}).builder().parameters()
    theirs = build.parameters
    overrides = {key: value for key, value in theirs.items() if ours.get(key) != value}
    kind.configure(base, name, **overrides)
    return catalog.variant_of(build, base, overrides)
