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
    DETAIL,
    MEDIA,
    OUTCOME,
    Corpus,
    Features,
    FetchParams,
    ImageParams,
    MatchParams,
    Outcome,
    Part,
    Raw,
    Table,
    Value,
    column_parts,
    joined,
    store,
)

LINES, LIST, METADATA = "yfcc15m.jsonl", "yfcc100m_subset_data.tsv.bz2", "yfcc100m_dataset.bz2"
IMAGES, URLS = "yfcc15m_images.tar", "urls"
BROKEN, UNLISTED = Outcome.MALFORMED_ROW, Outcome.MISSING_CAPTION
LINE = {"filepath": Value("string"), "caption": Value("string")}
TEXT, LISTED = ("title", "description"), {3: {1: "id", 2: "hash"}}
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

    def of_objects(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The columns of JSON lines."""
        paths, captions = ([item.get(name) for item in items] for name in LINE)
        columns = {"id": paths, MEDIA: paths, "filepath": paths, "license": [None] * len(paths)}
        return self.matched(columns | {"caption": captions})

    def of_listed(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The columns of photos of the list, joined with the metadata."""
        hashes = [row["hash"] or "" for row in rows]
        paths = [f"{hash[:3]}/{hash[3:6]}/{hash}.jpg" for hash in hashes]
        texts = ([unquote_plus(row[name] or "") for name in self.text or TEXT] for row in rows)
        columns: dict[str, Any] = {"id": [row["id"] or None for row in rows], "filepath": paths}
        columns[MEDIA] = [row["url"] for row in rows] if self.images == "urls" else paths
        columns["caption"] = [" ".join(filter(None, parts)) for parts in texts]
        columns["license"] = [row["license"] for row in rows]
        columns[DETAIL] = [row["wrong"] or "not in the metadata" for row in rows]
        columns[OUTCOME] = [
            BROKEN if row["wrong"] else UNLISTED if row["url"] is None else None for row in rows
        ]
        return self.matched(columns)


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

    def several(self) -> Features:
        return self.config.each_class()

    def parts(self, split: str, raw: Raw) -> list[Part]:
        if self.config.source == "jsonl":
            objects = self.config.of_objects
            return column_parts.of_objects(
                self, raw, LINES, LINES, LINE, objects, required=["filepath"]
            )
        tables = Table(raw.paths[LIST], LISTED), Table(raw.paths[METADATA], FIELDS)
        listed = joined(*tables, "id", store() / "joined")
        return column_parts.of_table(self, LIST, listed, self.config.of_listed)
