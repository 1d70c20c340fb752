"""A build in layouts that others read: img2dataset's tar shards, plain files, tables.

`webdataset` is what img2dataset writes, so that its users' loaders run unchanged. `files` is a
folder of media with a `metadata.jsonl`, which `datasets` reads as an image or audio folder. `tsv`
lists files without writing them. `vidore` is a retrieval set of pages. All depend on the build
alone: times in them are 0.
"""

from pathlib import Path

from edge_glass.core import outputs
from edge_glass.core.columns import ColumnRole
from edge_glass.core.errors import ConfigError
from edge_glass.domains.mm_imdb.originals import export_labels
from edge_glass.release.export import class_table, media_folder, vidore, webdataset
from edge_glass.release.export.built_rows import BuiltRows

FORMATS = ("webdataset", "files", "tsv", "labels", "vidore")


def export(
    folder: Path, out: Path, format: str, jpeg: bool = False, name_by: str | None = None
) -> list[str]:
    """Write the build in `folder` to `out/<split>/` in one of FORMATS; gives what was left out.

    `jpeg` writes images of other kinds as JPEG; `name_by` is the column that the files of `files`
    and `tsv` are called after. `labels` are the classes of all splits together, as
    multi-hot arrays. Raises EdgeGlassError if the build has not what the format holds.
    """
    if format not in FORMATS:
        raise ConfigError(f"--format {format}: use {', '.join(FORMATS)}")
    if jpeg and format not in ("webdataset", "files"):
        raise ConfigError(f"--jpeg: {format} holds no images; use webdataset or files")
    if name_by is not None and format not in ("files", "tsv"):
        raise ConfigError(f"--name-by: {format} has names of its own; use files or tsv")
    outputs.check_apart(folder, out)
    if format in ("labels", "vidore"):
        {"labels": export_labels, "vidore": vidore.write}[format](folder, out)
        return []
    build = BuiltRows.of(folder, name_by)
    outputs.claim(out, build.manifest.splits)
    if format == "tsv":
        return class_table.write(build, out)
    if not build.manifest.with_role(ColumnRole.MEDIA):
        raise ConfigError(
            f"{build.manifest.config}: no column of media files to export; there are "
            f"{', '.join(build.manifest.roles)}: use --format tsv, or build with media"
        )
    write = {"webdataset": webdataset.write, "files": media_folder.write}[format]
    return write(build, out, jpeg)
