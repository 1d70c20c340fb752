"""What a column holds, in a sentence: told by its name, its role and its feature."""

from typing import Any

from edge_glass.core.columns import MODEL_CAPTION, ColumnRole, is_list, item_of

KNOWN = {  # of columns that many corpora have
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


def note(name: str, feature: Any, role: ColumnRole) -> str:
    """A column's description; `feature` as a manifest has it."""
    item, plain = item_of(feature), isinstance(feature, dict)
    kind = item.get("_type") if isinstance(item, dict) else None
    said = FILES.get(str(kind)) or KNOWN.get(name) or ROLES[role]
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
