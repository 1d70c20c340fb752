"""What may be alike in two rows, how candidates are found, and how near is near enough."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edge_glass.audit import audio_fingerprint, image_hash, minhash
from edge_glass.audit.media_profile import PICTURES
from edge_glass.core.row import JsonObject
from edge_glass.media.stills import BLANK

POSTINGS = 4_000_000  # words of sounds in one task


@dataclass(frozen=True)
class Kind:
    """One kind of likeness, in SQL over a trace. `same` is equal for rows that are equal.

    Rows meet in a bucket if they have one `key`; `near` and `meet` say what is then asked. What
    SQL cannot compare, `compare` does: of `one` and `other`, which are the `same` of two rows.
    """

    check: str
    table: str  # of the trace
    threshold: float  # the largest distance of what is alike
    same: str
    where: str
    digest: str = "NULL::BLOB"  # rows with the same one are found by another check
    prints: str = ""  # the table with keys
    columns: str = ""  # of it
    first: str = "true"  # prints that others are held against
    meet: str = ""
    near: str = "true"
    candidates: str = ""
    compare: Callable[[JsonObject], float] | None = field(default=None, repr=False)
    adds: bool = False  # whether what buckets say of two rows is added up
    inside: bool = True  # whether rows of one split are told of, too

    def count(self, rows: int) -> int:
        """Into how many tasks the search falls."""
        if self.prints == "sounds":
            return rows * audio_fingerprint.POSTINGS // POSTINGS + 1
        return {"": 0, "pictures": image_hash.BANDS, "texts": minhash.BANDS}[self.prints]

    def bucket(self, band: int, bands: int) -> tuple[str, str]:
        """The key of a task, and which prints it works on."""
        if self.prints == "sounds":
            return "word", f"word % {bands} = {band}"
        if self.prints == "pictures":
            return f"low & ({image_hash.MASKS[band]})::BIGINT", "true"
        return f"band{band}", "true"


def _texts(pair: JsonObject) -> float:
    return minhash.distance(pair["one"], pair["other"])


def _sounds(pair: JsonObject) -> float:
    one, other = (np.array(pair[name], dtype=np.uint32) for name in ("one", "other"))
    return audio_fingerprint.distance(one, other, pair["shift"])


APART = " + ".join(f"bit_count(xor(one.h{n}, other.h{n}))::INTEGER" for n in range(4))
BYTES = Kind("same_bytes", "media", 0.0, "sha256", "sha256 IS NOT NULL AND bytes > 0")
IMAGES = Kind(
    "like_image",
    "media",
    0.2,
    same="picture",
    where=f"picture IS NOT NULL AND contrast >= {BLANK}",
    digest="sha256",
    prints="pictures",
    columns='"' + '", "'.join(PICTURES.names[1:]) + '"',
    first='"window" = 0',
    meet=f"min({APART}) / 256 AS score",
    near=f"{APART} <= {round(0.2 * 256)}",
)
SOUNDS = Kind(
    "like_sound",
    "media",
    0.25,
    same="words",
    where=f"len(words) >= {audio_fingerprint.SHORTEST} AND silent < 0.95",
    digest="sha256",
    prints="sounds",
    columns='word, "at" AS place',
    meet="CASE WHEN one.position < other.position THEN one.place - other.place "
    "ELSE other.place - one.place END AS shift, count(DISTINCT key) AS votes",
    candidates="SELECT a, b, arg_max(shift, votes)::INTEGER AS shift FROM (SELECT a, b, "
    f"round(shift / {audio_fingerprint.EVERY}) AS shift, sum(votes) AS votes "
    "FROM {pairs} GROUP BY ALL) "
    "GROUP BY a, b HAVING sum(votes) > 1",
    compare=_sounds,
    adds=True,
)
CAPTIONS = Kind(
    "like_caption",
    "texts",
    0.3,
    same="plain",
    where="trim(plain) <> ''",
    prints="texts",
    columns=", ".join(f"band{n}" for n in range(minhash.BANDS)),
    meet="any_value(true) AS met",
    candidates="SELECT DISTINCT a, b FROM {pairs}",
    compare=_texts,
)
# sections of one video belong to one split, so that they are told of across splits and corpora
IDS = Kind("same_id", "sources", 0.0, same="source_id", where="source_id <> ''", inside=False)
ALL = (BYTES, IMAGES, SOUNDS, CAPTIONS, IDS)
