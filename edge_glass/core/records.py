"""Small JSON files that the engine keeps for itself: believed only while they are whole."""

import hashlib
import json
from pathlib import Path
from typing import Any, cast

from edge_glass.core import schema
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.locations import is_local
from edge_glass.core.row import JsonObject
from edge_glass.core.schema import Kind

SEAL = "seal"  # the key of the digest over all others


def write(path: Path, record: JsonObject) -> None:
    """Write a record, sealed, whole or not at all."""
    write_json(path, record | {SEAL: _digest(record)})


def read(path: Path) -> JsonObject | None:
    """A record as it was written; None if it is not there, cut or changed since."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    seal = record.pop(SEAL, None)
    return record if seal == _digest(record) else None


def parsed(path: Path, kind: type[Kind]) -> Kind | None:
    """A record as an object of a class; None also if another version wrote it."""
    if (record := read(path)) is None:
        return None
    try:
        return schema.parse(kind, json.dumps(record).encode(), str(path), "")
    except EdgeGlassError:
        return None


def sha256(path: Path) -> str:
    """The digest of a file; on the Hub, where files lie under their digests, it is asked for."""
    if not is_local(path):
        there = cast("Any", path)
        if stored := there.fs.info(there.path).get("lfs"):
            return str(stored["sha256"])
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(path: Path) -> list[int]:
    """What changes with a file that is written: its size, and a time that no program sets back."""
    stat = path.stat()
    return [stat.st_size, stat.st_ctime_ns]


def state(path: Path) -> str:
    """A digest of where a file lies and of its stamp: another one once it is written anew."""
    said = f"{path.absolute()}\0{stamp(path)}"
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()


def fault(path: Path, recorded_bytes: int | None, recorded_sha256: str | None) -> str | None:
    """What is wrong with a file whose bytes and sha256 were recorded; None if nothing is."""
    if not path.is_file():
        return "is missing"
    if (size := path.stat().st_size) != recorded_bytes:
        return f"has {size} bytes, {recorded_bytes} were recorded"
    if (digest := sha256(path)) != recorded_sha256:
        return f"sha256 is {digest}, recorded was {recorded_sha256}"
    return None


def _digest(record: JsonObject) -> str:
    record = json.loads(json.dumps(record))  # as it will be read back
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
