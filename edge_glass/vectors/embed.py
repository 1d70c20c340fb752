"""Embeddings of a build, row for row and shard for shard.

As Parquet beside the data, or as clip-retrieval lays them out. A shard is whole or absent; the same
command goes on after any stop.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import Field

from edge_glass.core import finished, manifest, outputs, parquet, schema
from edge_glass.core.atomic_files import write_json
from edge_glass.core.columns import item_of, media_kinds
from edge_glass.core.errors import ConfigError, DataError, absent
from edge_glass.core.manifest import Manifest
from edge_glass.vectors import embedding_files
from edge_glass.vectors.encode_ahead import Workers
from edge_glass.vectors.encoder import Encoder, of_model
from edge_glass.vectors.models import Modality, Model, locate

FILE = "embeddings.json"
Layout = Literal["parquet", "clip-retrieval"]


ENCODED = schema.shape(modality=str, dim=int)
THREADS = Annotated[int, Field(ge=0, le=1024)]
COLUMNS = dict[str, ENCODED]  # type: ignore[valid-type]
SETTINGS = schema.shape(
    data=dict[str, str], model=dict[str, str], layout=str, encoded=COLUMNS,
    made_with=NotRequired[dict[str, str]], threads=NotRequired[THREADS],
)  # fmt: skip
REMEDY = "delete it and run `edge-glass embed` again"


def embed(
    folder: Path,
    out: Path,
    name: str,
    columns: list[str],
    layout: Layout = "parquet",
    *,
    batch: int | None = None,
    jobs: int = 1,
    classify: bool = False,
    keep: bool = False,
) -> None:
    """Embed columns of the config that is built in `folder` with the encoder `name` into `out`.

    `batch` rows go through at once, as many as the device takes if it is not given; `jobs`
    processes decode. With `classify`, vectors are how sure a classifier is of each of its labels.
    With `keep`, shards that other libraries made stay, and `embeddings.json` names both versions.
    Raises EdgeGlassError if a column or the model does not fit, or if `out` holds embeddings that
    were made otherwise.
    """
    build = manifest.read(folder)
    modalities = {column: modality_of(build, column) for column in columns}
    model = replace(locate(name), kind="classifier") if classify else locate(name)
    encoders = {column: of_model(model, modality) for column, modality in modalities.items()}
    late = any(one.late for one in encoders.values())
    embedding_files.check(layout, [one.modality for one in encoders.values()], late)
    shards = [folder / shard.file for shard in build.shards()]
    settings = _settings(build, model, encoders, layout)
    targets = embedding_files.targets(layout, out, shards)
    lacking = [one for one in targets if not one.is_whole()]
    begun = _begun(out, settings, bool(lacking), keep)
    settings = begun or _begin(out, settings, encoders, shards, batch)
    for one in encoders.values():
        one.threads = settings.get("threads", 0)  # earlier releases did not write it
    with Workers(jobs) as workers:
        for target in lacking:
            path, sizes = target.shard, settings["batch"]
            target.write(
                {c: one.embed(_values(path, c), sizes[c], workers) for c, one in encoders.items()},
                settings["encoded"],
            )


def modality_of(build: Manifest, column: str) -> Modality:
    """What a column of a build holds. Raises EdgeGlassError if no encoder takes such."""
    feature = build.features.get(column)
    if feature is None:
        raise ConfigError(f"{build.config}: {absent('column', column, build.features)}")
    kind, _ = media_kinds(build.features).get(column, ("", False))
    if kind in ("image", "audio"):
        return cast(Modality, kind)
    if item_of(feature) == {"dtype": "string", "_type": "Value"}:
        return "text"
    raise ConfigError(f"{build.config}: {column} holds no images, sounds or texts: {feature}")


def _values(path: Path, column: str) -> Iterator[Any]:
    """A column row by row: bytes of media, or a text (of a list of texts the first)."""
    for row in parquet.rows(path, [column]):
        value = row[column]
        content = value.get("bytes") if isinstance(value, dict) else value
        yield (content[0] if content else None) if isinstance(content, list) else content


def _settings(
    build: Manifest, model: Model, encoders: dict[str, Encoder], layout: Layout
) -> dict[str, Any]:
    """All that the bytes depend on, but for what is chosen by the machine that begins."""
    data = {shard.file: shard.sha256 for shard in build.shards()}
    encoded = {
        column: {"modality": one.modality, "dim": one.dim, "device": one.device}
        | ({"late": True} if one.late else {})
        for column, one in encoders.items()
    }
    return {
        "config": build.config,
        "data": data,
        "model": {
            "name": model.name,
            "revision": model.revision or fingerprint(model),
            "kind": model.kind,
        },
        "layout": layout,
        "encoded": encoded,
        "made_with": next(iter(encoders.values())).made_with,
    }


def fingerprint(model: Model) -> str:
    """sha256 of the weights of a model that is no commit of the Hub."""
    digest = hashlib.sha256()
    files = (
        [model.folder] if model.folder.is_file() else sorted(model.folder.rglob("*.safetensors"))
    )
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _begun(out: Path, settings: dict[str, Any], lacking: bool, keep: bool) -> dict[str, Any] | None:
    """The settings of what is in `out` already; what lacks nothing may be of other code.

    Raises EdgeGlassError if they are others.
    """
    if not (out / FILE).is_file():
        return None
    known: dict[str, Any] = schema.read(out / FILE, SETTINGS, REMEDY)
    other = [name for name, value in settings.items() if known.get(name) != value]
    if other == ["made_with"] and not lacking:
        return known
    if other == ["made_with"]:
        before = known.get("made_with") or {"edge_glass": "an earlier release"}
        now = settings["made_with"]
        if keep:
            pairs = {name: finished.both(before.get(name, "unknown"), now[name]) for name in now}
            known["made_with"] = before | pairs
            write_json(out / FILE, known)
            return known
        raise DataError(
            f"{out}: some shards are missing, and the others were made with {_versions(before)}, "
            f"not {_versions(now)}, so digits may differ: continue with the former; or give "
            "`embed --keep`, which names both; or delete it; or use another --out"
        )
    if other:
        raise DataError(
            f"{out}: holds embeddings made otherwise ({', '.join(other)} differ): delete it, or "
            "give another --out"
        )
    return known


def _versions(made_with: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in made_with.items())


def _begin(
    out: Path,
    settings: dict[str, Any],
    encoders: dict[str, Encoder],
    shards: list[Path],
    batch: int | None,
) -> dict[str, Any]:
    """Find how many rows go through at once, on how many threads, and write down what is made."""
    outputs.check_replaceable(out, None)
    sizes = {c: batch or _batch_size(one, shards, c) for c, one in encoders.items()}
    threads = next(iter(encoders.values())).torch_threads
    settings = settings | {"batch": sizes, "threads": threads}
    write_json(out / FILE, settings)
    return settings


def _batch_size(encoder: Encoder, shards: list[Path], column: str) -> int:
    for shard in shards:
        for value in _values(shard, column):
            if value is not None:
                return encoder.batch_size(encoder.prepare(value))
    return 1
