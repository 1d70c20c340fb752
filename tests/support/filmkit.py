"""The sample's films as arrays of views, for the tests of those who write and who read them."""

from pathlib import Path
from typing import Any

from kit import ROOT

from edge_glass.domains import mm_imdb
from edge_glass.domains.mm_imdb.artefacts import Options

FILMS = ROOT / "samples" / "mm_imdb" / "dataset"
BASE = "mm_imdb1_globals_aug5"
KEPT = [f"990000{n}" for n in range(1, 8)]
TRAIN = ["9900001", "9900003", "9900004", "9900005"]


def options(clip: Path, **more: Any) -> Options:
    """Five views by a tiny CLIP."""
    return Options(
        **({"encoders": {"tiny": (str(clip),) * 2}, "count": 5} | more), prefix=BASE[:-5]
    )


def dataset(arrays: Path, labels: Path, split: str, **more: Any) -> Any:
    """What training reads."""
    return mm_imdb.dataset(arrays, labels, split, encoder="tiny", **more)
