"""BM25 over texts: the baseline that needs no model. Robertson's, by bm25s, k1 1.5 and b 0.75."""

import re
import unicodedata

import numpy as np

from edge_glass.core.extras import needs

WORD = re.compile(r"\w\w+")


def folded(text: str) -> str:
    """Small letters without accents: so that `versión` is `version`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """Words of two letters and more, folded."""
    return WORD.findall(folded(text))


class Index:
    """Texts to be searched."""

    def __init__(self, texts: list[str]) -> None:
        needs("BM25", "qa", "bm25s")
        import bm25s

        tokens = [words(text) for text in texts]
        self._index = bm25s.BM25(k1=1.5, b=0.75) if any(tokens) else None
        if self._index:
            self._index.index(tokens, show_progress=False)

    def top(self, query: str, count: int) -> list[tuple[int, float]]:
        """The best texts that have a word of the query, with their scores; ties as they stand."""
        if not self._index or not (asked := words(query)):
            return []
        scores = self._index.get_scores(asked)
        best = np.argsort(-scores, kind="stable")[:count]
        return [(int(place), float(scores[place])) for place in best if scores[place] > 0]
