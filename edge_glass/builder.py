"""All that a corpus imports, in one place: `from edge_glass.builder import Corpus, Row, …`.

A builder needs nothing else of Edge Glass; what stands here stays where it is when rooms change.
"""

from typing import TYPE_CHECKING, Any

from edge_glass.core import lazy_names

if TYPE_CHECKING:
    from edge_glass.core.key_digests import text_digests
    from edge_glass.core.ledger import Dropped, Outcome
    from edge_glass.core.row import DETAIL, MEDIA, OUTCOME, Batches, Example, Features, Part, Row
    from edge_glass.corpora import column_parts
    from edge_glass.corpora.corpus import Corpus
    from edge_glass.corpora.image_params import BrokenImageParams, FetchParams, ImageParams
    from edge_glass.corpora.params import (
        AudioParams,
        CaptionParams,
        CorpusConfig,
        TranscriptParams,
    )
    from edge_glass.corpora.rows import (
        matched,
        of_lines,
        parsed,
        section_of,
        unclaimed,
        unlisted,
    )
    from edge_glass.corpora.video_params import VideoParams
    from edge_glass.domains.imagenet import INDEX, SIMILARITY
    from edge_glass.domains.imagenet.balance_params import RETRIEVED, BalanceParams
    from edge_glass.domains.imagenet.class_params import ClassNameParams, ClassParams, MatchParams
    from edge_glass.domains.imagenet.classes import frequencies, labels
    from edge_glass.domains.mm_imdb import BY_FREQUENCY, label_of
    from edge_glass.domains.slides import deck_params, decks, raw_decks
    from edge_glass.domains.slides.deck_params import DeckParams
    from edge_glass.domains.slides.decks import Deck, Pair
    from edge_glass.media import sections, video
    from edge_glass.media.features import ClassLabel, Sequence, Value
    from edge_glass.sources import table_chunks
    from edge_glass.sources.fields import check_text, strings
    from edge_glass.sources.folder import nfc
    from edge_glass.sources.obtain import store
    from edge_glass.sources.raw import Raw
    from edge_glass.sources.row_media import Media
    from edge_glass.sources.table_join import Table, joined
    from edge_glass.sources.table_layout import Layout

__all__ = [
    "BY_FREQUENCY",
    "DETAIL",
    "INDEX",
    "MEDIA",
    "OUTCOME",
    "RETRIEVED",
    "SIMILARITY",
    "AudioParams",
    "BalanceParams",
    "Batches",
    "BrokenImageParams",
    "CaptionParams",
    "ClassLabel",
    "ClassNameParams",
    "ClassParams",
    "Corpus",
    "CorpusConfig",
    "Deck",
    "DeckParams",
    "Dropped",
    "Example",
    "Features",
    "FetchParams",
    "ImageParams",
    "Layout",
    "MatchParams",
    "Media",
    "Outcome",
    "Pair",
    "Part",
    "Raw",
    "Row",
    "Sequence",
    "Table",
    "TranscriptParams",
    "Value",
    "VideoParams",
    "check_text",
    "column_parts",
    "deck_params",
    "decks",
    "frequencies",
    "joined",
    "label_of",
    "labels",
    "matched",
    "nfc",
    "of_lines",
    "parsed",
    "raw_decks",
    "section_of",
    "sections",
    "store",
    "strings",
    "table_chunks",
    "text_digests",
    "unclaimed",
    "unlisted",
    "video",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: a corpus waits for what it is made of alone."""
    return lazy_names.load(__name__, name)
