"""Small JSON files that the engine keeps for itself: believed only while they are whole."""

import hashlib
import json
from pathlib import Path
from typing import Any

from edge_glass.core.atomic_files import write_json

SEAL = "seal"  # the key of the digest over all others


def write(path: Path, record: dict[str, Any]) -> None:
    """Write a record, sealed, whole or not at all."""
    write_json(path, record | {SEAL: _digest(record)})


def read(path: Path) -> dict[str, Any] | None:
    """A record as it was written; None if it is not there, cut or changed since."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    seal = record.pop(SEAL, None)
    return record if seal == _digest(record) else None


def sha256(path: Path) -> str:
    """The digest of a file, here or behind a URL."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault(path: Path, recorded_bytes: int | None, recorded_sha256: str | None) -> str | None:
    """What is wrong with a file whose bytes and sha256 were recorded; None if nothing is."""
    if not path.is_file():
        return "is missing"
    if (size := path.stat().st_size) != recorded_bytes:
        return f"has {size} bytes, {recorded_bytes} were recorded"
    if (digest := sha256(path)) != recorded_sha256:
        return f"sha256 is {digest}, recorded was {recorded_sha256}"
    return None


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
