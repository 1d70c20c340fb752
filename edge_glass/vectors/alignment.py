"""Which corpora align: how well a small probe between two frozen embeddings finds the other side.

Probes are trained with several seeds; beside them stand the same probes trained on pairs that were
shuffled, and chance. An interval holds 95% of the means when seeds and test rows are both drawn
again, so it tells of the luck of training and of the rows.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np

from edge_glass.core import manifest, outputs, parquet, plots, records
from edge_glass.core.errors import DataError
from edge_glass.core.key_digests import digest
from edge_glass.core.names import file_name
from edge_glass.vectors import arrays, probe
from edge_glass.vectors.probe import Pairs
from edge_glass.vectors.stored_vectors import Stored
from edge_glass.vectors.text_encoders import normal

Array = np.ndarray[Any, Any]
FOLDER = "alignment"
PARTS = ("train", "validation", "test")
NAMES = {"development": "train", "dev": "validation", "val": "validation", "eval": "test"}
CUT = (0.8, 0.9)  # shares of rows below which train and validation end, where no split says so
MOST = (100_000, 10_000, 10_000)  # rows of each that are used, by a seeded draw
LEAST = 2  # rows of each part
DRAWS = 1000  # of the bootstrap
WITHIN = (1, 5, 10)  # recall@k
FILLS = (plots.DIM, *plots.COLOURS)  # of chance, probe, control, and no probe
INTERVAL = ("low", "mean", "high")
WAYS = ("left_to_right", "right_to_left")
Measures = dict[str, dict[str, float]]  # recall@k and median_rank: mean, low and high
Figures = dict[str, Measures]  # by way


class Alignment(TypedDict):
    """How well two columns align; `results` are by what was compared."""

    config: str
    left: str
    right: str
    layers: int
    seeds: int
    rows: dict[str, int]  # by part
    results: dict[str, Figures]


def align(
    folder: Path,
    left: Stored,
    right: Stored,
    layers: int = 1,
    seeds: int = 5,
    done: Callable[[], None] = lambda: None,
) -> Alignment:
    """Recall@1, 5, 10 and median rank both ways, of probes, of their control and by chance.

    Figures are `{"mean", "low", "high"}`, the latter two a 95% interval. Raises EdgeGlassError if
    there are too few rows that have both embeddings. `done` is called after each probe, of which
    there are two for every seed.
    """
    parts = pairs(folder, left, right)
    fit, check, test = (parts[name] for name in PARTS)
    recalls: dict[str, Figures] = {"chance": _chance(len(test[0]))}
    trained, shuffled = [], []
    for seed in range(seeds):
        trained.append(_ranked(probe.train(fit, check, layers, seed)(test)))
        done()
        apart = _shuffled(fit, seed), _shuffled(check, seed)
        shuffled.append(_ranked(probe.train(*apart, layers, seed)(test)))
        done()
    recalls |= {"probe": _figures(trained), "shuffled": _figures(shuffled)}
    if left.is_near(right):
        recalls["without a probe"] = _figures([_ranked((normal(test[0]), normal(test[1])))])
    return {
        "config": folder.name,
        "left": left.name,
        "right": right.name,
        "layers": layers,
        "seeds": seeds,
        "rows": {name: len(parts[name][0]) for name in PARTS},
        "results": recalls,
    }


def note(folder: Path, report: Alignment) -> None:
    """Keep a report beside the build in `folder`, for its card."""
    home = folder.parent / FOLDER / folder.name
    name = file_name(f"{report['left']}--{report['right']}", ".json")
    outputs.claim(home, [name])
    records.write(home / name, {**report, "data": manifest.read(folder).digests()})


def noted(folder: Path) -> list[Alignment]:
    """The reports that were kept of the build in `folder`, as it is now."""
    paths = sorted((folder.parent / FOLDER / folder.name).glob("*.json"))
    reports = [report for path in paths if (report := records.read(path))]
    data = manifest.read(folder).digests() if reports else []
    return [cast(Alignment, report) for report in reports if report.pop("data", None) == data]


def pairs(folder: Path, left: Stored, right: Stored) -> dict[str, Pairs]:
    """The rows that have both embeddings, by train, validation and test.

    Raises DataError if they are few.
    """
    part = parts(folder)
    for number, most in enumerate(MOST):
        rows = np.flatnonzero(part == number)
        if len(rows) > most:
            chosen = np.random.default_rng(number).choice(rows, most, replace=False)
            part[np.setdiff1d(rows, chosen)] = -1
    (rows_l, vectors_l), (rows_r, vectors_r) = _vectors(left, part), _vectors(right, part)
    both, at_l, at_r = np.intersect1d(rows_l, rows_r, assume_unique=True, return_indices=True)
    by_part = {
        name: (vectors_l[at_l][part[both] == n], vectors_r[at_r][part[both] == n])
        for n, name in enumerate(PARTS)
    }
    if few := [name for name, sides in by_part.items() if len(sides[0]) < LEAST]:
        raise DataError(
            f"{folder.name}: fewer than {LEAST} rows of {', '.join(few)} have both "
            f"{left.name} and {right.name}"
        )
    return by_part


def parts(folder: Path) -> Array:
    """0, 1 or 2 for train, validation and test, for each row; int8 (rows,).

    As the corpus is split, `validation.clean` being validation, where it has all three. Otherwise
    rows are cut by a hash of their id, those that were made of one source row together.
    """
    build = manifest.read(folder)
    names = {split: _part(split) for split in build.splits}
    whole = set(PARTS) <= set(names.values())
    numbers = []
    for split, shard in build.shards_by_split():
        if whole:
            number = PARTS.index(names[split]) if names[split] in PARTS else -1
            numbers.append(np.full(shard.rows, number, dtype=np.int8))
        else:
            ids = (row["id"] for row in parquet.rows(folder / shard.file, ["id"]))
            numbers.append(np.array([_cut(id_) for id_ in ids], dtype=np.int8))
    return np.concatenate(numbers)


def _part(split: str) -> str:
    first = split.replace(".", "-").replace("_", "-").split("-")[0]
    return NAMES.get(first, first)


def _cut(id_: str) -> int:
    share = int.from_bytes(digest(0, id_.partition("#")[0])[:8]) / 2**64
    return sum(share >= edge for edge in CUT)


def _vectors(stored: Stored, part: Array) -> tuple[Array, Array]:
    stored.check()
    inner = ((rows[part[rows] >= 0], vectors[part[rows] >= 0]) for rows, vectors in stored.blocks())
    return arrays.joined(inner, stored.dim)


def _shuffled(pairs: Pairs, seed: int) -> Pairs:
    return pairs[0], pairs[1][np.random.default_rng(seed).permutation(len(pairs[1]))]


def _ranked(sides: Pairs) -> Array:
    """Ranks both ways, (2, rows)."""
    left, right = sides
    return np.stack([probe.ranks(left, right), probe.ranks(right, left)])


def draw(reports: list[Alignment], path: Path) -> None:
    """Recalls with their intervals as an SVG, beside control and chance."""
    plots.write_svg(path, [_plot(report, way) for report in reports for way in WAYS])


def _plot(report: Alignment, way: str) -> plots.Plot:
    one, other = report["left"], report["right"]
    if way != WAYS[0]:
        one, other = other, one
    shapes, y, room = list[plots.Shape](), 0, plots.WIDTH - plots.LABEL - plots.NUMBER
    for k in WITHIN:
        for (name, figures), fill in zip(report["results"].items(), FILLS, strict=False):
            recall, base = figures[way][f"recall@{k}"], y + plots.BAR - 2
            low, mean, high = (room * recall.get(key, recall["mean"]) for key in INTERVAL)
            shapes += [
                plots.Words(plots.LABEL - 8, base, f"{name} @{k}", "end"),
                plots.Box(plots.LABEL, y, mean, plots.BAR, fill),
                plots.Box(plots.LABEL + low, y + plots.BAR / 2 - 1, high - low, 2, plots.INK),
                plots.Words(plots.LABEL + max(mean, high) + 6, base, f"{recall['mean']:.3f}"),
            ]
            y += plots.LINE
    return plots.Plot(f"{report['config']}: {one} finds {other}, recall", y, tuple(shapes))


def _chance(rows: int) -> Figures:
    figures = {f"recall@{k}": round(min(1, k / rows), 4) for k in WITHIN}
    each = {name: {"mean": value} for name, value in figures.items()}
    return dict.fromkeys(WAYS, each | {"median_rank": {"mean": (rows + 1) / 2}})


def _figures(runs: list[Array]) -> Figures:
    """Means over seeds and rows, with intervals, of ranks (2, rows) by seed."""
    return {way: _of(np.stack([run[number] for run in runs])) for number, way in enumerate(WAYS)}


def _of(figures: Array) -> Measures:
    """Figures of ranks (seeds, rows), with intervals from seeds and rows drawn again."""
    draw, (seeds, rows) = np.random.default_rng(0), figures.shape
    resampled = [
        _plain(figures[draw.integers(seeds, size=seeds)][:, draw.integers(rows, size=rows)])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile([list(one.values()) for one in resampled], [0.025, 0.975], axis=0)
    return {
        name: {"mean": round(mean, 4), "low": round(float(a), 4), "high": round(float(b), 4)}
        for (name, mean), a, b in zip(_plain(figures).items(), low, high, strict=True)
    }


def _plain(figures: Array) -> dict[str, float]:
    recalls = {f"recall@{k}": float((figures <= k).mean()) for k in WITHIN}
    return recalls | {"median_rank": float(np.median(figures, axis=1).mean())}
