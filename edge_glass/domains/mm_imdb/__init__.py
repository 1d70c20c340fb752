"""MM-IMDb: genres that are labels, and the arrays of views, which training reads by `dataset`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edge_glass.domains.mm_imdb.view_dataset import ViewDataset

StrPath = str | Path
BY_FREQUENCY = [
    "Drama", "Comedy", "Romance", "Thriller", "Crime", "Action", "Adventure", "Horror",
    "Documentary", "Mystery", "Sci-Fi", "Fantasy", "Family", "Biography", "War", "History", "Music",
    "Animation", "Musical", "Western", "Sport", "Short", "Film-Noir",
]  # fmt: skip


def dataset(
    embeddings: StrPath,
    labels: StrPath,
    split: str = "train",
    *,
    encoder: str = "clip",
    views: Literal["clean", "random", "all"] = "clean",
    splits: StrPath | None = None,
    noisy_labels: bool = False,
    prefix: str = "mm_imdb1_globals",
    seed: int = 0,
) -> "ViewDataset":
    """A map-style dataset for torch over the arrays of `edge-glass views`, memory-mapped.

    Items are `{"image": float32 (dim,), "text": float32 (dim,), "labels": float32 (23,), "id": str,
    "view": int}`. `views` is `clean` (view 0 of each original), `random` (one view of each, another
    after `set_epoch`), or `all` (every view is an item). Splits are of originals, as in `splits`
    (upstream's split.json; by default the one in `labels`), so that no view stands in two of them.
    Labels are repeated over the views, unless `noisy_labels` asks for those that were exported.

    Raises EdgeGlassError if arrays, labels and splits do not fit, or stems are missing.
    """
    from edge_glass.domains.mm_imdb.view_dataset import ViewDataset

    listed = Path(splits) if splits else Path(labels) / "split.json"
    return ViewDataset(
        Path(embeddings), Path(labels), listed, split, encoder=encoder, views=views,
        noisy=noisy_labels, prefix=prefix, seed=seed,
    )  # fmt: skip


def label_of(genre: str) -> str | None:
    """The label that a genre is.

    Args:
        genre: in whatever case, with hyphens or spaces.

    Returns:
        One of `BY_FREQUENCY`; None if it is none.
    """
    return _LABELS.get(_folded(genre))


def _folded(genre: str) -> str:
    return re.sub(r"[\W_]", "", genre.lower()).replace("sciencefiction", "scifi")


_LABELS = {_folded(label): label for label in BY_FREQUENCY}
