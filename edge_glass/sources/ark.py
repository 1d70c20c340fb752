"""Kaldi's archives, as kaldiio and ESPnet write them: `name.ark:place` names a sound in one.

Matrices and what is pickled are no sound.
"""

import re
from pathlib import Path

NAMED = re.compile(r"(.+\.ark):(\d+)")


def find(root: Path, name: str) -> tuple[Path, int, int] | None:
    """The archive below `root`, where in it the sound begins and ends; None if there is none."""
    match = NAMED.fullmatch(name)
    if match is None or not (path := root / match[1]).is_file():
        return None
    at = int(match[2])
    with path.open("rb") as file:
        file.seek(at)
        head = file.read(16)
    if head.startswith(b"AUDIO"):  # then how many bytes say the size, and those
        start = at + 6 + head[5]
        return path, start, start + int.from_bytes(head[6 : 6 + head[5]], "little")
    if head.startswith(b"RIFF"):
        return path, at, at + 8 + int.from_bytes(head[4:8], "little")
    return None


def read(path: Path, start: int, end: int) -> bytes:
    """The bytes of a sound that was found."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)
