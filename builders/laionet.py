"""LAIONet: images of LAION-400M whose captions name one class of ImageNet and mean it.

Tables of LAION's columns with `wnid` and `text_to_name_def_wnid_similarity` (of the caption and
`<lemma> which is <definition>`), as `edge-glass match` and `edge-glass similarity` make them; the
metadata that Wen et al. (2024) publish are such tables, too. To match the class frequencies of
another corpus, rows that `edge-glass retrieve` found by its captions fill up what is missing.
"""

from dataclasses import dataclass, replace
from typing import Annotated

from edge_glass.builders.laion400m import NAMES, UNLIKELY
from edge_glass.builders.laion400m import TABLE as LAION
from pydantic import Field

from edge_glass.builder import (
    INDEX,
    MEDIA,
    RETRIEVED,
    SIMILARITY,
    BalanceParams,
    Batches,
    Corpus,
    Features,
    FetchParams,
    ImageParams,
    Part,
    Raw,
    Value,
    frequencies,
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

    def wanted(self) -> dict[str, str]:
        """The values that columns of a row must have."""
        return {} if self.nsfw else {"nsfw": UNLIKELY}


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

    def parts(self, split: str, raw: Raw) -> list[Part]:
        columns = {"id": table_chunks.digest_of("URL", "TEXT"), "wnid": "wnid"}
        columns |= {ours: f'"{theirs}"' for ours, theirs in COLUMNS.items()}
        columns |= {"text_similarity": SIMILARITY} | ({MEDIA: "URL"} if self.config.images else {})
        parts = list[Part]()
        for source in [OWN, MORE] if self.config.match_freq else [OWN]:
            origin = {"origin": f"'{RETRIEVED if source == MORE else 'laionet'}'"}
            table, then = replace(TABLE, source=source), self.config.classed
            parts += table_chunks.chunks(raw.paths[source], table, columns | origin, then=then)
        return parts

    def sampled(self, batches: Batches, raw: Raw) -> Batches:
        wanted = frequencies(raw.paths[FREQUENCIES]) if self.config.match_freq else None
        return self.config.sampled(batches, wanted)
