"""Decks of slides with questions about them, out of folders that `collect`, `qa` and `filter` make.

`<id>/<id>.json` says what a deck is, `<id>/slide_<n>.jpg` are its slides, `<id>/qa_<id>.json` its
questions. A row is a deck (complete, minimal, or under an article's names), a page, or a row of one
of the three tables of a retrieval set, as BEIR and ViDoRe have them. A deck is in one split, drawn
by its id and `seed`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from edge_glass.builder import (
    Corpus,
    Deck,
    DeckParams,
    Dropped,
    Example,
    Features,
    Media,
    Outcome,
    Pair,
    Raw,
    Row,
    deck_params,
    decks,
    raw_decks,
)

DECKS = "decks"
NO_SLIDE = (Outcome.MISSING_MEDIA, "no slide")


@dataclass
class SlidesQAConfig(DeckParams):
    pass


class SlidesQA(Corpus):
    BUILDER_CONFIG_CLASS = SlidesQAConfig

    def splits(self) -> list[str]:
        return deck_params.SPLITS

    def sources(self, split: str) -> list[str]:
        return [DECKS]

    def columns(self) -> Features:
        return self.config.row_features()

    def rows(self, split: str, raw: Raw) -> Iterator[Row]:
        for folder, id, files in raw_decks.folders(raw, DECKS):
            if self.config.split_of(id) == split:
                try:
                    deck, pairs, notes = raw_decks.deck(raw, DECKS, folder, id, files)
                except Dropped as drop:
                    yield Row(id, DECKS, folder, dropped=(drop.outcome, drop.detail))
                    continue
                for row in self._rows(deck, pairs, folder, decks.numbered(files)):
                    row.fields["notes"] = notes
                    yield row

    def _rows(
        self, deck: Deck, pairs: list[Pair], folder: str, slides: dict[int, str]
    ) -> Iterator[Row]:
        kind, about = self.config.rows_are, {"title": deck.title, "lang": deck.language}
        if kind in ("queries", "qrels"):
            for pair in pairs:
                name = f"{deck.id}_{pair.slide}"
                page = {"text": pair.question, "answer": pair.answer, "score": 1}
                page |= about | {"query-id": pair.id, "corpus-id": name}
                dropped = self.config.not_a_query(pair, slides)
                yield Row(pair.id, DECKS, pair.id, None, page, dropped)
        elif not slides:
            yield Row(deck.id, DECKS, folder, dropped=NO_SLIDE)
        elif self.config.row_is_a_deck:
            first, *also = slides.values()
            fields = (about if kind == "minimal" else {}) | {"pairs": [*map(asdict, pairs)]}
            of_slides = [[n, deck.text(n), deck.text_by(n), deck.most_read(n)] for n in slides]
            fields = asdict(deck) | fields | {"of_slides": of_slides}
            yield Row(deck.id, DECKS, folder, (DECKS, first), fields, extra_members=also)
        else:
            for number, name in slides.items():
                own = [asdict(pair) for pair in pairs if pair.slide == number]
                text = {"transcript": deck.text(number), "transcript_by": deck.text_by(number)}
                page = {"deck": deck.id, "slide": number, "pairs": own} | about | text
                row = Row(f"{deck.id}_{number}", DECKS, name, (DECKS, name), page)
                if kind == "pages" and not own:
                    row.dropped = (Outcome.MISSING_CAPTION, "no question")
                yield row

    def examples(self, row: Row, media: Media) -> Iterator[Example]:
        columns, found = self.columns(), {"id": row.id} | row.fields
        media.notes += row.fields["notes"]
        if "images" in columns:
            found |= self.config.slides_columns(row.fields["of_slides"], media)
        elif "image" in columns:
            found |= self.config.image_columns(media.read(), row.id, media.notes)
        for name in {"pairs", deck_params.ARTICLE_PAIRS} & columns.keys():
            pairs = found["pairs"]
            found[name] = [{field: pair[field] for field in columns[name][0]} for pair in pairs]
        yield {name: found[name] for name in columns}
