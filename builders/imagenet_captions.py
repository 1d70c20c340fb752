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
    DETAIL,
    MEDIA,
    OUTCOME,
    Batches,
    ClassNameParams,
    ClassParams,
    Corpus,
    Features,
    ImageParams,
    Outcome,
    Part,
    Raw,
    Sequence,
    Value,
    column_parts,
    labels,
)

JSON, IMAGES = "imagenet_captions.zip", "ILSVRC2012_img_train.tar"
ITEM = dict.fromkeys(["filename", "wnid", "title", "description"], Value("string"))
ITEM |= {"tags": Sequence(Value("string"))}
BREAKS = str.maketrans("\n\r\t", "   ")
TextPart = Literal["title", "tags", "description"]
PARTS: list[TextPart] = ["title", "tags", "description"]  # in the order of the source


@dataclass
class ImagenetCaptionsConfig(ClassNameParams, ClassParams, ImageParams):
    images: Annotated[bool, Field(description="with the images; without: metadata alone")] = True
    text: Annotated[
        list[TextPart] | None, Field(description="what captions are made of; all parts if not set")
    ] = None

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.text == [] and not self.append_cname:
            yield "text is empty: name a part of it, or set append_cname"

    def of_items(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The columns of items of the JSON list."""
        names, wnids = ([item[name] for item in items] for name in ("filename", "wnid"))
        ids = [name.partition(".")[0] for name in names]
        captions = [*map(self.caption, ids, items)]
        blank = [None if caption else Outcome.BLANK_CAPTION for caption in captions]
        outcomes = [
            why if w in labels() else Outcome.NO_CLASS for why, w in zip(blank, wnids, strict=True)
        ]
        details = ["" if wnid in labels() else wnid for wnid in wnids]
        paths = [f"{wnid}/{name}" for wnid, name in zip(wnids, names, strict=True)]
        columns = {"id": ids, MEDIA: paths, "filename": names, "caption": captions, "wnid": wnids}
        return columns | self.class_columns(wnids) | {OUTCOME: outcomes, DETAIL: details}

    def caption(self, id: str, item: dict[str, Any]) -> str:
        """The parts that are not empty, between spaces, after the class in its template."""
        texts = item | {"tags": " ".join(item["tags"])}
        wanted = PARTS if self.text is None else self.text
        parts = [texts[part].translate(BREAKS) for part in PARTS if part in wanted]
        if self.append_cname and item["wnid"] in labels():
            parts.insert(0, self.named(id, item["wnid"]))
        return " ".join(filter(None, parts)).strip()


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

    def parts(self, split: str, raw: Raw) -> list[Part]:
        file, items = "imagenet_captions.json", self.config.of_items
        return column_parts.of_objects(self, raw, JSON, file, ITEM, items, required=[*ITEM])

    def sampled(self, batches: Batches, raw: Raw) -> Batches:
        return self.config.sampled(batches)
