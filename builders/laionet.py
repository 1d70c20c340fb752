"""LAIONet: images of LAION-400M whose captions name one class of ImageNet and mean it.

Tables of LAION's columns with `wnid` and `text_to_name_def_wnid_similarity` (of the caption and
`<lemma> which is <definition>`), as `edge-glass match` and `edge-glass similarity` make them; the
metadata that Wen et al. (2024) publish are such tables, too. To match the class frequencies of
another corpus, rows that `edge-glass retrieve` found by its captions fill up what is missing.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

from edge_glass.builders.laion400m import NAMES, UNLIKELY
from edge_glass.builders.laion400m import TABLE as LAION
from pydantic import Field

from edge_glass.builder import (
    INDEX,
    RETRIEVED,
    SIMILARITY,
    BalanceParams,
    Corpus,
    Example,
    Features,
    FetchParams,
    ImageParams,
    Media,
    Outcome,
    Raw,
    Row,
    Value,
    check_text,
    frequencies,
    labels,
    our_wnid,
    rows_of,
    table_chunks,
)

OWN, MORE, IMAGES = "laionet_metadata", "laionet_retrieved", "images"
FREQUENCIES = "class_frequency_incaps_imagenet_ori.txt"
TABLE = replace(
    LAION,
    source=OWN,
    columns=LAION.columns | {"wnid": "VARCHAR", SIMILARITY: "DOUBLE", INDEX: "BIGINT"},
    required=("wnid",),
)
COLUMNS = NAMES | {"laion_index": INDEX}  # that index: part * 100,000,000 + row


@dataclass
class LaionetConfig(BalanceParams, ImageParams, FetchParams):
    images: Annotated[bool, Field(description="fetch the images; without: metadata alone")] = True
    nsfw: Annotated[bool, Field(description="rows whose NSFW is not UNLIKELY, too")] = False

    def outside(self, row: Row) -> str | None:
        """Why the config leaves a row out."""
        unlikely = self.nsfw or row.fields["nsfw"] == UNLIKELY
        return super().outside(row) if unlikely else f"NSFW is {row.fields['nsfw']}"


class Laionet(Corpus):
    BUILDER_CONFIG_CLASS = LaionetConfig
    TABLE = TABLE

    def splits(self) -> list[str]:
        return ["train"]

    def sources(self, split: str) -> list[str]:
        more = [MORE, FREQUENCIES] if self.config.match_freq else []
        return [OWN, *more, *([IMAGES] if self.config.images else [])]

    def columns(self) -> Features:
        images = self.config.image_features() if self.config.images else {}
        names = {ours: Value(TABLE.value(name)) for ours, name in COLUMNS.items()}
        scores = {"text_similarity": Value("float64"), "origin": Value("string")}
        return {"id": Value("string")} | images | names | self.config.class_features() | scores

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        wanted = frequencies(raw.paths[FREQUENCIES]) if self.config.match_freq else None
        yield from self.config.sampled(lambda: self._rows(raw), wanted)

    def _rows(self, raw: Raw) -> Iterator[Row]:
        columns = {"id": table_chunks.digest_of("URL", "TEXT"), "wnid": "wnid"}
        columns |= {ours: f'"{theirs}"' for ours, theirs in COLUMNS.items()}
        columns["text_similarity"] = SIMILARITY
        for source in [OWN, MORE] if self.config.match_freq else [OWN]:
            origin = RETRIEVED if source == MORE else "laionet"
            table = replace(TABLE, source=source)
            for chunk in table_chunks.chunks(raw.paths[source], table, columns):
                for row in rows_of(chunk):
                    row.fields |= {"wnid": our_wnid(row.fields["wnid"]), "origin": origin}
                    yield self._checked(row)

    def _checked(self, row: Row) -> Row:
        if not row.dropped and (fault := _fault(row.fields, row.source)):
            row.dropped, row.id = fault, hashlib.sha256(row.row.encode()).hexdigest()[:32]
        if self.config.images and not row.dropped:
            row.media = (IMAGES, row.fields["url"])
            row.fetch_request = {"url": row.fields["url"]}
        return row

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        check_text(row.fields["url"], row.fields["caption"])
        images = self.config.image_of(media, row.id) if self.config.images else {}
        yield {"id": row.id} | images | row.fields | self.config.class_columns(row.fields["wnid"])


def _fault(fields: dict[str, Any], source: str) -> tuple[str, str] | None:
    if fields["wnid"] not in labels():
        return Outcome.NO_CLASS, str(fields["wnid"])
    if source == OWN and fields["text_similarity"] is None:
        return Outcome.BLANK_FIELD, "no similarity: see `edge-glass similarity`"
    return None
