"""MM-IMDb 1.0: 25,959 films, each with its poster, its plots and its genres out of IMDb.

One tarball: `split.json` (train, dev and test, each a list of stems) and for each stem
`dataset/<stem>.jpeg` and `dataset/<stem>.json`, IMDbPY's record of the film, often with several
plots. 23 genres are labels; News, Adult, Talk-Show and Reality-TV were too rare to be. Stems that
`split.json` does not name stand in the ledger, behind those of `train`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_glass.builder import (
    BY_FREQUENCY,
    BrokenImageParams,
    ClassLabel,
    Corpus,
    Dropped,
    Example,
    Features,
    Media,
    Outcome,
    Raw,
    Row,
    Sequence,
    Value,
    check_text,
    label_of,
    unlisted,
)

ARCHIVE, SUFFIXES = "mmimdb.tar.gz", (".jpeg", ".jpg")
PARTS = {"train": "train", "validation": "dev", "test": "test"}
TEXT, TEXTS = Value("string"), Sequence(Value("string"))
FILM = {"plot": TEXTS, "genres": TEXTS, "title": TEXT, "year": Value("int32")}  # of its record


@dataclass
class MMIMDbConfig(BrokenImageParams):
    plot_mode: Annotated[
        Literal["all", "first", "longest"], Field(description="plot: all joined by spaces, or one")
    ] = "all"
    label_order: Annotated[
        Literal["alphabetical", "frequency"], Field(description="how the 23 labels are numbered")
    ] = "alphabetical"
    unlabelled: Annotated[
        Literal["keep", "drop"], Field(description="films of none of the 23 genres")
    ] = "keep"


class MMIMDb(Corpus):
    """Posters with plots and genres."""

    BUILDER_CONFIG_CLASS = MMIMDbConfig

    def splits(self) -> list[str]:
        return list(PARTS)

    def sources(self, split: str) -> list[str]:
        return [ARCHIVE]

    def columns(self) -> Features:
        frequent = self.config.label_order == "frequency"
        labels = ClassLabel(names=BY_FREQUENCY if frequent else sorted(BY_FREQUENCY))
        film = {"plot": TEXT, "plots": TEXTS, "title": TEXT, "year": Value("int32")}
        film |= {"genres": TEXTS, "labels": Sequence(labels)}
        return {"id": TEXT} | self.config.image_features() | film

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        part = PARTS[split]
        for number, stem in enumerate(raw.listed(ARCHIVE, "split.json", part)):
            row = Row(stem, ARCHIVE, f"split.json {part} {number}")
            try:
                row.media = (ARCHIVE, raw.named(ARCHIVE, f"dataset/{stem}", SUFFIXES))
                row.fields = _film(raw.record(ARCHIVE, f"dataset/{stem}.json", FILM))
            except Dropped as drop:
                row.dropped = (drop.outcome, drop.detail)
            yield row
        if split == "train":
            listed = {s for p in PARTS.values() for s in raw.listed(ARCHIVE, "split.json", p)}
            yield from unlisted(raw, ARCHIVE, "dataset", (*SUFFIXES, ".json"), listed)

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        plots, genres = row.fields["plots"], row.fields["genres"]
        check_text(row.id, row.fields["title"] or "", *plots, *genres)
        if not (kept := [plot for plot in plots if plot.strip()]):
            raise Dropped(Outcome.BLANK_CAPTION, "no plot")
        names = self.columns()["labels"]["feature"]["names"]
        folded = {genre: label_of(genre) for genre in genres}
        labels = sorted({names.index(label) for label in folded.values() if label})
        if not labels and self.config.unlabelled == "drop":
            raise Dropped(Outcome.NO_LABEL, ", ".join(genres))
        images = self.config.image_or_black(media.read(), media.name, media.notes)
        other = [genre for genre, label in folded.items() if not label]
        media.notes += [f"genre that is no label: {', '.join(other)}"] if other else []
        media.notes += [] if labels else ["no label left"]
        chosen = {"all": " ".join(kept), "first": kept[0], "longest": max(kept, key=len)}
        text = {"plot": chosen[self.config.plot_mode], "labels": labels}
        yield {"id": row.id} | images | text | row.fields


def _film(record: dict[str, Any]) -> dict[str, Any]:
    film = {"plots": record.get("plot") or [], "genres": record.get("genres") or []}
    title, year = record.get("title"), record.get("year")
    if year not in (None, *range(1800, 2200)):
        raise Dropped(Outcome.MALFORMED_ROW, f"year: {year}")
    return film | {"title": title, "year": year}
