"""Features as a manifest has them: what `datasets` could make no columns of is refused."""

import re
from typing import Any

from edge_glass.core.row import Features

UNIT = r"\[(s|ms|us|ns)\]"
DTYPE = re.compile(
    r"null|bool|u?int(8|16|32|64)|float(16|32|64)|(large_)?(string|binary)|(string|binary)_view"
    rf"|date(32|64)|time32\[m?s\]|time64\[[un]s\]|(timestamp|duration){UNIT}"
    r"|timestamp\[(s|ms|us|ns), tz=[\w/+:-]+\]|decimal(128|256)\(([1-9]|[12]\d|3[0-8]), ?\d\)"
)
FILES = ("Audio", "Image", "Video", "Pdf", "Mesh", "Nifti")
ARRAYS = ("Array2D", "Array3D", "Array4D", "Array5D")
LISTS = ("Sequence", "List", "LargeList")


def checked(features: Features) -> Features:
    """The features of a manifest. Raises ValueError that names the column which is none."""
    if "id" not in features:
        raise ValueError("there is no column id")
    for name, feature in features.items():
        _check(name, feature)
    return features


def _check(where: str, feature: Any) -> None:
    match feature:
        case [item]:
            _check(f"{where}[]", item)
        case {"_type": str(kind)} if _fits(kind, feature):
            if kind in LISTS:
                _check(f"{where}[]", feature["feature"])
        case {"_type": str()}:
            raise ValueError(f"{where}: {ascii(feature)[:80]} is an unknown feature")
        case dict():
            for name, field in feature.items():
                _check(f"{where}.{name}", field)
        case _:
            raise ValueError(f"{where}: {ascii(feature)[:80]} is no feature")


def _fits(kind: str, feature: Features) -> bool:
    """Whether a feature has what its type needs; other keys differ between releases."""
    match kind, feature:
        case "Value", {"dtype": str(dtype)}:
            return bool(DTYPE.fullmatch(dtype))
        case ("ClassLabel", {"names": [*names]}) | ("Translation", {"languages": [*names]}):
            return all(type(name) is str for name in names) and len(set(names)) == len(names)
        case name, _ if name in FILES:
            rate = feature.get("sampling_rate")
            return rate is None or (type(rate) is int and rate > 0)
        case name, {"shape": [*sides], "dtype": str(dtype)} if name.startswith("Array"):
            known = name in ARRAYS and len(sides) == int(name[5])
            whole = all(side is None or (type(side) is int and side > 0) for side in sides)
            return known and whole and bool(DTYPE.fullmatch(dtype))
        case name, {"feature": _}:
            return name in LISTS and type(feature.get("length", -1)) is int
    return False
