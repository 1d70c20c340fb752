"""PixMo-Cap: 717,042 images of the web, each described by people speaking for a minute or more.

Parquet on the Hub with `image_url`, `caption` (written by a language model out of the transcripts)
and `transcripts`. There is no id: it is derived from URL and caption, which no two rows share.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_glass.builder import (
    Corpus,
    Example,
    Features,
    FetchParams,
    ImageParams,
    Media,
    Outcome,
    Raw,
    Row,
    Sequence,
    Value,
    check_text,
    parsed,
)

LIST, IMAGES = "pixmo-cap", "images"
TEXT, TEXTS = Value("string"), Sequence(Value("string"))
COLUMNS = {"image_url": TEXT, "caption": TEXT, "transcripts": TEXTS}


@dataclass
class PixmoCapConfig(ImageParams, FetchParams):
    image_column: Annotated[
        Literal["image", "image_bytes"],
        Field(description="image: shown by the Hub and decoded; image_bytes: plain bytes"),
    ] = "image"


class PixmoCap(Corpus):
    """Images with long captions."""

    BUILDER_CONFIG_CLASS = PixmoCapConfig

    def splits(self) -> list[str]:
        return ["train"]

    def sources(self, split: str) -> list[str]:
        return [LIST, IMAGES]

    def columns(self) -> Features:
        images = self.config.image_features()
        if self.config.image_column == "image_bytes":
            images = {"image_bytes": Value("binary")} | images
            del images["image"]
        text = {"caption": TEXT, "transcripts": TEXTS}
        return {"id": TEXT} | images | {"image_url": TEXT} | text

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        for name, record in raw.records(LIST, COLUMNS):
            yield parsed(split, LIST, name, record, _row)

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        caption, transcripts = row.fields["caption"], row.fields["transcripts"]
        check_text(caption, *transcripts)
        images = self.config.image_columns(media.read(), row.id, media.notes)
        if self.config.image_column == "image_bytes":
            images["image_bytes"] = images.pop("image")["bytes"]
        text = {"caption": caption, "transcripts": transcripts}
        yield {"id": row.id} | images | {"image_url": media.url} | text


def _row(record: dict[str, Any]) -> Row:
    url, caption = record["image_url"] or "", record["caption"] or ""
    id = hashlib.sha256(f"{url}\n{caption}".encode(errors="replace")).hexdigest()[:32]
    fields = {"caption": caption, "transcripts": record["transcripts"] or []}
    dropped = None if caption.strip() else (Outcome.BLANK_CAPTION, "")
    return Row(id, LIST, "", (IMAGES, url), fields, dropped, fetch_request={"url": url})
