"""A torch dataset over the arrays of views: which rows of them are its items."""

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from edge_glass.core import schema
from edge_glass.core.errors import ConfigError, DataError
from edge_glass.vectors import arrays

SPLITS = {"train": "train", "validation": "dev", "dev": "dev", "test": "test"}
SHOWN = 5  # stems of those that are missing


SETTINGS = schema.shape(views_per_sample=int, original_rows=int)


class ViewDataset(Dataset[dict[str, Any]]):
    """See `edge_glass.domains.mm_imdb.dataset`."""

    def __init__(
        self,
        embeddings: Path,
        labels: Path,
        splits: Path,
        split: str,
        *,
        encoder: str,
        views: str,
        noisy: bool,
        prefix: str,
        seed: int,
    ) -> None:
        if views not in ("clean", "random", "all"):
            raise ConfigError(f"views {views!r}: use clean, random or all")
        base, settings = _manifest(embeddings, prefix)
        self.views, self._mode = settings["views_per_sample"], views
        self._seed, self._epoch = seed, 0
        self._paths = {m: embeddings / f"{base}_{encoder}_{m}.npy" for m in ("image", "text")}
        self._noisy = embeddings / f"{base}_labels.npy" if noisy else None
        self._ids = _lines(labels / "ids_all.txt")
        self._labels = _only(labels, "labels_all_*.npy")
        self._originals = _places(self._ids, _stems(splits, split), f"split {split} of {splits}")
        self._check(settings)

    def _check(self, settings: dict[str, Any]) -> None:
        rows = settings["original_rows"]
        if rows != len(self._ids):
            raise DataError(f"{len(self._ids)} ids where the arrays have {rows} originals")
        for path in [*self._paths.values(), *([self._noisy] if self._noisy else [])]:
            if not path.is_file():
                raise DataError(f"{path}: no such array: export it by `edge-glass views`")
            if len(arrays.loaded(path)) != rows * self.views:
                raise DataError(f"{path}: not {rows} originals by {self.views} views")

    def __len__(self) -> int:
        return len(self._originals) * (self.views if self._mode == "all" else 1)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        place, view = self._at(index % len(self))
        row = place * self.views + view
        at = dict.fromkeys(self._arrays, row) | ({} if self._noisy else {"labels": place})
        values = {name: array[at[name]] for name, array in self._arrays.items()}
        item: dict[str, Any] = {n: torch.from_numpy(np.array(v)) for n, v in values.items()}
        return item | {"id": self._ids[place], "view": view}

    def set_epoch(self, epoch: int) -> None:
        """Draw other random views; the same epoch and seed draw the same."""
        self._epoch = epoch

    def _at(self, index: int) -> tuple[int, int]:
        """Original and view of an item."""
        if self._mode == "all":
            return self._originals[index // self.views], index % self.views
        place = self._originals[index]
        if self._mode == "clean":
            return place, 0
        digest = hashlib.sha256(f"{self._seed}:{self._epoch}:{place}".encode()).digest()
        return place, int.from_bytes(digest[:8], "big") % self.views

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        paths = self._paths | {"labels": self._noisy or self._labels}
        return {name: arrays.loaded(path) for name, path in paths.items()}

    def __getstate__(self) -> dict[str, Any]:
        """Without the arrays: a worker process maps them itself."""
        return {name: value for name, value in self.__dict__.items() if name != "_arrays"}


def _manifest(folder: Path, prefix: str) -> tuple[str, dict[str, Any]]:
    path = _only(folder, f"{prefix}_aug*_manifest.json")
    settings: dict[str, Any] = schema.read(path, SETTINGS, "export it again by `edge-glass views`")
    return path.name.removesuffix("_manifest.json"), settings


def _only(folder: Path, pattern: str) -> Path:
    matches = sorted(folder.glob(pattern))
    if len(matches) != 1:
        names = ", ".join(path.name for path in matches) or "none"
        raise DataError(f"{folder}: expected one {pattern}, found {names}")
    return matches[0]


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path}: no such file: `edge-glass export --format labels` writes it")
    return [line.zfill(7) for line in path.read_text(encoding="utf-8").split()]


def _stems(path: Path, split: str) -> list[str]:
    """Stems of a split, with the zeros in front that some copies of split.json have lost."""
    if split not in SPLITS:
        raise ConfigError(f"no split {split}; there are {', '.join(SPLITS)}")
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))[SPLITS[split]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: lists no stems of {SPLITS[split]}: {error!r}") from None
    return [str(stem).zfill(7) for stem in listed]


def _places(ids: list[str], stems: Iterable[str], what: str) -> list[int]:
    """The rows of stems. Raises EdgeGlassError if some are missing."""
    places = {id: place for place, id in enumerate(ids)}
    if missing := [stem for stem in stems if stem not in places]:
        named = ", ".join(missing[:SHOWN]) + (", …" if len(missing) > SHOWN else "")
        raise DataError(
            f"{what}: {len(missing)} stems have no embeddings: {named}. The build's ledger says "
            "why; the split.json that `edge-glass export --format labels` writes has the rest."
        )
    return [places[stem] for stem in stems]
