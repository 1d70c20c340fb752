"""What was made of a build's rows beside it, when rows of it go or change: cleaned, or removed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pyarrow as pa

from edge_glass.audit import audits
from edge_glass.core import manifest, parquet, schema
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.key_digests import Ids
from edge_glass.core.manifest import Manifest
from edge_glass.core.names import HIDDEN
from edge_glass.core.row import source_id
from edge_glass.core.shard_files import write_table
from edge_glass.domains.slides import call_log, captions
from edge_glass.domains.slides.call_log import Calls
from edge_glass.release import write_card
from edge_glass.vectors import embed, index_build, scores, stored_vectors, vector_index
from edge_glass.vectors.embedding_files import ROWS

Step = tuple[str, Callable[[], None]]  # what is done, and how


def steps(out: Path, before: Manifest, ids: Ids | None = None) -> Iterator[Step]:
    """What is to be done once the build in `out` has no row of these ids; again, if it stopped.

    None: texts of rows that stay have changed.
    """
    for folder in sorted((out / audits.FOLDER).glob("*")) if ids is None or len(ids) else ():
        files = _findings(out, folder.name, before.config)
        if files:
            description = f"{audits.FOLDER}/{folder.name}: removed: run `edge-glass audit` again"
            yield description, partial(_remove, [folder / name for name in files])
    for name in scores.names(out / before.config):
        home = scores.place(out / before.config, name)
        written = [scores.FILE, *(shard.file for shard in before.shards())]
        what = f"{scores.FOLDER}/{before.config}/{name}: removed: run `edge-glass score` again"
        yield what, partial(_remove, [home / each for each in written])
    roots = (out / root / before.config for root in ("embeddings", scores.LABELS))
    for path in sorted(each for root in roots for each in root.glob(f"*/{embed.FILE}")):
        folder, name = path.parent, path.parent.relative_to(out).as_posix()
        indexes = [*folder.glob("index/*/")] if ids is None or len(ids) else []
        if schema.read(path, embed.SETTINGS, embed.REMEDY)["layout"] == "parquet":
            clean = partial(_clean, path, before, out, ids)
            yield f"{name}: `edge-glass embed` goes on with it", clean
            if indexes and ids:
                said = "follows, or is removed: then run `edge-glass index` again"
                follow = partial(_follow, out / before.config, folder, indexes)
                yield f"{name}/index: {said}", follow
        else:
            if indexes:
                said = "removed: run `edge-glass index` again"
                yield f"{name}/index: {said}", partial(_remove_indexes, indexes)
            kinds = ("metadata", "img_emb", "text_emb", "images")
            there = [one for kind in kinds for one in (folder / kind).rglob("*") if one.is_file()]
            yield f"{name}: removed: run `edge-glass embed` again", partial(_remove, [*there, path])
    log = out / captions.FOLDER / before.config
    if ids is not None and (log / call_log.FILE).is_file():
        gone = partial(_is_of, ids, before.each_example)
        yield f"{captions.FOLDER}/{before.config}: cleaned", partial(_forget_calls, log, gone)


def _is_of(ids: Ids, several: bool, id: str) -> bool:
    """Whether an example is of one of these source rows, which may be several examples each."""
    return id in ids or source_id(id, several) in ids


def _forget_calls(folder: Path, gone: Callable[[str], bool]) -> None:
    with closing(Calls(folder)) as calls:
        calls.forget(gone)


def forget(out: Path, before: Manifest) -> None:
    """Remove what was remembered or drawn of the build as it was."""
    after = manifest.read(out / before.config)
    gone = {*before.digests()} - {*after.digests()}
    write_card.outdated(out, before.config)
    (out / HIDDEN / "facts" / f"{before.config}.json").unlink(missing_ok=True)
    shutil.rmtree(out / HIDDEN / "work" / before.config, ignore_errors=True)
    for path in (out / HIDDEN / "traces").glob("*/*"):
        if path.name.partition(".")[0] in gone:
            path.unlink()


def _findings(out: Path, audited: str, config: str) -> list[str]:
    """Files of an audit that can name rows of a config: its own, or one held against it."""
    audit = audits.read(out, audited)
    groups = audit.groups.values() if audit else ()
    against = {name for group in groups for name in group.against}
    files = [group.file for group in groups]
    return [*files, audits.FILE] if files and config in {audited, *against} else []


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _remove_indexes(folders: list[Path]) -> None:
    for folder in folders:
        index_build.remove(folder)


def _clean(embedded: Path, before: Manifest, out: Path, ids: Ids | None) -> None:
    """Keep the vectors of shards and rows that stay; the next `embed` makes those that lack."""
    digests = {shard.file: shard.sha256 for shard in manifest.read(out / before.config).shards()}
    names = {digest: name for name, digest in digests.items()}
    for shard in before.shards():
        path = embedded.parent / shard.file
        if not path.is_file() or digests.get(shard.file) == shard.sha256:
            continue
        if shard.sha256 in names:
            path.rename(path.with_name(names[shard.sha256]))
        elif ids and shard.file in digests:
            _filter(path, ids, before.each_example)
        else:
            path.unlink()
    settings = schema.read(embedded, embed.SETTINGS, embed.REMEDY)
    write_json(embedded, settings | {"data": digests})


def _follow(config: Path, folder: Path, indexes: list[Path]) -> None:
    """Take rows out of the indexes of embeddings that were cleaned."""
    left = {*indexes}
    with suppress(EdgeGlassError):  # what cannot follow goes: it holds rows that are gone
        for one in stored_vectors.stored(config, folder.parents[1]):
            if (index := vector_index.place(one)) in left:
                index_build.follow(one)
                left.remove(index)
    _remove_indexes([*left])


def _filter(path: Path, gone: Ids, several: bool) -> None:
    table = parquet.table(path)
    ids = table["id"].to_pylist()
    table = table.filter(pa.array([not _is_of(gone, several, id) for id in ids]))
    groups = (table.slice(at, ROWS) for at in range(0, max(1, len(table)), ROWS))
    write_table(path, groups, table.schema)
