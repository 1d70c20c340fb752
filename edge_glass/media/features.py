"""The columns of builds, each a feature as JSON that every `datasets` from 2.14 on can read.

Nothing here needs `datasets` itself: `published` makes its features of them.
"""

import json
from collections.abc import Sequence as Names
from typing import Any

from edge_glass.core.columns import is_list, item_of
from edge_glass.core.libraries import pa
from edge_glass.core.row import Features

FLOATS = ("halffloat", "float", "double", "float16", "float32", "float64")
ALIASES = {"float": "float32", "double": "float64"}


def Value(dtype: str) -> Features:
    """A plain value.

    Args:
        dtype: the name of an Arrow type.

    Returns:
        The feature as a manifest has it.
    """
    return {"dtype": ALIASES.get(dtype, dtype), "_type": "Value"}


def Sequence(feature: Any) -> Features:
    """A list of any length; of a struct, a struct of lists.

    Args:
        feature: of its items.

    Returns:
        The feature as a manifest has it.
    """
    if isinstance(feature, dict) and "_type" not in feature:
        return {name: Sequence(each) for name, each in feature.items()}
    return {"feature": feature, "_type": "Sequence"}


def ClassLabel(names: Names[str]) -> Features:
    """One of so many classes, by its number.

    Args:
        names: of the classes, in the order of their numbers.

    Returns:
        The feature as a manifest has it.
    """
    return {"names": [*names], "_type": "ClassLabel"}


def Audio(sampling_rate: int | None = None) -> Features:
    """An audio file's bytes and name; the rate in Hz, where all files have it."""
    return ({"sampling_rate": sampling_rate} if sampling_rate else {}) | {"_type": "Audio"}


def Image() -> Features:
    """An image file's bytes and name."""
    return {"_type": "Image"}


def Video() -> Features:
    """A video file's bytes and name; `datasets` (3.2 and newer) decodes it with torchcodec."""
    return {"_type": "Video"}


def portable(feature: Any) -> Any:
    """A feature of ours or of `datasets` as JSON that every release of it from 2.14 on can read.

    Newer releases write `List`, which older ones do not know; all of them read a `Sequence` of
    values and a one-element JSON list of structs. How a video is decoded is for the reader to say.
    """
    match feature:
        case {"_type": "Video"}:
            return Video()
        case {"_type": "List" | "LargeList", "feature": item}:
            inner = portable(item)
            return {"feature": inner, "_type": "Sequence"} if "_type" in inner else [inner]
        case dict():
            return {key: portable(value) for key, value in feature.items()}
        case list() | tuple():
            return [portable(item) for item in feature]
        case None | str() | int() | float():
            return feature
    from datasets import Features as Published

    return portable(Published({"feature": feature}).to_dict()["feature"])


def arrow_schema(features: Features) -> "pa.Schema":
    """The Arrow schema of `features`, with metadata that old and new `datasets` read alike."""
    columns = portable(features)
    schema = pa.schema([(name, arrow_type(feature)) for name, feature in columns.items()])
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": columns}})})


def arrow_type(feature: Any) -> "pa.DataType":
    """The Arrow type of a portable feature."""
    match feature:
        case [item]:
            return pa.list_(arrow_type(item))
        case {"_type": "Sequence", "feature": item, **length} if not length:
            return pa.list_(arrow_type(item))
        case {"_type": "Audio" | "Image" | "Video"}:
            return pa.struct({"bytes": pa.binary(), "path": pa.string()})
        case {"_type": "Value", "dtype": str(dtype)} if dtype.isalnum():
            return pa.type_for_alias(dtype)
        case {"_type": str()}:  # what only `datasets` knows
            from datasets import Features as Published

            return Published.from_dict({"feature": feature}).type.field("feature").type
    return pa.struct({name: arrow_type(each) for name, each in feature.items()})


def has_media(feature: Any, in_list: bool = False) -> bool:
    """Whether bytes, or samples (lists of floating point numbers), stand anywhere in a feature."""
    match portable(feature):
        case {"_type": "Audio" | "Image" | "Video"}:
            return True
        case {"_type": "Value", "dtype": str(dtype)}:
            return dtype == "binary" or (in_list and dtype in FLOATS)
        case {"_type": "Sequence", "feature": item, **length} if not length:
            return has_media(item, True)
        case [item]:
            return has_media(item, True)
        case {"_type": str()}:
            return False
        case parts:
            return any(has_media(part, in_list) for part in parts.values())


def described(feature: Any) -> str:
    """A feature's portable dictionary in a few words: `list of string`, `audio at 16000 Hz`."""
    if is_list(feature):
        return f"list of {described(item_of(feature))}"
    kind = feature.get("_type")
    if kind == "Audio":
        rate = feature.get("sampling_rate")
        return f"audio at {rate} Hz" if rate else "audio"
    if kind == "ClassLabel":
        return f"class, one of {len(feature['names']):,}"
    if kind is None:
        return f"struct of {', '.join(feature)}"
    return str(feature.get("dtype", kind.lower()))
