"""What the transcripts of a speech corpus say of it: rows that say something else, and speakers."""

from typing import Any

import numpy as np

from edge_glass.audit import profiles
from edge_glass.audit.audited_shards import Shard
from edge_glass.audit.rules import Rule
from edge_glass.core import parquet
from edge_glass.core.key_digests import rank

LETTERS = 0.5  # that are wrong, too: in a short text, one word misheard is half of the words
RULES = (
    Rule(
        "transcript", "wer", 0.6, f"score >= threshold AND words >= 2 AND cer >= {LETTERS}",
        "'heard: ' || left(hypothesis, 300)",
    ),
)  # fmt: skip
ROWS = 2_000  # whose embeddings are compared, drawn by their ids
STEP = 0.05  # of the histogram of cosines
Array = np.ndarray[Any, Any]


def figures(shards: list[Shard], folder: Any) -> dict[str, Any]:
    """Word errors over all rows, and cosines of clips of one speaker and of two."""
    words = errors = 0.0
    sample: list[tuple[int, str, Array]] = []
    for shard in shards:
        columns = ["id", "words", "wer", "speaker", "embedding"]
        for row in parquet.rows(profiles.path(folder, shard, "speech"), columns):
            if row["wer"] is not None:
                words, errors = words + row["words"], errors + row["wer"] * row["words"]
            if row["speaker"] is not None and row["embedding"]:
                vector = np.array(row["embedding"], dtype=np.float32)
                sample.append((rank(0, row["id"]), row["speaker"], vector))
        sample = sorted(sample, key=lambda one: one[0])[:ROWS]
    rate = round(errors / words, 6) if words else None
    summary = {"words": int(words), "word_error_rate": rate, "normaliser": "whisper english"}
    return summary | ({"cosines": cosines(sample)} if sample else {})


def cosines(sample: list[tuple[int, str, Array]]) -> dict[str, Any]:
    """Cosines between embeddings of one speaker, and of two: medians, histogram, separation.

    `separation` is the probability that a pair of one speaker is more alike than one of two.
    """
    vectors = np.stack([vector for *_, vector in sample])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    speakers = np.array([speaker for _, speaker, _ in sample])
    upper = np.triu_indices(len(sample), 1)
    values = (vectors @ vectors.T)[upper]
    alike = (speakers[:, None] == speakers[None])[upper]
    same, other = values[alike], values[~alike]
    if not len(same) or not len(other):
        return {"pairs": [len(same), len(other)]}
    below = np.searchsorted(np.sort(other), same).sum() / (len(same) * len(other))
    edges = np.arange(-1, 1 + STEP, STEP)
    return {
        "pairs": [len(same), len(other)],
        "median": [round(float(np.median(part)), 4) for part in (same, other)],
        "separation": round(float(below), 4),
        "histogram": [np.histogram(part, edges)[0].tolist() for part in (same, other)],
    }
