"""ImageNet-Captions: titles, tags and descriptions from Flickr of about 450,000 images of ImageNet.

`imagenet_captions.json` (in a zip) is a list of `{"filename", "wnid", "title", "tags": […],
"description"}`; captions are made of it. The images are those of ILSVRC 2012's training set, as
`train/<wnid>/<filename>`, which only ImageNet gives: a folder or one tar of it, beside the JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_glass.builder import (
    ClassNameParams,
    ClassParams,
    Corpus,
    Example,
    Features,
    ImageParams,
    Media,
    Outcome,
    Raw,
    Row,
    Sequence,
    Value,
    check_text,
    labels,
    parsed,
)

JSON, IMAGES = "imagenet_captions.zip", "ILSVRC2012_img_train.tar"
ITEM = dict.fromkeys(["filename", "wnid", "title", "description"], Value("string"))
ITEM |= {"tags": Sequence(Value("string"))}
BREAKS = str.maketrans("\n\r\t", "   ")
Part = Literal["title", "tags", "description"]
PARTS: list[Part] = ["title", "tags", "description"]  # in the order of the source


@dataclass
class ImagenetCaptionsConfig(ClassNameParams, ClassParams, ImageParams):
    images: Annotated[bool, Field(description="with the images; without: metadata alone")] = True
    text: Annotated[
        list[Part] | None, Field(description="what captions are made of; all parts if not set")
    ] = None

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.text == [] and not self.append_cname:
            yield "text is empty: name a part of it, or set append_cname"


class ImagenetCaptions(Corpus):
    BUILDER_CONFIG_CLASS = ImagenetCaptionsConfig

    def splits(self) -> list[str]:
        return ["train"]

    def sources(self, split: str) -> list[str]:
        return [JSON, IMAGES] if self.config.images else [JSON]

    def columns(self) -> Features:
        images = self.config.image_features() if self.config.images else {}
        names = {"id": Value("string"), "filename": Value("string")}
        return names | images | {"caption": Value("string")} | self.config.class_features()

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        yield from self.config.sampled(lambda: self._rows(raw))

    def _rows(self, raw: Raw) -> Iterator[Row]:
        for position, item in raw.objects(JSON, "imagenet_captions.json", ITEM, [*ITEM]):
            yield parsed("", JSON, f"item {position}", item, self._row)

    def _row(self, item: dict[str, Any]) -> Row:
        name, wnid = item["filename"], item["wnid"]
        media = (IMAGES, f"{wnid}/{name}") if self.config.images else None
        row = Row(name.partition(".")[0], JSON, "", media, {"filename": name, "wnid": wnid})
        row.fields["caption"] = self._caption(row.id, item)
        if wnid not in labels():
            row.dropped = (Outcome.NO_CLASS, wnid)
        elif not row.fields["caption"]:
            row.dropped = (Outcome.BLANK_CAPTION, "")
        return row

    def _caption(self, id: str, item: dict[str, Any]) -> str:
        """The parts that are not empty, between spaces, after the class in its template."""
        texts = item | {"tags": " ".join(item["tags"])}
        wanted = PARTS if self.config.text is None else self.config.text
        parts = [texts[part].translate(BREAKS) for part in PARTS if part in wanted]
        if self.config.append_cname and item["wnid"] in labels():
            parts.insert(0, self.config.named(id, item["wnid"]))
        return " ".join(filter(None, parts)).strip()

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        fields = row.fields
        check_text(row.id, fields["filename"], fields["caption"])
        images = self.config.image_of(media, row.id) if self.config.images else {}
        text = {"id": row.id, "filename": fields["filename"], "caption": fields["caption"]}
        yield text | images | self.config.class_columns(fields["wnid"])
