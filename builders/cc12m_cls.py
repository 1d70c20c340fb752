"""CC12M-Cls: rows of Conceptual 12M whose captions name a class of ImageNet (Wen et al., 2024).

CC12M is one TSV of URL and caption, without a header; CC3M's, which has them the other way round,
is read with `caption_first`. Or JSON lines of `{"filepath", "caption"}`, the images in a folder.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_glass.builder import (
    MEDIA,
    Corpus,
    Features,
    FetchParams,
    ImageParams,
    MatchParams,
    Part,
    Raw,
    Value,
    column_parts,
    text_digests,
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

    def of_lines(self, lines: list[list[str]]) -> dict[str, Any]:
        """The columns of lines of the TSV."""
        urls = [line[self.caption_first] for line in lines]
        captions = [line[not self.caption_first] for line in lines]
        ids = text_digests(map("{}\n{}".format, urls, captions))
        columns = {"id": ids, MEDIA: urls, "filepath": [None] * len(ids), "url": urls}
        return self.matched(columns | {"caption": captions})

    def of_objects(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The columns of JSON lines."""
        paths, captions = ([item.get(name) for item in items] for name in LINE)
        columns = {"id": paths, MEDIA: paths, "filepath": paths, "url": [None] * len(paths)}
        return self.matched(columns | {"caption": captions})


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

    def several(self) -> Features:
        return self.config.each_class()

    def parts(self, split: str, raw: Raw) -> list[Part]:
        if self.config.source == "tsv":
            return column_parts.of_lines(self, raw, TSV, 2, self.config.of_lines)
        objects = self.config.of_objects
        return column_parts.of_objects(
            self, raw, LINES, LINES, LINE, objects, required=["filepath"]
        )
