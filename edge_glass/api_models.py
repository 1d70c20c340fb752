"""What `import edge_glass` gives where models look at rows: scores, and what aligns."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_glass.api_arguments import StrPath, lists_are
from edge_glass.core import manifest
from edge_glass.core.errors import ConfigError
from edge_glass.core.manifest import Score

if TYPE_CHECKING:
    from edge_glass.vectors.alignment import Alignment


def score(
    place: StrPath,
    name: str,
    *,
    of: Sequence[str] = (),
    head: StrPath | None = None,
    model: str | None = None,
    column: str | None = None,
    label: str | None = None,
    jobs: int = 1,
) -> dict[str, Score]:
    """A number for each row, beside the data, which `build(…, where=)` can choose by.

    Args:
        place: a folder that `build` made.
        name: of the score: a word that no column is called by.
        of: embedded columns: two for their cosine, or one for a `head`.
        head: a safetensors file with `weight` and maybe `bias`, for vectors of length 1.
        model: instead of `of` a classifier, `org/model` on the Hub or a folder.
        column: that the classifier takes.
        label: that it is to be sure of.
        jobs: processes that decode for it.

    Returns:
        By config what was scored, with figures.

    Raises:
        ConfigError: there is no such column or label, or the model is no classifier.
        DataError: the columns are not embedded.

    Examples:
        >>> edge_glass.score("data/coco", "clip", of=("image:clip", "captions:clip"))
        >>> edge_glass.score("data/coco", "nsfw", model="org/m", column="image", label="nsfw")
    """
    from edge_glass.vectors import scores

    lists_are(of=of)
    folders = manifest.built(Path(place))
    if model is not None and column is not None and label is not None and not of:
        saying = scores.Saying(model, column, label)
        return {one: scores.classify(f, name, saying, jobs) for one, f in folders.items()}
    if model is not None or not of:
        raise ConfigError("score: give `of`; or `model`, `column` and `label`")
    file = None if head is None else Path(head)
    return {one: scores.score(f, name, of, file) for one, f in folders.items()}


def align(
    place: StrPath, left: str, right: str, *, layers: int = 1, seeds: int = 5
) -> "dict[str, Alignment]":
    """How well two embedded columns align: probes between them, shuffled pairs, chance.

    The card of the build says it, too.

    Args:
        place: a folder that `build` made.
        left: `column:encoder`, or the column if it has but one.
        right: the other side.
        layers: of a probe, 1 or 2.
        seeds: probes that are trained.

    Returns:
        By config recall@1, 5, 10 and median rank both ways, with intervals.

    Raises:
        ConfigError: a column is not embedded.
        DataError: too few rows have both.

    Examples:
        >>> edge_glass.align("data/clotho", "audio:clap", "captions:minilm")["clotho"]["results"]
    """
    from edge_glass.release import write_card
    from edge_glass.vectors import alignment
    from edge_glass.vectors.stored_vectors import chosen, stored

    reports = {}
    for config, folder in manifest.built(Path(place)).items():
        known = stored(folder)
        sides = chosen(known, left), chosen(known, right)
        reports[config] = alignment.align(folder, *sides, layers, seeds)
        alignment.note(folder, reports[config])
        write_card.listed(folder.parent)
    return reports
