"""Checks against what is known of upstream: the config's YAML, its counts, and its test sets."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.audit.checked_build import CheckedBuild, Finding, repeated
from edge_glass.core import ledger, parquet
from edge_glass.core.columns import MODEL_CAPTION, TEXT
from edge_glass.core.key_digests import Keys
from edge_glass.core.ledger import Outcome
from edge_glass.core.spec import Expected, Spec
from edge_glass.core.units import HOURS_SLACK
from edge_glass.corpora import catalog
from edge_glass.corpora.params import own_fields
from edge_glass.media.features import portable


def other_config(build: CheckedBuild) -> Iterator[Finding]:
    """Parameters of a published config are not those of its YAML."""
    manifest, spec = build.manifest, _same_version(build)
    if spec and manifest.config in spec.configs:
        kind = catalog.variant_of(manifest, manifest.config, {}).kind
        config = kind.configure(manifest.config, manifest.config)
        values = {name: getattr(config, name) for name in own_fields(type(config))}
        ours = json.loads(json.dumps(values))
        for name in sorted(ours.keys() | manifest.parameters.keys()):
            actual, promised = manifest.parameters.get(name), ours.get(name)
            if actual != promised:
                what = f"{name} is {actual!r}, {manifest.corpus}.yaml has {promised!r}: build again"
                yield build.error(manifest.config, what)


def other_features(build: CheckedBuild) -> Iterator[Finding]:
    """The features are not those that the corpus gives for the parameters."""
    manifest, spec = build.manifest, _same_version(build)
    if spec is None:
        return
    base = manifest.config if manifest.config in spec.configs else manifest.corpus
    variant = catalog.variant_of(manifest, base, manifest.parameters)
    features = portable(variant.builder().columns())
    if manifest.captions:
        features |= {MODEL_CAPTION: TEXT}
    if features != manifest.features:
        what = "its features are not those that its parameters give: build again"
        yield build.error(manifest.config, what)


def _same_version(build: CheckedBuild) -> Spec | None:
    """The corpus's YAML, if it is of the version that was built."""
    spec = catalog.of(build.manifest)
    return spec if spec and spec.version == build.manifest.version else None


def same_sound(build: CheckedBuild) -> Iterator[Finding]:
    """A note: rows of different splits have the same sound, sample for sample."""
    names = ((split, str(row["id"])) for split, _, row in build.examples(["id"]))
    for id, others in _across_splits(build.sounds, names):
        build.same_sounds.add(id)
        what = f"another split has the same sound, sample for sample: {', '.join(others)}"
        yield build.note(id, what)


def same_bytes(build: CheckedBuild) -> Iterator[Finding]:
    """A note: rows of different splits have the same media at upstream, byte for byte."""
    kept = ledger.with_outcome(build.folder / ledger.FILE, Outcome.KEPT)
    names = ((row["split"], row["id"]) for row in kept if row["sha256"])
    for id, others in _across_splits(build.media, names):
        if id not in build.same_sounds:
            what = f"upstream has the same bytes in another split: {', '.join(others)}"
            yield build.note(id, what)


def _across_splits(keys: Keys, rows: Iterator[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Ids whose key another split has as well, each with the ids there; of rows split and id."""
    for (first, id), *others in repeated(keys.groups(), rows):
        names = [name for split, name in others if split != first]
        if names:
            yield id, names


def other_source_rows(build: CheckedBuild) -> Iterator[Finding]:
    """A source has other rows than upstream publishes (a note, if it is not upstream's file)."""
    if (spec := _expected(build)) is None:
        return
    rows = sum((seen.sources for seen in build.splits.values()), Counter[str]())
    for used in build.manifest.sources:
        name = used.file
        expected = spec.sources[name].rows if name in spec.sources else None
        if expected is not None and rows[name] != expected:
            what = f"{rows[name]} rows, upstream publishes {expected}"
            yield _unlike_upstream(build, [name], name, what)


def other_published_rows(build: CheckedBuild) -> Iterator[Finding]:
    """A full build has other rows than it is known to have."""
    if (spec := _expected(build)) is None:
        return
    expected = spec.expected.published.get(build.name)
    if expected not in (None, build.manifest.rows) and build.manifest.limit is None:
        what = f"{build.manifest.rows} rows, a full build is known to have {expected}"
        yield _unlike_upstream(build, _all_sources(build), build.name, what)


def other_hours(build: CheckedBuild) -> Iterator[Finding]:
    """A split of a full build has other hours of sound than upstream publishes."""
    if (spec := _expected(build)) is None or not _everything(build):
        return
    for split, seen in build.splits.items():
        hours = [spec.sources[name].hours for name in seen.sources if name in spec.sources]
        facts = build.manifest.splits.get(split)
        seconds = facts.figures.seconds or 0 if facts else 0
        expected = sum(filter(None, hours))
        if expected and abs(seconds / 3600 - expected) > HOURS_SLACK:
            what = f"{seconds / 3600:.1f} hours, upstream publishes {expected:.1f}"
            yield _unlike_upstream(build, list(seen.sources), split, what)


def other_published_values(build: CheckedBuild) -> Iterator[Finding]:
    """A full build has other rows in a split, or of a value, than upstream publishes."""
    spec = _expected(build)
    if spec and _everything(build) and build.manifest.parameters.get("splits") is None:
        for where, what in _published_differences(build, spec.expected):
            yield _unlike_upstream(build, _all_sources(build), where, what)


def _published_differences(build: CheckedBuild, known: Expected) -> Iterator[tuple[str, str]]:
    """Where a build of the whole corpus differs (split or column), and how.

    Values are counted over what is published: rows that were dropped can explain what is missing.
    """
    manifest = build.manifest
    for split, expected in known.rows.items():
        rows = manifest.splits[split].total if split in manifest.splits else 0
        if rows != expected:
            yield split, f"{rows} rows, upstream publishes {expected}"
    total = sum(known.rows.values())
    dropped = total - manifest.rows if total else 0
    for column, expectations in known.values.items():
        counts = _value_counts(build, column)
        for value, expected in expectations.items():
            if not 0 <= expected - counts[value] <= max(dropped, 0):
                yield column, f"{counts[value]} rows of {value}, upstream publishes {expected}"


def _value_counts(build: CheckedBuild, column: str) -> Counter[str]:
    """How many rows have each value of a column, whose values may be lists and class numbers."""
    feature: Any = build.features.get(column)
    feature = getattr(feature, "feature", feature)
    names = feature.names if isinstance(feature, datasets.ClassLabel) else None
    counts: Counter[str] = Counter()
    files = [shard.file for shard in build.manifest.shards()]
    for file in files if feature is not None else []:
        if file not in build.damaged:
            for table in parquet.groups(build.folder / file, [column]):
                values = table[column].combine_chunks()
                if pa.types.is_list(values.type):
                    values = pc.list_flatten(values)
                for item in values.value_counts().to_pylist():
                    name = names[item["values"]] if names else str(item["values"])
                    counts[name] += item["counts"]
    return counts


def _expected(build: CheckedBuild) -> Spec | None:
    """What upstream is held to; None of samples, and without a ledger to count in."""
    manifest = build.manifest
    cannot = manifest.parameters.get("bundled") or manifest.appended or ledger.FILE in build.damaged
    return None if cannot else catalog.of(manifest)


def _everything(build: CheckedBuild) -> bool:
    """Whether nothing was left out on purpose, and each row was written once."""
    manifest = build.manifest
    chosen = manifest.parameters.get("subset") is None and manifest.limit is None
    return chosen and manifest.parameters.get("caption_mode") != "each"


def _all_sources(build: CheckedBuild) -> list[str]:
    return [source.file for source in build.manifest.sources]


def _unlike_upstream(build: CheckedBuild, names: list[str], where: str, what: str) -> Finding:
    published = {used.file: used.as_published for used in build.manifest.sources}
    upstreams = all(published.get(name) for name in names)
    return build.error(where, what) if upstreams else build.note(where, what)
