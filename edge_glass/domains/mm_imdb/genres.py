"""The 23 genres of films that are labels, and how else they are spelt."""

import re

BY_FREQUENCY = [
    "Drama", "Comedy", "Romance", "Thriller", "Crime", "Action", "Adventure", "Horror",
    "Documentary", "Mystery", "Sci-Fi", "Fantasy", "Family", "Biography", "War", "History", "Music",
    "Animation", "Musical", "Western", "Sport", "Short", "Film-Noir",
]  # fmt: skip


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
