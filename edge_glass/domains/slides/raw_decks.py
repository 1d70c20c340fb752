"""Decks out of a raw folder (or a tar of one), for builders."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.domains.slides import decks
from edge_glass.domains.slides.decks import Deck, Pair
from edge_glass.sources.fields import check_text
from edge_glass.sources.raw import Raw


def folders(raw: Raw, source: str) -> Iterator[tuple[str, str, list[str]]]:
    """The decks of a source.

    Args:
        raw: the sources.
        source: the name in the YAML.

    Returns:
        Path, id and files of each deck.

    Raises:
        SourceError: there is none.
    """
    none = True
    for deck in decks.among(raw.folders(source)):
        none = False
        yield deck
    if none:
        names = [*islice(raw.names(source), 5)]
        raise SourceError(f"{raw.corpus}: {decks.no_deck(raw.paths[source], names)}")


def deck(
    raw: Raw, source: str, folder: str, id: str, files: list[str]
) -> tuple[Deck, list[Pair], list[str]]:
    """A deck with its questions.

    Args:
        raw: the sources.
        source: the name in the YAML.
        folder: of the deck in it.
        id: of the deck.
        files: in the folder.

    Returns:
        The deck, its pairs of question and answer, and notes on both.

    Raises:
        Dropped: it is no deck, or no text.
    """
    record, name = raw.record(source, f"{folder}/{id}.json"), f"{folder}/qa_{id}.json"
    try:
        said = json.loads(raw.read(source, name)) if raw.size(source, name) is not None else []
        opened, pairs, notes = decks.opened(id, record, said, files)
    except (ValueError, RecursionError) as error:
        raise Dropped(Outcome.MALFORMED_ROW, f"{id}: {error}"[:200]) from None
    check_text(*(text for text in asdict(opened).values() if isinstance(text, str)))
    check_text(*opened.transcript, *opened.images)
    for pair in pairs:
        texts = (pair.id, pair.question, pair.answer, pair.task, pair.model, pair.prompt)
        check_text(*filter(None, texts))
    return opened, pairs, notes
