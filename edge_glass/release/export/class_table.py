r"""A table of files, labels and captions, and how many rows each class has.

`pandas.read_csv(sep="\t")` and open_clip's CSV mode read it: fields with quotes are quoted.
"""

import codecs
import csv
from collections import Counter
from pathlib import Path

from edge_glass.core.atomic_files import AtomicFile
from edge_glass.core.columns import ColumnRole, is_list
from edge_glass.core.errors import ConfigError
from edge_glass.core.names import Distinct
from edge_glass.core.row import Example
from edge_glass.domains.imagenet.class_params import relabelled
from edge_glass.domains.imagenet.classes import write_frequencies
from edge_glass.release.export import media_files
from edge_glass.release.export.built_rows import BuiltRows
from edge_glass.release.export.media_folder import file_name

BREAKS = str.maketrans("\n\r\t\0", "    ")
NAMES = {"filepath", "filename", "wnid"}  # columns that name files


def write(build: BuiltRows, out: Path) -> list[str]:
    """Write `<split>/<config>.tsv`, and `class_frequency_<config>*.txt` of rows with classes.

    Raises EdgeGlassError where rows have no caption, or not one file each.
    """
    config, columns = build.manifest.config, build.manifest.features
    media = build.manifest.with_role(ColumnRole.MEDIA)
    single = len(media) == 1 and not is_list(columns[media[0]])
    if not build.manifest.with_role(ColumnRole.CAPTION) or not (single or NAMES & set(columns)):
        raise ConfigError(
            f"{config}: tsv wants a caption and one file a row, or names of files; "
            f"there are {', '.join(columns)}"
        )
    labels = build.manifest.with_role(ColumnRole.LABEL)
    labels, without = [name for name in labels if not is_list(columns[name])], 0
    for split in build.manifest.splits:
        counts, distinct = Counter[str](), Distinct()
        with AtomicFile(out / split / f"{config}.tsv") as file:
            text = codecs.getwriter("utf-8")(file)  # type: ignore[arg-type] # it seeks nothing
            table = csv.writer(text, delimiter="\t", lineterminator="\n")
            table.writerow(["filepath", *labels, "caption"])
            for number, example in enumerate(build.examples(split)):
                caption = (build.caption(example) or "").translate(BREAKS)
                if (path := _path(build, example, number, media, distinct)) is None:
                    without += 1
                    continue
                table.writerow([path, *(example[name] for name in labels), caption])
                counts[example.get("wnid") or ""] += 1
        if "wnid" in columns:
            wnids = relabelled(build.manifest.parameters)
            write_frequencies(out / split, f"class_frequency_{config}", counts, wnids)
    return build.left_out + ([f"{without} rows without a file are left out"] if without else [])


def _path(
    build: BuiltRows, example: Example, number: int, media: list[str], distinct: Distinct
) -> str | None:
    """Where the source has the file, or where `files` writes it; None where there is none."""
    if build.name_by is None and example.get("filepath"):
        return str(example["filepath"])
    file = next(iter(media_files.of_row(example, media)), None)
    if media and not file:
        return None
    return file_name(example, number, file, build.name_by, distinct)
