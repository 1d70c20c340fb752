"""What columns are to a reader of a build, and in words: told by their features and names."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from edge_glass.core import feature_types

MODEL_CAPTION = "model_caption"  # that a model was asked for
TEXT = {"dtype": "string", "_type": "Value"}  # the feature of a text
# names of the text that says what a row shows or what is said in it, the likeliest one first
CAPTIONS = (MODEL_CAPTION, "caption", "captions", "text", "plot", "plots", "transcript", "title")
LISTS = ("caption", "captions", "plots")  # of those that may be lists of texts
SPOKEN = ("text", "transcript")  # those that say what is said
MAY_LACK = (MODEL_CAPTION, "title")  # those that a row need not have
LABELS = ("label", "label_ori", "labels")
RATE = "sampling_rate"  # beside a column `audio` that is a list of samples
# what LAION's tables call these, and img2dataset and clip-retrieval after them
LAION = {"nsfw": "NSFW", "license": "LICENSE", "language": "LANGUAGE", "sample_id": "SAMPLE_ID"}
NUMBERS = ("int", "uint", "float", "bool", "decimal")


class ColumnRole(StrEnum):
    """What a column is to who reads a row."""

    ID = "id"
    MEDIA = "media"  # a file's bytes, a list of such, or samples
    CAPTION = "caption"  # the text that goes with the media: one column, or none
    TEXT = "text"
    LABEL = "label"
    NUMBER = "number"
    NESTED = "nested"  # a struct, or a list of structs or lists


NOTES = {  # of columns that many corpora have
    "id": "tells rows apart; the ledger has it, too",
    MODEL_CAPTION: "caption that a model wrote; the manifest names it and its prompt",
    "transcript_by": "what read the transcript off the picture; none where it is the deck's own",
    "duration": "length in seconds",
    "width": "width in pixels",
    "height": "height in pixels",
    "fps": "frames in a second",
    "sampling_rate": "samples in a second",
    "license": "the row's own licence, as its owner states it",
    "url": "where it was fetched from",
    "image_url": "where the image was fetched from",
    "wnid": "class as WordNet numbers it",
    "class_name": "name of the class",
    "language": "language of the text",
}
FILES = {
    "Image": "an image file: bytes and name",
    "Audio": "a sound file: bytes and name",
    "Video": "a video file: bytes and name",
}
ROLES = {
    ColumnRole.ID: "tells rows apart",
    ColumnRole.MEDIA: "bytes of a file, or samples",
    ColumnRole.CAPTION: "text that goes with the media",
    ColumnRole.LABEL: "number of the class",
    ColumnRole.TEXT: "text, as the source has it",
    ColumnRole.NUMBER: "number, as the source has it",
    ColumnRole.NESTED: "several values together",
}


def roles(features: Mapping[str, Any]) -> dict[str, ColumnRole]:
    """The role of each column, told by the features (as a manifest holds them) and its name.

    A list of texts is a caption where it is called so (then of one row there are several); a column
    of another name is one where no other column is a text, but a URL never is.
    """
    role_of = {name: _role(name, feature) for name, feature in features.items()}
    if RATE in features and role_of.get("audio") is ColumnRole.NUMBER:
        role_of["audio"] = ColumnRole.MEDIA
    texts = [name for name, role in role_of.items() if role is ColumnRole.TEXT]
    texts = [name for name in texts if item_of(features[name])["dtype"].endswith("string")]
    single = [name for name in texts if not is_list(features[name])]
    named = [name for name in CAPTIONS if name in (texts if name in LISTS else single)]
    only = [name for name in single if not name.lower().endswith("url")]
    if captions := named or (only if len(single) == 1 else []):
        role_of[captions[0]] = ColumnRole.CAPTION
    return role_of


def with_role(features: Mapping[str, Any], role: ColumnRole) -> list[str]:
    """The columns that have a role."""
    return [name for name, its_role in roles(features).items() if its_role is role]


def media_kinds(features: Mapping[str, Any]) -> dict[str, tuple[str, bool]]:
    """Of each media column the kind, and whether it is a list of such.

    A kind is image, audio, video, bytes (of a file of whatever kind), or samples.
    """
    return {
        name: (_kind(item_of(features[name])), is_list(features[name]))
        for name in with_role(features, ColumnRole.MEDIA)
    }


def promised_captions(roles: Mapping[str, str], described: Mapping[str, Any]) -> list[str]:
    """The captions that no row lacks: one that is blank drops its row.

    Args:
        roles: of the columns of a build.
        described: column -> what the description of own data says of it, where there is one: its
            captions are promised, texts that serve as such are as the source has them.
    """
    named = [name for name, role in roles.items() if role == ColumnRole.CAPTION]
    texts = {name for name in named if described.get(name, {}).get("role") == "text"}
    return [name for name in named if name not in texts.union(MAY_LACK)]


def speech(features: Mapping[str, Any]) -> tuple[str, str] | None:
    """The column of sound and that of what is said in it; None where rows have no such two."""
    kinds = media_kinds(features).items()
    sounds = [name for name, (kind, listed) in kinds if kind == "audio" and not listed]
    said = (ColumnRole.CAPTION, ColumnRole.TEXT)
    texts = [name for name, role in roles(features).items() if role in said and name in SPOKEN]
    texts = [name for name in texts if not is_list(features[name])]
    return (sounds[0], texts[0]) if sounds and texts else None


def upstream_names(names: list[str]) -> dict[str, str]:
    """Column -> its name in LAION's tables, for a build that has such; of others its own name."""
    return {name: LAION.get(name, name) if "nsfw" in names else name for name in names}


def is_list(feature: Any) -> bool:
    """Whether a feature's dictionary is that of a list, as old or new `datasets` write it."""
    return isinstance(feature, list) or feature.get("_type") in feature_types.LISTS


def item_of(feature: Any) -> Any:
    """The feature of a list's items; of what is no list the feature itself."""
    if isinstance(feature, list):
        return feature[0]
    return feature["feature"] if is_list(feature) else feature


def note(name: str, feature: Any, role: ColumnRole) -> str:
    """A column's description; `feature` as a manifest has it."""
    item, plain = item_of(feature), isinstance(feature, dict)
    kind = item.get("_type") if isinstance(item, dict) else None
    said = FILES.get(str(kind)) or NOTES.get(name) or ROLES[role]
    if kind == "ClassLabel":
        said = f"number of the class, of {len(item['names'])}"
    elif kind == "Audio" and plain and item.get("sampling_rate"):
        said += f", at {item['sampling_rate']} Hz"
    return f"list: each {said}" if is_list(feature) else said


def type_name(feature: Any) -> str:
    """The type of a column, in a word."""
    item = item_of(feature)
    if is_list(feature):
        return f"list of {type_name(item)}"
    if "_type" not in item:
        return f"struct of {', '.join(item)}"
    return str(item["dtype"] if item["_type"] == "Value" else item["_type"])


def _kind(item: Any) -> str:
    kind = str(item["_type"])
    if kind != "Value":
        return kind.lower()
    return "bytes" if item["dtype"].endswith("binary") else "samples"


def _role(name: str, feature: Any) -> ColumnRole:
    item = item_of(feature)
    kind = None if isinstance(item, list) else item.get("_type")
    dtype = str(item.get("dtype", "")) if kind == "Value" else ""
    if name == "id":
        return ColumnRole.ID
    if kind in ("Image", "Audio", "Video") or dtype.endswith("binary"):
        return ColumnRole.MEDIA
    if kind == "ClassLabel" or (name in LABELS and dtype.startswith(NUMBERS)):
        return ColumnRole.LABEL
    if kind != "Value":
        return ColumnRole.NESTED
    return ColumnRole.NUMBER if dtype.startswith(NUMBERS) else ColumnRole.TEXT
