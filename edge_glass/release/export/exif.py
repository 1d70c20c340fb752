"""EXIF as img2dataset keeps it: a JSON object of texts, by group and name of the tag."""

import io
import json
import warnings
from collections.abc import Iterator
from typing import Any

from PIL import ExifTags, Image

from edge_glass.media import magic
from edge_glass.media.images import BROKEN, FORMATS

GROUPS = {  # how img2dataset calls the groups of tags
    ExifTags.IFD.Exif: ("EXIF", ExifTags.TAGS),
    ExifTags.IFD.GPSInfo: ("GPS", ExifTags.GPSTAGS),
    ExifTags.IFD.Interop: ("Interoperability", {tag.value: tag.name for tag in ExifTags.Interop}),
}
POINTERS = set(ExifTags.IFD)  # tags that hold nothing but where a group lies, and MakerNote


def of(data: bytes) -> str | None:
    """The EXIF tags of an image, null where it has none, or damaged ones, or is no image.

    >>> of(photo)
    '{"Image Make": "Canon", "EXIF ExposureTime": "1/60"}'
    """
    formats = FORMATS.get(magic.kind(data[: magic.HEAD]) or "")
    if not formats:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage: it is null then
            with Image.open(io.BytesIO(data), formats=formats) as image:
                tags = dict(_tags(image.getexif()))
    except BROKEN:
        return None
    return json.dumps(tags, ensure_ascii=False) if tags else None


def _tags(exif: Image.Exif) -> Iterator[tuple[str, str]]:
    groups = [("Image", ExifTags.TAGS, dict(exif))]
    groups += [(name, names, exif.get_ifd(group)) for group, (name, names) in GROUPS.items()]
    for group, names, values in groups:
        for tag, value in values.items():
            if tag not in POINTERS and (text := _text(value)) is not None:
                yield f"{group} {names.get(tag, f'Tag 0x{tag:04X}')}", text


def _text(value: Any) -> str | None:
    """A value as text: fractions as 1/60, several in brackets; None for bytes that are no text."""
    if isinstance(value, bytes):
        value = value.rstrip(b"\0").decode("ascii", errors="replace")
        return value.strip() if value.isprintable() and "\ufffd" not in value else None
    if isinstance(value, tuple):
        return f"[{', '.join(filter(None, map(_text, value)))}]"
    if (denominator := getattr(value, "denominator", 0)) != 0:
        return f"{value.numerator}" if denominator == 1 else f"{value.numerator}/{denominator}"
    return str(value).strip("\0 ")
