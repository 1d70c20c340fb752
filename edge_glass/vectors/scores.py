"""Scores: a number for each row of a build, in `scores/<config>/<name>/`, a file a shard.

How near two embedded columns are, what a linear head makes of one, or how sure a classifier is of a
label. Where a row has no vector, its score is null.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from edge_glass.core import manifest, outputs, parquet, records
from edge_glass.core.errors import ConfigError, DataError, absent
from edge_glass.core.extras import needs
from edge_glass.core.manifest import File, Manifest, Score
from edge_glass.core.names import check
from edge_glass.core.shard_files import write_table
from edge_glass.vectors import classifier, embed
from edge_glass.vectors.embedding_files import ROWS
from edge_glass.vectors.models import locate, short_name
from edge_glass.vectors.stored_vectors import Stored, chosen, stored
from edge_glass.vectors.text_encoders import normal

Array = np.ndarray[Any, Any]
Blocks = Iterator[tuple[Array, Array]]  # numbers of rows, and their scores
FOLDER, FILE = "scores", "score.json"
LABELS = "labels"  # the folder of what classifiers say, as embeddings are laid out
AMONG = (0, 1, 5, 25, 50, 75, 95, 99, 100)  # quantiles that are stated, in hundredths


def score(
    folder: Path, name: str, of: Sequence[str], head: Path | None = None, root: Path | None = None
) -> Score:
    """Score rows by what `embed` made of columns: two of one space, or one and a linear head.

    The score of two is the cosine of their vectors. A head is a safetensors file with `weight` and
    maybe `bias`, for vectors of length 1. `root`: where the embeddings are, if not beside the
    build. Raises EdgeGlassError if they are not there or do not fit.
    """
    known = stored(folder, root)
    sides = [chosen(known, one) for one in of]
    for side in sides:
        side.check()
    if len(sides) == 1 and head:
        return _write(folder, name, sides, _linear(sides[0], head), head=records.sha256(head))
    if len(sides) != 2 or head:
        raise ConfigError(
            f"score {name}: give two embedded columns (image:clip,caption:clip), one and a --head, "
            "or a --model that classifies a column"
        )
    left, right = sides
    if not left.is_near(right):
        raise ConfigError(
            f"{left.name} and {right.name} have no space in common: embed both columns in one "
            "run, with a model of images and texts or of sounds and texts"
        )
    return _write(folder, name, sides, _cosines(left, right))


@dataclass(frozen=True)
class Saying:
    """What a classifier says of a column: how sure it is of a label."""

    model: str
    column: str
    label: str


def classify(folder: Path, name: str, saying: Saying, jobs: int = 1) -> Score:
    """Score rows by what a classifier says; it runs once for all of its labels.

    Raises EdgeGlassError if the model is none or has no such label.
    """
    needs(saying.model, "encoders", "torch", "transformers")
    column, short = saying.column, short_name(saying.model)
    labels = classifier.labels(locate(saying.model))
    if saying.label not in labels:
        raise ConfigError(f"{saying.model}: {absent('label', saying.label, labels)}")
    root = folder.parent / LABELS
    out = root / folder.name / short
    embed.embed(folder, out, saying.model, [column], jobs=jobs, classify=True)
    side = chosen(stored(folder, root), f"{column}:{short}")
    number = labels.index(saying.label)
    blocks = ((rows, vectors[:, number]) for rows, vectors in side.blocks())
    return _write(folder, name, [side], blocks, label=saying.label)


def names(folder: Path) -> list[str]:
    """The scores that there are of a build."""
    home = folder.parent / FOLDER / folder.name
    return sorted(path.parent.name for path in home.glob(f"*/{FILE}"))


def of_build(folder: Path, build: Manifest, name: str) -> Score:
    """A score as it was written. Raises EdgeGlassError if it is damaged, or of another build."""
    home = place(folder, name)
    recorded = records.parsed(home / FILE, Score)
    if recorded is None:
        raise DataError(f"{home / FILE}: damaged: run `edge-glass score` again")
    if list(recorded.data) != build.digests():
        raise DataError(f"{home}: of another build than the one in {folder}: run `score` again")
    for file in recorded.files:
        if fault := records.fault(home / file.file, file.bytes, file.sha256):
            raise DataError(f"{home / file.file} {fault}: run `edge-glass score` again")
    return recorded


def place(folder: Path, name: str) -> Path:
    """The folder of a score of a build."""
    return folder.parent / FOLDER / folder.name / check(name)


def _write(
    folder: Path, name: str, sides: Sequence[Stored], blocks: Blocks, **made_of: str
) -> Score:
    build, home = manifest.read(folder), place(folder, name)
    if not name.isidentifier() or name.lower() in {"id", "split", *map(str.lower, build.features)}:
        raise ConfigError(f"score {name}: give a name of letters and digits that no column has")
    outputs.claim(home, [FILE, *(shard.file for shard in build.shards())])
    files, values = list[File](), [np.empty(0)]
    splits = zip(build.shards_by_split(), _by_shard(build, blocks), strict=True)
    for (split, shard), numbers in splits:
        ids = parquet.table(folder / shard.file, ["id"])["id"]
        scores = pa.array(numbers, mask=~np.isfinite(numbers))
        table = pa.table({"split": [split] * shard.rows, "id": ids, name: scores})
        groups = (table.slice(at, ROWS) for at in range(0, max(1, len(table)), ROWS))
        files.append(write_table(home / shard.file, groups, table.schema))
        values.append(numbers[np.isfinite(numbers)])
    of, model = tuple(side.name for side in sides), dict(sides[0].model)
    figures = _figures(np.concatenate(values), build.rows)
    result = Score(build.config, (*build.digests(),), of, model, (*files,), figures, **made_of)
    records.write(home / FILE, result.plain())
    return result


def _by_shard(build: Manifest, blocks: Blocks) -> Iterator[Array]:
    """The scores of all rows of each shard, float64; NaN where a row has none."""
    start, block = 0, next(blocks, None)
    for shard in build.shards():
        values = np.full(shard.rows, np.nan)
        while block and (not len(block[0]) or block[0][0] < start + shard.rows):
            values[block[0] - start] = block[1]
            block = next(blocks, None)
        yield values
        start += shard.rows


def _cosines(left: Stored, right: Stored) -> Blocks:
    for (at, one), (beside, other) in zip(left.blocks(), right.blocks(), strict=True):
        both, here, there = np.intersect1d(at, beside, True, return_indices=True)
        a, b = one[here].astype(np.float64), other[there].astype(np.float64)
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        yield both, np.clip((a * b).sum(axis=1) / lengths, -1, 1)


def _linear(side: Stored, head: Path) -> Blocks:
    needs(f"--head {head}", "encoders", "safetensors")
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(head)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"--head {head}: no safetensors ({error})") from None
    weight = tensors.get("weight", np.empty(0)).reshape(-1).astype(np.float64)
    if len(weight) != side.dim:
        raise ConfigError(
            f"--head {head}: its weight has {len(weight)} numbers, {side.name} has {side.dim}"
        )
    bias = float(tensors.get("bias", np.zeros(1)).reshape(-1)[0])
    return ((rows, normal(vectors) @ weight + bias) for rows, vectors in side.blocks())


def _figures(values: Array, rows: int) -> dict[str, float | int]:
    """Rows that have a score, and its mean and quantiles."""
    counts: dict[str, float | int] = {"rows": rows, "scored": len(values)}
    if not len(values):
        return counts
    quantiles = zip(AMONG, np.quantile(values, np.array(AMONG) / 100), strict=True)
    return counts | {"mean": float(values.mean())} | {f"q{at}": float(q) for at, q in quantiles}
