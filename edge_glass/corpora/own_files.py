"""The files of records without a builder, the columns that they fill, and their parameters."""

import base64
import binascii
import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edge_glass.core.errors import ConfigError
from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import Features, JsonObject, Row
from edge_glass.core.spec import KINDS, Column
from edge_glass.corpora.image_params import FetchParams, ImageParams
from edge_glass.corpora.layouts import values
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files
from edge_glass.corpora.params import AudioParams, CaptionParams, CorpusConfig
from edge_glass.corpora.video_params import VideoParams
from edge_glass.media.features import Sequence, Value
from edge_glass.sources.folder import nfc

SPAN = ("start", "end", "length")  # roles of what says the seconds of a recording
ONCE = (*SPAN, "channel", "id", "md5", "sha256")  # roles of what a row has one of
MANY = ("file", "bytes")  # what a row may have a list of
NAMED, CUTS = "row.named", "row.cuts"  # fields of a row that are no columns, as marks of a batch
FOLDER = "folder"  # the key of the name of the folder that a record's file or table is in
PARAMS: dict[str, type[CorpusConfig]] = {
    "image": ImageParams,
    "audio": AudioParams,
    "video": VideoParams,
    "caption": CaptionParams,
}


def renamed(name: str, kind: str, columns: JsonObject) -> JsonObject:
    """What a medium gives, under its column's name: `left`, `left_width` for `image`, `width`."""
    if name == kind:
        return columns
    return {name if key == kind else f"{name}_{key}": value for key, value in columns.items()}


def features_of(column: Column, config: Any) -> Features:
    """The columns of Parquet that a column of media becomes."""
    if column.role == "image":
        features = config.image_features()
    elif column.role == "video":
        features = config.video_features()
    else:
        features = config.audio_features() | {"duration": Value("float64")}
    return {n: Sequence(each) for n, each in features.items()} if column.several else features


def all_files(media: JsonObject) -> list[str]:
    """All files of a record's media."""
    return [f for each in media.values() for f in (each if isinstance(each, list) else [each])]


def names_of(row: Row, column: str) -> JsonObject:
    """The media of a row, as its record names them; one of a batch has one medium at most."""
    names: JsonObject | None = row.fields.get(NAMED)
    return names or ({column: row.media[1]} if row.media else {})


def speak_of(columns: dict[str, Column], key: str) -> bool:
    """Whether a column is read from a key, alone or in a text."""
    return any(re.search(rf"(^|\{{){key}\b", str(column.key)) for column in columns.values())


def sections_of(media: dict[str, Column], said: JsonObject) -> dict[str, list[float]]:
    """The seconds that names of video files end in, where these hold more than a record's."""
    cuts: dict[str, list[float]] = {}
    for name, column in media.items():
        file = (column.role, column.stored_as) == ("video", "file")
        if file and (section := values.SECTION.search(str(values.at(column.key, said)))):
            cuts[name] = [float(section[1]), float(section[2])]
    return cuts


def unclaimed(files: Files, claimed: set[bytes]) -> Iterator[Row]:
    """Rows for media files that no record names."""
    for name in files.names():
        if kind_of(name) and short(name) not in claimed:
            why = (Outcome.MISSING_CAPTION, "no record names this file")
            yield Row(f"file {name}", files.source, name, dropped=why)


def short(name: str) -> bytes:
    """A short digest of a file's name."""
    return hashlib.sha256(nfc(name).encode(errors="surrogatepass")).digest()[:8]


def from_base64(text: str) -> bytes:
    """The bytes that a text says, maybe as a data URL. Raises Dropped."""
    try:
        return base64.b64decode(text.partition("base64,")[2] or text, b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Dropped(Outcome.MALFORMED_ROW, f"no base64: {error}") from None


def span_of(row: Row, by_role: Mapping[str, list[str]]) -> tuple[float, float, int | None] | None:
    """The seconds of a recording that a row is, to its end if that is not said; its channel."""
    names = ((by_role[role] or [""])[0] for role in (*SPAN, "channel"))
    start, end, length, channel = map(row.fields.get, names)
    if end is None and length is not None:
        end = round((start or 0) + length, 9)
    if start is None and end is None:
        return None
    return float(start or 0), math.inf if end is None else float(end), channel


def check_lists(corpus: str, columns: Mapping[str, Column]) -> None:
    """Raise ConfigError for a column of lists whose role has none."""
    for name, column in columns.items():
        if not column.several:
            continue
        said = f"{corpus}: column {name}: "
        if column.role in ONCE:
            detail = f"a row has one {column.role}: give one key, and no list as its type"
            raise ConfigError(said + detail)
        if column.role == "video" or (column.role in KINDS and column.stored_as not in MANY):
            detail = "only image and sound files, or their bytes, may be lists: make it text"
            raise ConfigError(f"{said}{detail} (role: text)")


@cache
def params_of(roles: frozenset[str], fetched: bool) -> type[CorpusConfig]:
    """The parameters that configs with columns of these roles may set."""
    bases = [kind for role, kind in PARAMS.items() if role in roles]
    if VideoParams in bases and AudioParams in bases:
        bases.remove(AudioParams)  # which the other has
    bases += [FetchParams] if fetched else []
    return dataclass(type("OwnConfig", tuple(bases) or (CorpusConfig,), {"__module__": __name__}))


def root(folder: Path, tables: list[str], names: list[str], within: bool) -> str | None:
    """The folder of media files that `tables` in `folder` name, if it is another one.

    `names` are what their names begin with, from the folders of the tables; `within`: those in
    `folder` are found in it.
    """
    homes = {table.rpartition("/")[0] for table in tables} or {""}
    places = (folder / home / name.rpartition("/")[0] for name in names for home in homes)
    roots = [*map(os.path.normpath, places)]
    outside = [root for root in roots if not (within and Path(root).is_relative_to(folder))]
    return os.path.commonpath(outside) if outside else None
