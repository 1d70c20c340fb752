"""BM25 over texts: the baseline that needs no model. Robertson's, by bm25s, k1 1.5 and b 0.75."""

import re
import unicodedata
from typing import Any

import numpy as np

from edge_glass.core.extras import needs

WORD = re.compile(r"\w\w+")


def words(text: str) -> list[str]:
    """Words of two letters and more, small, without accents: so that `versión` is `version`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


class Index:
    """Texts to be searched."""

    def __init__(self, texts: list[str]) -> None:
        needs("BM25", "qa", "bm25s")
        import bm25s

        tokens = [words(text) for text in texts]
        self._count = len(texts)
        self._known = {word for text in tokens for word in text}
        self._index: Any = bm25s.BM25(k1=1.5, b=0.75)
        if self._known:
            self._index.index(tokens, show_progress=False)

    def scores(self, query: str) -> np.ndarray:
        """A score for each text, float32 of shape (texts,); 0 where no word of the query stands."""
        asked = [word for word in words(query) if word in self._known]
        if not asked:
            return np.zeros(self._count, dtype=np.float32)
        return np.asarray(self._index.get_scores(asked), dtype=np.float32)

    def top(self, query: str, count: int) -> list[tuple[int, float]]:
        """The best texts that have a word of the query, with their scores; ties as they stand."""
        scores = self.scores(query)
        best = np.argsort(-scores, kind="stable")[:count]
        return [(int(place), float(scores[place])) for place in best if scores[place] > 0]
