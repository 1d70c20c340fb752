"""A record of a source, as plain data."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Row:
    """A record of a source, before its media is read; everything in it is plain JSON."""

    id: str
    source: str
    row: str
    media: tuple[str, str] | None = None  # archive or folder, member
    fields: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, str] | None = None  # outcome, detail
    fetch_request: dict[str, Any] | None = None  # what a fetcher is asked for
    extra_members: list[str] = field(default_factory=list)  # files that are read after its media
