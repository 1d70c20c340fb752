"""Media as plain files, with a `metadata.jsonl`: an image or audio folder of `datasets`.

A build with several columns of media gives a folder for each of them, `<split>/<column>/`. Rows of
a class stand in `<wnid>/`, under the name that their source has for them.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from edge_glass.core import names
from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.columns import ColumnRole
from edge_glass.core.names import Distinct, below
from edge_glass.core.row import Example
from edge_glass.release.export import media_files
from edge_glass.release.export.built_rows import BuiltRows, as_json
from edge_glass.release.export.media_files import MediaFile

METADATA = "metadata.jsonl"


def write(build: BuiltRows, out: Path, jpeg: bool) -> list[str]:
    """Write all splits; gives what is left out."""
    columns = build.manifest.with_role(ColumnRole.MEDIA)
    without = Counter[str]()
    for split in build.manifest.splits:
        for column in columns:
            folder = out / split if len(columns) == 1 else out / split / names.file_name(column)
            without[column] += _written(build, split, column, folder, jpeg)
    notes = [f"{count} rows without {column} are left out" for column, count in without.items()]
    return build.left_out + [text for text in notes if not text.startswith("0 ")]


def _written(build: BuiltRows, split: str, column: str, folder: Path, jpeg: bool) -> int:
    """Write a column's files; gives the number of rows without any."""
    without, distinct = 0, Distinct()
    with AtomicFile(folder / METADATA) as lines:
        for number, example in enumerate(build.examples(split)):
            files = media_files.of_row(example, [column], jpeg)
            if not files:
                without += 1
                continue
            name = file_name(example, number, files[0], build.name_by, distinct)
            saved = list(_saved(folder, name, files))
            listed = files[0].place is not None
            where = {"file_names": saved} if listed else {"file_name": saved[0]}
            line = json.dumps(where | as_json(build.others(example)) | where, ensure_ascii=False)
            lines.write(f"{line}\n".encode())
    if not lines.size:  # no reader takes an empty one
        (folder / METADATA).unlink()
    return without


def _saved(folder: Path, name: str, files: list[MediaFile]) -> Iterator[str]:
    """Write the files of a row; those of a list into a folder of this name."""
    stem = name.removesuffix(files[0].suffix)
    for file in files:
        if file.place is not None:
            name = f"{stem}/{file.place}{file.suffix}"
        path = below(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)  # metadata.jsonl, written last, says it is whole
        yield name


def file_name(
    example: Example, number: int, file: MediaFile | None, name_by: str | None, distinct: Distinct
) -> str:
    """`<wnid>/<name in the source, or id>` of a row that has a class, its number for others.

    With `name_by` that column's value in their place, where a row has one. Where an image was made
    another kind, the name's suffix follows it.
    """
    suffix = file.suffix if file else ".jpg"
    named = example[name_by] if name_by is not None else None
    if named is None and not example.get("wnid"):
        return f"{number:09d}{suffix}"
    source = PurePosixPath(example.get("filename") or "") if named is None else PurePosixPath()
    value = source.stem or str(example["id"] if named is None else named)
    if source.name and not (file and source.suffix.lower().replace(".jpeg", ".jpg") != suffix):
        suffix = names.media_suffix(source.name, "")
        value = source.name.removesuffix(suffix)
    folder = f"{names.file_name(example['wnid'])}/" if example.get("wnid") else ""
    return folder + distinct.name(value, suffix, folder)
