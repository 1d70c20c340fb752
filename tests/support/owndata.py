"""Data of one's own as people have them: a folder or table for each layout, in its real shape."""

import base64
import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
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


def table(path: Path, records: list[dict[str, Any]], delimiter: str = ",") -> None:
    """Records as the kind of table that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif path.suffix == ".json":
        path.write_text(json.dumps(records, indent=1))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*records[0]], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(records)


@dataclass(frozen=True)
class Case:
    """A layout: how it looks, what is typed to build it, and what comes out."""

    looks: str
    command: str  # after `edge-glass build`
    write: Callable[[Path, str], None]  # into a folder; the URL of a server over it
    rows: dict[str, int]  # by split
    columns: tuple[str, ...]
    first: dict[str, Any] = field(default_factory=dict)  # of the row with the least id
    outcomes: dict[str, int] = field(default_factory=dict)  # beside kept

    @property
    def fetched(self) -> bool:
        """Whether its media come from URLs."""
        return self.write in (url_list, url_text, url_csv)

    @property
    def line(self) -> str:
        """Its line in docs/own-data.md."""
        return f"| {self.looks} | `edge-glass build {self.command}` |"


def class_folders(at: Path, url: str) -> None:
    for split in ("train", "test"):
        for number, name in enumerate(("owl", "wren")):
            put(at / "birds" / split / name / "1.jpg", jpeg(number + 5 * (split == "test")))
            put(at / "birds" / split / name / "2.jpg", jpeg(number + 9 + 5 * (split == "test")))
    put(at / "birds" / "README.md", "Birds.")


def metadata_csv(at: Path, url: str) -> None:
    records = [{"file_name": f"{n}.wav", "transcription": f"Bird {n}.", "age": n} for n in (1, 2)]
    table(
        at / "calls" / "metadata.csv",
        [*records, {"file_name": "9.wav", "transcription": "x", "age": 3}],
    )
    for number in (1, 2, 3):
        put(at / "calls" / f"{number}.wav", WAV)


def metadata_splits(at: Path, url: str) -> None:
    for split in ("train", "validation"):
        folder = at / "pairs" / split
        for name in ("a", "b"):
            put(folder / "images" / f"{name}.jpg", jpeg(ord(name) % 50 + len(split)))
            put(folder / "depth" / f"{name}.png", png(len(split) + ord(name)))
        names = [
            {"image_file_name": f"images/{n}.jpg", "depth_file_name": f"depth/{n}.png", "text": n}
            for n in ("a", "b")
        ]
        table(folder / "metadata.jsonl", names)


def png(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (40, 30), number % 256).save(out, "PNG")
    return out.getvalue()


def zipped(at: Path, url: str) -> None:
    with zipfile.ZipFile(at / "birds.zip", "w") as archive:
        for name in ("owl", "wren"):
            archive.writestr(zipfile.ZipInfo(f"birds/{name}/1.jpg"), jpeg(len(name)))
        archive.writestr(
            zipfile.ZipInfo("birds/metadata.csv"),
            "file_name,caption\nowl/1.jpg,An owl.\nwren/1.jpg,A wren.\n",
        )


def stems(at: Path, url: str) -> None:
    for number in (1, 2):
        put(at / "sets" / f"a{number}.jpg", jpeg(number))
        put(at / "sets" / f"a{number}.txt", f"Set {number}.\n")
        put(at / "sets" / f"a{number}.json", json.dumps({"artist": "Ann", "year": 1900 + number}))
    put(at / "sets" / "a3.txt", "Alone.")


def table_of_files(at: Path, url: str) -> None:
    for number in (1, 2):
        put(at / "speech" / "clips" / "deep" / f"s{number}.wav", WAV)
    records = [
        {"path": f"deep/s{n}.wav", "sentence": f"Word {n}", "speaker": f"p{n}", "mos": n / 2}
        for n in (1, 2)
    ]
    table(at / "speech" / "list.tsv", records, "\t")


def table_beside(at: Path, url: str) -> None:
    for number in (1, 2):
        put(at / "pictures" / "x" / f"{number}.jpg", jpeg(number))
    records = [
        {"image": str(at / "pictures" / "x" / f"{n}.jpg"), "title": f"No. {n}", "text": "One."}
        for n in (1, 2)
    ]
    table(at / "list.csv", records)


def bytes_in_parquet(at: Path, url: str) -> None:
    for split in ("train", "test"):
        rows = [
            {
                "image": {"bytes": jpeg(n + len(split)), "path": f"{n}.jpg"},
                "caption": f"{split} {n}",
                "tags": ["a", "b"],
            }
            for n in (1, 2)
        ]
        table(at / "hub" / "data" / f"{split}-00000-of-00001.parquet", rows)


def base64_in_tsv(at: Path, url: str) -> None:
    records = [
        {"id": f"i{n}", "img": base64.b64encode(jpeg(n)).decode(), "caption": f"No. {n}"}
        for n in (1, 2)
    ]
    table(at / "ofa.tsv", records, "\t")


def url_list(at: Path, url: str) -> None:
    put(at / "web" / "1.jpg", jpeg(1))
    put(at / "web" / "2.jpg", jpeg(2))
    md5 = [hashlib.md5(jpeg(n)).hexdigest() for n in (1, 2)]
    records = [
        {"URL": f"{url}/web/1.jpg", "TEXT": "One", "WIDTH": 41, "md5": md5[0], "similarity": 0.3},
        {"URL": f"{url}/web/2.jpg", "TEXT": "Two", "WIDTH": 42, "md5": md5[0], "similarity": 0.4},
        {"URL": f"{url}/web/3.jpg", "TEXT": "Three", "WIDTH": 43, "md5": md5[0], "similarity": 0.5},
    ]
    table(at / "laion" / "part-0.parquet", records)


def url_text(at: Path, url: str) -> None:
    put(at / "web" / "1.jpg", jpeg(1))
    put(at / "urls.txt", f"{url}/web/1.jpg\n\n{url}/web/4.jpg\n")


def url_csv(at: Path, url: str) -> None:
    put(at / "web" / "1.jpg", jpeg(1))
    text = f"image_url,page_url,caption\n{url}/web/1.jpg,{url}/1.html,One\n"
    put(at / "list.csv.gz", gzip.compress(text.encode(), mtime=0))


CASES = {
    "class_folders": Case(
        "folders of classes, in folders of splits (`imagefolder`, `audiofolder`, `videofolder`)",
        "birds", class_folders, {"train": 4, "test": 4}, ("image", "width", "height", "label"),
        {"id": "test/owl/1.jpg", "label": 0},
    ),
    "metadata_csv": Case(
        "`metadata.csv`, `.jsonl` or `.parquet` beside the files that it names", "calls",
        metadata_csv, {"train": 2}, ("audio", "duration", "caption", "age"),
        {"id": "1.wav", "age": 1}, {"missing_media": 1, "missing_caption": 1},
    ),
    "metadata_splits": Case(
        "several files a row (`*_file_name`), a table in each split's folder", "pairs",
        metadata_splits, {"train": 2, "validation": 2},
        ("image", "width", "height", "depth", "depth_width", "depth_height", "caption"),
    ),
    "zipped": Case(
        "the same in a .zip, .7z, .tar or .tar.gz", "birds.zip", zipped, {"train": 2},
        ("image", "caption"),
    ),
    "stems": Case(
        "texts and JSON of the same stem beside the files", "sets", stems, {"train": 2},
        ("image", "caption", "artist", "year"), {"year": 1901}, {"missing_media": 1},
    ),
    "table_of_files": Case(
        "a table that names files in some folder below it", "speech", table_of_files, {"train": 2},
        ("audio", "caption", "speaker", "mos"), {"mos": 0.5},
    ),
    "table_beside": Case(
        "a table that names files in full, wherever they are", "list.csv", table_beside,
        {"train": 2}, ("image", "caption", "title"),
    ),
    "bytes_in_parquet": Case(
        "Parquet with the files' bytes in it, as the Hub has it", "hub", bytes_in_parquet,
        {"train": 2, "test": 2}, ("image", "caption", "tags"),
    ),
    "base64_in_tsv": Case(
        "base64 in a table", "ofa.tsv", base64_in_tsv, {"train": 2}, ("image", "caption"),
        {"id": "i1"},
    ),
    "url_list": Case(
        "lists of URLs as img2dataset takes them: csv, tsv, json, jsonl, parquet, folders of them",
        "laion --url URL --caption TEXT", url_list, {"train": 1},
        ("image", "caption", "URL", "md5", "similarity"),
        {"listed_WIDTH": 41}, {"other_bytes": 1, "removed": 1},
    ),
    "url_text": Case(
        "a URL a line", "urls.txt", url_text, {"train": 1}, ("image", "url"), {}, {"removed": 1},
    ),
    "url_csv": Case(
        "packed tables (.gz, .bz2, .zst)", "list.csv.gz --url image_url", url_csv, {"train": 1},
        ("image", "caption", "page_url"),
    ),
}  # fmt: skip
