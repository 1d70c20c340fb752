"""Rows of different splits that hold the same media: what is trained on is in the test set too."""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from edge_glass.core.key_digests import Keys


class Sound:
    """A digest of decoded samples, so that the same recording in two containers is the same."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.heard = False

    def hear(self, samples: np.ndarray) -> None:
        """The next samples, float32 of shape (frames, channels)."""
        self._hash.update(samples.astype(np.float32).tobytes())
        self.heard = True

    def digest(self) -> str:
        """Of all samples so far."""
        return self._hash.hexdigest()


def across_splits(
    keys: Keys, rows: Callable[[], Iterator[tuple[str, str]]]
) -> Iterator[tuple[str, list[str]]]:
    """Ids whose key another split has as well, each with the ids there.

    `rows` gives split and id of each row, in the order in which the keys were added.
    """
    owners = {position: group[0] for group in keys.groups() for position in group}
    shared: dict[int, list[tuple[str, str]]] = {}
    for position, row in enumerate(rows() if owners else ()):
        if position in owners:
            shared.setdefault(owners[position], []).append(row)
    for (first, id), *others in shared.values():
        names = [name for split, name in others if split != first]
        if names:
            yield id, names
