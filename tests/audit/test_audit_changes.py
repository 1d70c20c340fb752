"""An audit of a build that changed: what was compared before is not compared again."""

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from PIL import Image
from test_audit import IMAGES, LONG, heard

import edge_glass as eg
from edge_glass.audit import minhash, near_duplicates
from edge_glass.audit.audits import Options, audit

FINDINGS = "audit/texts/duplicates.parquet"
WORDS = ["small", "big", "old", "wet", "red", "fast", "sad", "young", "lost", "grey"]


def rows(name: str, count: int) -> list[dict[str, Any]]:
    """Rows many of which are alike in text, picture and sound."""
    draw, sounds = random.Random(name), [*heard().values()][:3]
    return [
        {
            "id": f"{name} {n}",
            "captions": [LONG.format(" ".join(draw.sample(WORDS, 2)))],
            "image": planted.jpeg(Image.open(IMAGES[n % 4]).convert("RGB")),
            "audio": [planted.cut, planted.softer][n % 2](*sounds[n % 3]),
        }
        for n in range(count)
    ]


def test_what_was_compared_is_not_compared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are appended and withdrawn; of a bucket 3 rows of each split are compared with all."""
    compared: list[int] = []
    distance = minhash.distance
    monkeypatch.setattr(near_duplicates, "FIRST", 3)
    monkeypatch.setattr(minhash, "distance", lambda *two: compared.append(1) or distance(*two))
    out, more, counts = tmp_path / "data", tmp_path / "more", list[tuple[int, int]]()
    folder = planted.corpus(out, "texts", {"train": rows("a", 20), "test": rows("b", 6)}, shards=6)
    planted.corpus(more, "texts", {"train": rows("c", 4)})
    changes = [
        lambda: None,
        lambda: eg.append(out, more),
        lambda: eg.withdraw(out, ids=["a 0"]),
    ]
    for number, change in enumerate(changes):
        change()
        compared.clear()
        audit(folder, out, Options(("duplicates",)))
        few = len(compared)
        once = Path(shutil.copytree(folder, tmp_path / f"once {number}" / "texts"))
        compared.clear()
        audit(once, once.parent, Options(("duplicates",)))
        assert (out / FINDINGS).read_bytes() == (once.parent / FINDINGS).read_bytes()
        counts.append((few, len(compared)))
    assert pq.read_metadata(out / FINDINGS).num_rows > 50
    (first, at_once), (appended, then), (withdrawn, last) = counts
    assert first == at_once and appended == then - at_once and 0 < appended < then / 2
    assert 0 < withdrawn < last


def test_rows_that_come_to_stand_first_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three that are alike the first alone was compared with the others, and goes."""
    monkeypatch.setattr(near_duplicates, "FIRST", 1)
    monkeypatch.setattr(
        minhash, "bands", lambda texts: np.zeros((len(texts), minhash.BANDS), np.int64)
    )
    texts = [LONG.format("small") + end for end in ("", "!", "?")]
    train = [{"id": f"{n}", "captions": [text + " Indeed" * n]} for n, text in enumerate(texts)]
    folder = planted.corpus(tmp_path, "texts", {"train": train}, shards=3)
    assert audit(folder, tmp_path, Options(("duplicates",))).checks["like_caption"] == 2
    eg.withdraw(tmp_path, ids=["0"])
    assert audit(folder, tmp_path, Options(("duplicates",))).checks["like_caption"] == 1
