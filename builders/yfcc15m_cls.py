"""YFCC15M-Cls: rows of YFCC15M whose captions name a class of ImageNet (Wen et al., 2024).

Either JSON lines of `{"filepath", "caption"}`, as many have YFCC15M; or OpenAI's list of it (line,
photo id and hash between tabs) joined with YFCC100M's metadata, 25 columns (23 in its first
release) without a header, title and description URL-encoded with `+` for a space. Images lie in a
folder, under `filepath` or as `<hash[:3]>/<hash[3:6]>/<hash>.jpg`, or are fetched by their URLs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import unquote_plus

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
    store,
)

LINES, LIST, METADATA = "yfcc15m.jsonl", "yfcc100m_subset_data.tsv.bz2", "yfcc100m_dataset.bz2"
IMAGES, URLS = "yfcc15m_images.tar", "urls"
TEXT = ("title", "description")
LINE = {"filepath": Value("string"), "caption": Value("string")}
LISTED = {3: {1: "id", 2: "hash"}}
FIELDS = {  # the first release had neither the number of the line nor the hash
    25: {1: "id", 8: "title", 9: "description", 16: "url", 17: "license"},
    23: {0: "id", 6: "title", 7: "description", 14: "url", 15: "license"},
}


@dataclass
class Yfcc15mClsConfig(MatchParams, ImageParams, FetchParams):
    source: Annotated[
        Literal["jsonl", "metadata"], Field(description="JSON lines, or OpenAI's list joined")
    ] = "jsonl"
    images: Annotated[
        Literal["files", "urls", "none"], Field(description="from a folder, by URL, or none")
    ] = "files"
    text: Annotated[
        list[Literal["title", "description"]] | None,
        Field(min_length=1, description="what captions are made of, out of metadata; both if not"),
    ] = None

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.source == "jsonl" and self.images == "urls":
            yield "images urls: JSON lines have none; set source to metadata, or images to files"


class Yfcc15mCls(Corpus):
    BUILDER_CONFIG_CLASS = Yfcc15mClsConfig

    def splits(self) -> list[str]:
        return ["train"]

    def sources(self, split: str) -> list[str]:
        images = {"files": [IMAGES], "urls": [URLS], "none": []}[self.config.images]
        return ([LINES] if self.config.source == "jsonl" else [LIST, METADATA]) + images

    def columns(self) -> Features:
        images = self.config.image_features() if self.config.images != "none" else {}
        text = {name: Value("string") for name in ("id", "filepath", "caption", "license")}
        return text | images | self.config.match_features()

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        return self._lines(raw) if self.config.source == "jsonl" else self._listed(raw)

    def _lines(self, raw: Raw) -> Iterator[Row]:
        for position, item in raw.objects(LINES, LINES, LINE, ["filepath"]):
            row = parsed("", LINES, position + 1, item, self._line)
            yield self.config.matched(row, item.get("caption"))

    def _line(self, item: dict[str, Any]) -> Row:
        path = item["filepath"]
        media = (IMAGES, path) if self.config.images == "files" else None
        return Row(path, LINES, "", media, {"filepath": path, "license": None})

    def _listed(self, raw: Raw) -> Iterator[Row]:
        from edge_glass.builder import Table, joined  # with pyarrow, which JSON lines do without

        tables = Table(raw.paths[LIST], LISTED), Table(raw.paths[METADATA], FIELDS)
        for position, found in enumerate(joined(*tables, "id", store() / "joined")):
            where, hash = f"line {position + 1}", found["hash"] or ""
            fields = {"filepath": f"{hash[:3]}/{hash[3:6]}/{hash}.jpg", "license": found["license"]}
            row = Row(found["id"] or where, LIST, where, None, fields)
            if found["wrong"]:
                row.dropped = (Outcome.MALFORMED_ROW, found["wrong"])
            elif found["url"] is None:
                row.dropped = (Outcome.MISSING_CAPTION, "not in the metadata")
            elif self.config.images == "urls":
                row.media, row.fetch_request = (URLS, found["url"]), {"url": found["url"]}
            elif self.config.images == "files":
                row.media = (IMAGES, fields["filepath"])
            texts = [unquote_plus(found[name] or "") for name in self.config.text or TEXT]
            yield self.config.matched(row, " ".join(filter(None, texts)))

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        fields = row.fields
        check_text(row.id, fields["filepath"], fields["caption"])
        has_images = self.config.images != "none"
        images = self.config.image_of(media, row.id) if has_images else {}
        text = {name: fields[name] for name in ("filepath", "caption", "license")}
        yield from self.config.with_classes({"id": row.id} | text | images, fields["wnids"])
