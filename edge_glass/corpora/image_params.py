"""The parameters of configs whose images or files are fetched from the web."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import Example, Features
from edge_glass.corpora.params import CorpusConfig
from edge_glass.media import Resize
from edge_glass.media.features import Image, Value

BROKEN = {
    Outcome.EMPTY_MEDIA, Outcome.TRUNCATED_MEDIA, Outcome.UNDECODABLE_MEDIA, Outcome.WRONG_KIND,
}  # fmt: skip


OptOut = Literal[
    "robots_txt", "x_robots_tag", "tdm_rep", "content_usage", "data_mining", "training_mining"
]


@dataclass
class FetchParams(CorpusConfig):
    """What is taken from the web."""

    ignore_opt_outs: Annotated[
        list[OptOut] | None,
        Field(description="checks of consent to leave out, at your own risk"),
    ] = None
    max_bytes: Annotated[
        int, Field(ge=1000, le=2**28, description="limit of one file; larger ones are dropped")
    ] = 50_000_000


@dataclass
class ImageParams(CorpusConfig):
    """Which images are kept, and how they are written."""

    image_format: Annotated[
        Literal["source", "jpeg", "webp", "png"] | None,
        Field(description="source bytes unless resize is set (then jpeg)"),
    ] = None
    quality: Annotated[int, Field(ge=1, le=100, description="quality of jpeg and webp")] = 95
    resize: Annotated[
        Resize | None,
        Field(description="which side gets image_size pixels, if it has more; or a square"),
    ] = None
    image_size: Annotated[int, Field(ge=8, le=8192, description="pixels, for resize")] = 512
    min_side: Annotated[int, Field(ge=1, description="pixels of the smallest side")] = 1
    max_aspect: Annotated[
        float | None, Field(ge=1, description="longest side by smallest side, at most")
    ] = None
    min_bytes: Annotated[int, Field(ge=0, description="smallest file of the source")] = 0
    decode_all: Annotated[bool, Field(description="decode every image to see that it is whole")] = (
        True
    )

    @property
    def written_as(self) -> str:
        """`image_format`, or what follows from the other parameters."""
        return self.image_format or ("jpeg" if self.resize else "source")

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.image_format == "source" and self.resize:
            yield "image_format source keeps the bytes: unset resize, or use jpeg, webp or png"

    def made_with(self) -> dict[str, str]:
        """The image library, where it writes the bytes or says what is whole."""
        from edge_glass.media import images

        return super().made_with() | images.library()

    def image_bytes(self, source_bytes: int) -> int:
        """About how many bytes an image will take, to cut shards by."""
        pixels = self.image_size**2 if self.resize else None
        per_pixel = {"png": 2.0, "jpeg": 0.5, "webp": 0.4}.get(self.written_as, 0)
        return min(source_bytes, int(pixels * per_pixel)) if pixels else source_bytes

    def image_features(self) -> Features:
        """The columns that `image_columns` fills."""
        return {"image": Image(), "width": Value("int32"), "height": Value("int32")}

    def image_columns(self, data: bytes, stem: str, notes: list[str] | None = None) -> Example:
        """The columns of an image; one that is too small or narrow is told by its header.

        Args:
            data: the image's bytes.
            stem: of the name that the image gets.
            notes: get what was mended.

        Returns:
            `image`, `width` and `height` (pixels as shown).

        Raises:
            Dropped: it is no image, is not whole, or is not what the config takes.
        """
        from edge_glass.media import images

        if len(data) < self.min_bytes:
            raise Dropped(Outcome.TOO_SMALL, f"{len(data)} bytes")
        info = images.probe(data)
        short, long = sorted((info.width, info.height))
        if short < self.min_side:
            raise Dropped(Outcome.TOO_SMALL, f"{info.width}x{info.height} pixels")
        if self.max_aspect and long > self.max_aspect * short:
            raise Dropped(Outcome.WRONG_ASPECT, f"{info.width}x{info.height} pixels")
        if self.written_as != "source":
            data, info = images.convert(
                data, self.written_as, self.quality, self.resize, self.image_size, notes
            )
        elif self.decode_all:
            images.check(data)
            data = images.readable(data, [] if notes is None else notes)
        image = {"bytes": data, "path": f"{stem}{info.suffix}"}
        return {"image": image, "width": info.width, "height": info.height}


@dataclass
class BrokenImageParams(ImageParams):
    """What becomes of a row whose image is broken, where its text alone is worth keeping."""

    broken_images: Annotated[
        Literal["drop", "black"], Field(description="black: 224x224 black pixels in their place")
    ] = "drop"

    def image_or_black(self, data: bytes, name: str, notes: list[str]) -> Example:
        """As `image_columns`; a broken image is black if the config says so.

        Args:
            data: the image's bytes.
            name: of its file, kept where it ends in `.jpeg` as JPEGs may.
            notes: get what the ledger should say of a row that is kept.

        Returns:
            What `image_columns` gives.

        Raises:
            Dropped: it is broken, and the config takes no black one.
        """
        from edge_glass.media import images

        file = PurePosixPath(name)
        stem = file.stem
        try:
            columns = self.image_columns(data, stem, notes)
            if (file.suffix, columns["image"]["path"]) == (".jpeg", f"{stem}.jpg"):
                columns["image"]["path"] = file.name
            return columns
        except Dropped as drop:
            if self.broken_images == "drop" or drop.outcome not in BROKEN:
                raise
            notes.append(f"black in place of the image: {drop.outcome} {drop.detail}")
            return self.image_columns(images.black(224), stem)
