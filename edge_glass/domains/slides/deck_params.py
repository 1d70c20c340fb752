"""The parameters of configs that are made of decks of slides with questions about them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from edge_glass.core.key_digests import rank
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import Example, Features
from edge_glass.corpora.image_params import ImageParams
from edge_glass.domains.slides.decks import Pair
from edge_glass.media.features import Image, Sequence, Value

if TYPE_CHECKING:
    from edge_glass.sources.row_media import Media

SPLITS = ["train", "validation", "test"]
TEXT, NUMBER = Value("string"), Value("int32")
META = dict.fromkeys(["presentation_url", "title", "author", "date"], TEXT) | {"len": NUMBER}
META |= dict.fromkeys(["description", "lang", "lang_detected"], TEXT) | {"dim": Sequence(NUMBER)}
META |= {"likes": NUMBER, "views": NUMBER, "mostRead": Sequence(Value("bool"))}
META |= {"transcript": Sequence(TEXT), "transcript_by": Sequence(TEXT)}
PAIR = dict.fromkeys(["id", "question", "answer", "task"], TEXT)
PAGE = {"deck": TEXT, "slide": NUMBER, "title": TEXT, "lang": TEXT}
PAGE |= {"transcript": TEXT, "transcript_by": TEXT}
ARTICLE_PAIRS = "questions/answers"
COLUMNS: dict[str, Features] = {
    "decks": META,
    "minimal": {"title": TEXT, "lang": TEXT},
    "article": {n: kind for n, kind in META.items() if n not in ("lang_detected", "transcript_by")},
    "pages": PAGE | {"pairs": [PAIR]},
    "corpus": {name: PAGE[name] for name in ("deck", "slide", "lang", "transcript")},
    "queries": {"text": TEXT, "answer": TEXT, "lang": TEXT},
    "qrels": {"query-id": TEXT, "corpus-id": TEXT, "score": NUMBER},
}


@dataclass
class DeckParams(ImageParams):
    """What a row is, and which decks are in which split."""

    rows_are: Annotated[
        Literal["decks", "minimal", "article", "pages", "corpus", "queries", "qrels"],
        Field(description="what a row is; the last three are the tables of a retrieval set"),
    ] = "decks"
    test: Annotated[float, Field(ge=0, le=1, description="share of the decks")] = 0.1
    validation: Annotated[float, Field(ge=0, le=1, description="share of the decks")] = 0.1
    query_task: Annotated[
        Literal["retrieval", "docvqa"], Field(description="which questions are queries")
    ] = "retrieval"

    def problems(self) -> Iterator[str]:
        """Parameters that contradict each other."""
        yield from super().problems()
        if self.test + self.validation > 1:
            yield "test and validation are shares of one whole: together at most 1"

    def split_of(self, deck: str) -> str:
        """The split of a deck, by its id and `seed` alone: more decks change nothing of it.

        Args:
            deck: its id.

        Returns:
            train, validation or test.
        """
        place = rank(self.seed, f"split {deck}") / 2**64
        if place < self.test:
            return "test"
        return "validation" if place < self.test + self.validation else "train"

    @property
    def row_is_a_deck(self) -> bool:
        """Whether a row is a deck with all of its slides."""
        return self.rows_are in ("decks", "minimal", "article")

    def row_features(self) -> Features:
        """The columns of what a row is; `article`: under an article's names."""
        columns = {"id": TEXT} | COLUMNS[self.rows_are]
        if self.rows_are == "article":
            pairs = [{"question": TEXT, "answer": TEXT}]
            return columns | {"images": Sequence(Image()), ARTICLE_PAIRS: pairs}
        if self.row_is_a_deck:
            columns |= {"slides": Sequence(NUMBER), "images": Sequence(Image())}
            return columns | {"pairs": [{"slide": NUMBER} | PAIR]}
        return columns | (self.image_features() if self.rows_are in ("pages", "corpus") else {})

    def slides_columns(self, slides: list[list[Any]], media: "Media") -> Example:
        """The columns of a deck's slides, aligned; what cannot be read is left out and noted.

        Args:
            slides: of each its number, transcript, what read it, whether it is among the most read.
            media: of the row, a file a slide in the same order.

        Returns:
            `slides` (numbers), `images` and what is known of each slide.

        Raises:
            Dropped: no slide is left.
        """
        names = ("slides", "transcript", "transcript_by", "mostRead")
        columns: dict[str, list[Any]] = {name: [] for name in (*names, "images")}
        for (number, *known), (_, data) in zip(slides, media.all(), strict=True):
            try:
                image = self.image_columns(data, f"slide_{number}")["image"]
            except Dropped as drop:
                media.notes.append(f"slide left out: {number}: {drop.outcome} {drop.detail}")
                continue
            columns["images"].append(image)
            for name, value in zip(names, [number, *known], strict=True):
                columns[name].append(value)
        if not columns["slides"]:
            raise Dropped(Outcome.MISSING_MEDIA, "no slide that can be read")
        return columns

    def not_a_query(self, pair: Pair, slides: dict[int, str]) -> tuple[str, str] | None:
        """Why a question is no query of a retrieval set.

        Args:
            pair: the question with its answer.
            slides: of its deck, number -> file.

        Returns:
            Outcome and detail; None if it is one.
        """
        if pair.task and pair.task != self.query_task:
            return Outcome.NOT_IN_CONFIG, f"asked for {pair.task}"
        if pair.slide not in slides:
            return Outcome.MISSING_MEDIA, f"slide {pair.slide} is not here"
        return None if pair.question.strip() else (Outcome.BLANK_FIELD, "question")
