"""LAION-400M: pairs of an image's URL and its alt text, out of Common Crawl by crawling at home.

Workers wrote `|`-delimited CSV chunks, some with fewer columns than others; those of the first days
have no `similarity` (of image and text, by CLIP) and are not taken. The release is 32 Parquet parts
of the same columns, one row for each pair of URL and caption. Either is read, and so are the parts
that `edge-glass dedup laion400m` makes. NSFW is UNLIKELY, UNSURE, NSFW or nothing.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from edge_glass.builder import (
    MEDIA,
    Corpus,
    Features,
    FetchParams,
    ImageParams,
    Layout,
    Raw,
    Value,
    table_chunks,
)

CHUNKS, IMAGES = "chunks", "images"
UNLIKELY = "UNLIKELY"
TABLE = Layout(
    source=CHUNKS,
    delimiter="|",
    columns={
        "SAMPLE_ID": "BIGINT",
        "URL": "VARCHAR",
        "TEXT": "VARCHAR",
        "HEIGHT": "INTEGER",
        "WIDTH": "INTEGER",
        "LICENSE": "VARCHAR",
        "NSFW": "VARCHAR",
        "similarity": "DOUBLE",
        "LANGUAGE": "VARCHAR",  # of later chunks, which are not English alone
    },
    keys=("URL", "TEXT"),
    required=("similarity",),
    # there are similarities of 6016, captions of 61,192 characters, images 39,580 pixels wide
    bounds={"similarity": (0, 1), "HEIGHT": (1, 20_000), "WIDTH": (1, 20_000), "TEXT": (1, 5000)},
    counted=("LICENSE", "NSFW", "LANGUAGE"),
    binned={"similarity": 0.01, "HEIGHT": 200, "WIDTH": 200, "TEXT": 50},
    caption="TEXT",
)
NAMES = {  # ours -> upstream's
    "url": "URL",
    "caption": "TEXT",
    "sample_id": "SAMPLE_ID",
    "listed_width": "WIDTH",
    "listed_height": "HEIGHT",
    "license": "LICENSE",
    "nsfw": "NSFW",
    "similarity": "similarity",
    "language": "LANGUAGE",
}


@dataclass
class Laion400mConfig(ImageParams, FetchParams):
    images: Annotated[bool, Field(description="fetch the images; without: metadata alone")] = True
    nsfw: Annotated[
        Literal["keep", "flag", "drop"],
        Field(description="rows that are not UNLIKELY: as they are, marked by `unsafe`, left out"),
    ] = "keep"


class Laion400m(Corpus):
    BUILDER_CONFIG_CLASS = Laion400mConfig
    TABLE = TABLE

    def splits(self) -> list[str]:
        return ["train"]

    def sources(self, split: str) -> list[str]:
        return [CHUNKS, IMAGES] if self.config.images else [CHUNKS]

    def columns(self) -> Features:
        images = self.config.image_features() if self.config.images else {}
        names = {ours: Value(TABLE.value(name)) for ours, name in NAMES.items()}
        unsafe = {"unsafe": Value("bool")} if self.config.nsfw == "flag" else {}
        return {"id": Value("string")} | images | names | {"outlier": Value("string")} | unsafe

    def parts(self, split: str, raw: Raw) -> list[table_chunks.Chunk]:
        columns = {"id": table_chunks.digest_of("URL", "TEXT")}
        columns |= {ours: f'"{theirs}"' for ours, theirs in NAMES.items()}
        columns["outlier"] = "CASE WHEN dropped IS NULL THEN detail ELSE '' END"
        unsafe = f"NSFW IS DISTINCT FROM '{UNLIKELY}'"
        columns |= {"unsafe": unsafe} if self.config.nsfw == "flag" else {}
        columns |= {MEDIA: "URL"} if self.config.images else {}
        why = f"CASE WHEN {unsafe} THEN 'NSFW is ' || coalesce(NSFW, 'None') END"
        left_out = why if self.config.nsfw == "drop" else "NULL"
        return table_chunks.chunks(raw.paths[CHUNKS], TABLE, columns, left_out)
