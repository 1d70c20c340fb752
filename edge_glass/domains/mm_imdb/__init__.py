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

    Args:
        embeddings: the folder of the arrays.
        labels: the folder that `edge-glass export --format labels` writes.
        split: train, validation (or dev) or test, of originals, so that no view stands in two.
        encoder: whose arrays are read.
        views: `clean` (view 0 of each original), `random` (one view of each, another after
            `set_epoch`), or `all` (every view is an item).
        splits: upstream's split.json; by default the one in `labels`.
        noisy_labels: those that were exported, not the labels of originals over all their views.
        prefix: of the arrays' names.
        seed: of random views.

    Returns:
        Items `{"image": float32 (dim,), "text": float32 (dim,), "labels": float32 (23,), "id": str,
        "view": int}`.

    Raises:
        ConfigError: there is no such split or kind of view.
        DataError: arrays, labels and splits do not fit, or stems are missing.

    Examples:
        >>> items = dataset("views", "labels", "train", encoder="clip", views="random")
        >>> items[0]["image"].shape
        torch.Size([512])
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
