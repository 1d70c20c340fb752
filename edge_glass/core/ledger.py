"""The outcome of every source row: kept, or dropped for one reason out of a closed list."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

from edge_glass.core.errors import DataError
from edge_glass.core.libraries import pa

FILE = "ledger.parquet"


class Outcome(StrEnum):
    """What became of a source row."""

    KEPT = "kept"
    NOT_IN_SUBSET = "not_in_subset"  # the config's `subset` left it out
    BEYOND_LIMIT = "beyond_limit"  # the command line's `--limit` left it out
    NOT_IN_CONFIG = "not_in_config"  # the config publishes another part of the corpus
    DUPLICATE_ID = "duplicate_id"  # an earlier row has the same id
    DUPLICATE = "duplicate"  # an earlier row has the same key (such as URL and caption)
    MISSING_COLUMN = "missing_column"  # its file lacks a column that every row needs
    BLANK_FIELD = "blank_field"  # a field that every row needs is empty
    DAMAGED_FILE = "damaged_file"  # its file cannot be read from here on
    MALFORMED_ROW = "malformed_row"  # the record has too few or too many fields
    BAD_ENCODING = "bad_encoding"  # the text is not in the encoding that the source promises
    BLANK_CAPTION = "blank_caption"  # a caption is empty
    CORRUPT_CAPTION = "corrupt_caption"  # a caption is a number, not a text
    MISSING_CAPTION = "missing_caption"  # media that no caption row names
    NO_LABEL = "no_label"  # none of the classes that the config asks for
    MISSING_MEDIA = "missing_media"  # a row whose media file is not there
    EMPTY_MEDIA = "empty_media"  # zero bytes, or a container that holds no samples
    TRUNCATED_MEDIA = "truncated_media"  # fewer bytes than its own header promises
    UNDECODABLE_MEDIA = "undecodable_media"  # not the kind of media it should be, or damaged
    OVERSIZED_MEDIA = "oversized_media"  # longer or larger than the limits of decoding
    UNSUITABLE_MEDIA = "unsuitable_media"  # whole, but not what the config can convert
    NO_AUDIO = "no_audio"  # a container without a sound track
    WRONG_DURATION = "wrong_duration"  # shorter or longer than the section that was asked for
    PRIVATE = "private"  # its owner shows it to some people only, or for money
    REMOVED = "removed"  # removed by its owner or the site, or never there
    AGE_GATE = "age_gate"  # shown only to those who are signed in and of age
    BOT_CHECK = "bot_check"  # the site asks for proof of a person; the run stops
    GEO_BLOCKED = "geo_blocked"  # not shown in the country of this address
    NETWORK_ERROR = "network_error"  # no whole answer, after all attempts
    TIMED_OUT = "timed_out"  # no whole answer in the time that one item may take
    BAD_URL = "bad_url"  # no URL, or not one of http or https
    PRIVATE_ADDRESS = "private_address"  # a URL or redirect into a network that is not public
    HOST_NOT_FOUND = "host_not_found"  # its name has no address
    TLS_ERROR = "tls_error"  # an invalid certificate, or no common protocol
    REDIRECTED_TOO_OFTEN = "redirected_too_often"  # a loop, or too many redirects
    FORBIDDEN = "forbidden"  # HTTP 401, 402 or 403
    RATE_LIMITED = "rate_limited"  # the host asks for fewer requests, after all attempts
    SERVER_ERROR = "server_error"  # HTTP 5xx, after all attempts
    BAD_ANSWER = "bad_answer"  # a status or headers that make no sense
    OTHER_BYTES = "other_bytes"  # bytes with another checksum than the list has
    WRONG_KIND = "wrong_kind"  # a web page, a drawing or another kind of file in its place
    ROBOTS_TXT = "robots_txt"  # the host's robots.txt refuses
    X_ROBOTS_TAG = "x_robots_tag"  # a header refuses indexing, or use for AI
    CONTENT_USAGE = "content_usage"  # its owner does not want it used for training (AIPREF)
    DATA_MINING = "data_mining"  # XMP in the file prohibits it (IPTC, PLUS)
    TRAINING_MINING = "training_mining"  # a C2PA assertion in the file refuses, or sets conditions
    TDM_RESERVED = "tdm_reserved"  # its rights holder reserves text and data mining (TDM-Rep)
    LICENCE = "licence"  # does not allow the config's use, or is not understood
    TOO_SMALL = "too_small"  # fewer pixels or bytes than the config asks for
    NO_CLASS = "no_class"  # no class of the corpus, or its caption names none
    SEVERAL_CLASSES = "several_classes"  # its caption names more than one class
    WRONG_ASPECT = "wrong_aspect"  # longer and narrower than the config asks for
    WRONG_LANGUAGE = "wrong_language"  # another language than was asked for
    NO_KEYWORD = "no_keyword"  # none of the words that were asked for
    TOO_SHORT = "too_short"  # fewer characters than are asked for
    TOO_FEW_SLIDES = "too_few_slides"  # a deck with fewer than are asked for
    BLANK_SLIDE = "blank_slide"  # of one colour, or nearly
    NEAR_DUPLICATE = "near_duplicate"  # an earlier slide of its deck looks the same, or nearly
    PLACEHOLDER = "placeholder"  # filler text in place of a question or an answer
    UNANSWERABLE = "unanswerable"  # the answer says that there is none
    NEEDS_NO_SLIDE = "needs_no_slide"  # can be answered without the slide
    WITHDRAWN = "withdrawn"  # taken back on request: only a salted digest is left
    REPLACED = "replaced"  # an appended row with the same id took its place
    FLAGGED = "flagged"  # an audit flagged it, and this config is made without such rows
    FILTERED = "filtered"  # does not meet the condition of `--where`, or it is unknown


# what the config itself leaves out: nothing is wrong with these rows
LEFT_OUT = frozenset({Outcome.NOT_IN_SUBSET, Outcome.BEYOND_LIMIT, Outcome.NOT_IN_CONFIG})


class Dropped(Exception):
    """Raised by whatever finds that a row cannot be kept."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(outcome, detail)
        self.outcome, self.detail = Outcome(outcome), detail


@dataclass(slots=True)
class Entry:
    """One row of the ledger."""

    source: str
    row: str
    id: str
    split: str
    outcome: Outcome
    detail: str = ""
    url: str | None = None
    status: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    final_url: str | None = None  # where redirects led, if they did
    etag: str | None = None
    last_modified: str | None = None  # the server's words; when it was fetched, the run log says
    caption: str | None = None  # of a URL that gave no example: with it the list can be tried again
    # of each of its examples: all that is no media, and the sha256 of the media where they are not
    # the bytes of the source
    text_digests: list[str] | None = None
    media_digests: list[str | None] | None = None
    media: list[str] | None = None  # its files: name of the source and of the file in it


class EntryRow(TypedDict, total=False):
    """An entry as it is read; a file of an earlier release lacks the last ones."""

    source: str
    row: str
    id: str
    split: str
    outcome: str
    detail: str
    url: str | None
    status: int | None
    bytes: int | None
    sha256: str | None
    final_url: str | None
    etag: str | None
    last_modified: str | None
    caption: str | None
    text_digests: list[str] | None
    media_digests: list[str | None] | None
    media: list[str] | None


@cache
def schema() -> "pa.Schema":
    """The columns of a ledger file: the fields of an entry."""
    types = {"status": pa.int32(), "bytes": pa.int64()}
    types |= dict.fromkeys(("text_digests", "media_digests", "media"), pa.list_(pa.string()))
    return pa.schema([(each.name, types.get(each.name, pa.string())) for each in fields(Entry)])


def to_table(entries: list[Entry]) -> "pa.Table":
    """Ledger entries as an Arrow table of `schema`."""
    columns = {name: [getattr(entry, name) for entry in entries] for name in schema().names}
    return pa.Table.from_pydict(columns, schema=schema())


def read(path: Path, columns: list[str] | None = None) -> Iterator[EntryRow]:
    """The rows of a ledger file, a row group in memory at a time."""
    from edge_glass.core import parquet

    yield from cast("Iterator[EntryRow]", parquet.rows(path, columns))


def dropped(path: Path) -> Iterator[EntryRow]:
    """The rows of a ledger file that are not kept."""
    return (row for row in read(path) if row["outcome"] != Outcome.KEPT)


def check_kept(
    what: str, outcomes: Mapping[str, int], where: Path, remedy: str = "Is it the right folder?"
) -> None:
    """Raise EdgeGlassError if no row is kept; `where` the ledger lies that says why."""
    if not outcomes.get(Outcome.KEPT):
        counts = ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items())
        raise DataError(
            f"{what}: no row is kept: {counts or 'there is none'}. {where} has the reason for "
            f"each. {remedy} --allow-empty takes it anyway."
        )


def warnings(detail: str) -> Iterator[str]:
    """What the detail of a row that is kept says of it, a kind each, without its numbers.

    `"blank: 3 of 8 frames; cut out of 61.5 s"` gives `"blank"` and `"cut out of n s"`.
    """
    for note in filter(None, detail.split("; ")):
        yield re.sub(r"-?\d+(\.\d+)?", "n", note.partition(":")[0])[:80]


def with_outcome(path: Path, outcome: str) -> Iterator[EntryRow]:
    """The rows of a ledger file with this outcome."""
    return (row for row in read(path) if row["outcome"] == outcome)


def count(path: Path) -> dict[str, dict[str, int]]:
    """Rows per split and outcome: `{"train": {"kept": 5, "missing_media": 1}}`."""
    counts: dict[str, Counter[str]] = {}
    for row in read(path, ["split", "outcome"]):
        counts.setdefault(row["split"], Counter())[row["outcome"]] += 1
    return {split: dict(sorted(outcomes.items())) for split, outcomes in counts.items()}
