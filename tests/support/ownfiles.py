"""What tests of data of one's own write: files of media, tables, tars."""

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from kit import sound
from PIL import Image

WAV = sound()


def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40 + number, 30), (number * 9 % 256, 90, 200)).save(out, "JPEG")
    return out.getvalue()


def put(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def table(path: Path, records: list[dict[str, Any]], delimiter: str = ",") -> None:
    """Records as the kind of table that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".jsonl":
        path.write_text(lines(records))
    elif path.suffix == ".json":
        path.write_text(json.dumps(records, indent=1))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*records[0]], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(records)


def png(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (40, 30), number % 256).save(out, "PNG")
    return out.getvalue()


def tarred(path: Path, members: dict[str, bytes | str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    modes: dict[str, Any] = {".gz": "w:gz", ".bz2": "w:bz2"}
    with tarfile.open(path, modes.get(path.suffix, "w")) as tar:
        for name, member in members.items():
            data = member.encode() if isinstance(member, str) else member
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
