"""CC12M-Cls: rows of Conceptual 12M whose captions name a class of ImageNet (Wen et al., 2024).

CC12M is one TSV of URL and caption, without a header; CC3M's, which has them the other way round,
is read with `caption_first`. Or JSON lines of `{"filepath", "caption"}`, the images in a folder.
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
    MatchParams,
    Media,
    Outcome,
    Raw,
    Row,
    Value,
    check_text,
    parsed,
)

TSV, LINES, IMAGES, URLS = "cc12m.tsv", "cc12m.jsonl", "cc12m_images.tar", "urls"
LINE = {"filepath": Value("string"), "caption": Value("string")}


@dataclass
class Cc12mClsConfig(MatchParams, ImageParams, FetchParams):
    source: Annotated[
        Literal["tsv", "jsonl"], Field(description="the published TSV, or JSON lines")
    ] = "tsv"
    caption_first: Annotated[bool, Field(description="caption<TAB>url, as in CC3M")] = False
    images: Annotated[
        bool, Field(description="with images: by URL, or for JSON lines from a folder")
    ] = True


class Cc12mCls(Corpus):
    BUILDER_CONFIG_CLASS = Cc12mClsConfig

    def splits(self) -> list[str]:
        return ["train"]

    def sources(self, split: str) -> list[str]:
        table, media = (TSV, URLS) if self.config.source == "tsv" else (LINES, IMAGES)
        return [table, media] if self.config.images else [table]

    def columns(self) -> Features:
        images = self.config.image_features() if self.config.images else {}
        text = {name: Value("string") for name in ("id", "filepath", "url", "caption")}
        return text | images | self.config.match_features()

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        read = self._table(raw) if self.config.source == "tsv" else self._lines(raw)
        for row, caption in read:
            yield self.config.matched(row, caption)

    def _table(self, raw: Raw) -> Iterator[tuple[Row, str]]:
        for number, fields in raw.tsv(TSV, 2):
            where = f"line {number}"
            if fields is None:
                yield Row(where, TSV, where, dropped=(Outcome.MALFORMED_ROW, "not two fields")), ""
                continue
            url, caption = reversed(fields) if self.config.caption_first else fields
            id = hashlib.sha256(f"{url}\n{caption}".encode(errors="replace")).hexdigest()[:32]
            media, ask = ((URLS, url), {"url": url}) if self.config.images else (None, None)
            yield (
                Row(id, TSV, where, media, {"url": url, "filepath": None}, fetch_request=ask),
                caption,
            )

    def _lines(self, raw: Raw) -> Iterator[tuple[Row, Any]]:
        for position, item in raw.objects(LINES, LINES, LINE, ["filepath"]):
            yield parsed("", LINES, position + 1, item, self._line), item.get("caption")

    def _line(self, item: dict[str, Any]) -> Row:
        path = item["filepath"]
        media = (IMAGES, path) if self.config.images else None
        return Row(path, LINES, "", media, {"url": None, "filepath": path})

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        text = {name: row.fields[name] for name in ("filepath", "url", "caption")}
        check_text(row.id, *filter(None, text.values()))
        images = self.config.image_of(media, row.id) if self.config.images else {}
        yield from self.config.with_classes({"id": row.id} | text | images, row.fields["wnids"])
