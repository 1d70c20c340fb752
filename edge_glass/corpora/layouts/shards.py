"""What other tools wrote: MDS shards, clip-retrieval's embeddings, LeRobot's episodes."""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.core.libraries import np
from edge_glass.core.row import JsonObject
from edge_glass.corpora.layouts import tables
from edge_glass.corpora.layouts.media_folders import kind_of
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.table_records import of_file
from edge_glass.sources import mds, tars
from edge_glass.sources.obtain import store
from edge_glass.sources.opened_folder import is_archive
from edge_glass.sources.packed_folder import BESIDE, UNPACKED


def packing(names: Collection[str]) -> tuple[JsonObject, dict[str, str]]:
    """How files are packed, as a source says it, and what of them is not read beside tars, and why.

    Tables beside tars say the same of each sample, if they are not called as imagefolder's.
    """
    said = (each for each in names if not any(fnmatch(each, beside) for beside in BESIDE[1:]))
    suffixes = {_suffix(name) for name in said}
    named = any(PurePosixPath(name).stem == "metadata" and tables.ending(name) for name in names)
    tarred = ".tar" in suffixes and not (named or any(kind_of(f"x{each}") for each in suffixes))
    others = suffixes - {".tar"} if tarred else set()
    beside = {f"*{each}": "beside the tars, whose samples are read" for each in others}
    if tarred or suffixes & {".mds", ".arrow"}:
        return {"packed": True}, beside
    return {"archives": True} if any(map(is_archive, names)) else {}, beside


def is_shard(name: str) -> bool:
    """Whether a file is a shard, or the index of such."""
    return _suffix(name) in (".tar", ".mds", ".arrow") or PurePosixPath(name).name == mds.INDEX


def _suffix(name: str) -> str:
    """The suffix, that of its packing left out where the file is a shard."""
    if tars.is_tar(name):
        return ".tar"
    suffixes = PurePosixPath(name).suffixes
    return ".mds" if ".mds" in suffixes[-2:] else "".join(suffixes[-1:])


def mds_records(files: Files) -> Iterator[Record]:
    """The samples of all indexes, in the order of their folders."""
    for index in sorted(files.root.rglob(mds.INDEX)):
        for shard in mds.shards(index, store() / UNPACKED):
            name = shard.path.relative_to(files.root).as_posix()
            split = tables.split_word(f"{PurePosixPath(name).parent}/x")
            for number in range(shard.samples):
                where = f"{name}/{number}"
                record = Record(where, {}, split)
                for column, data in shard.sample(number).items():
                    try:
                        is_file = shard.columns[column] in (*mds.FILES, *mds.LISTS)
                        value = (shard.file if is_file else shard.decoded)(column, data)
                        record.values[column] = f"{where}/{column}" if is_file else value
                    except (ValueError, LookupError, TypeError, RecursionError) as error:
                        record.dropped = (Outcome.MALFORMED_ROW, f"{column}: {error}")
                yield record


def unread(files: Files) -> dict[str, str]:
    """The columns of MDS shards whose encoding is not read, and why."""
    indexes = files.root.rglob(mds.INDEX)
    every = (shard for index in indexes for shard in mds.shards(index, store() / UNPACKED))
    columns = {name: kind for shard in every for name, kind in shard.columns.items()}
    return {
        name: f"encoded as {kind}, which is not read"
        for name, kind in columns.items()
        if not mds.is_read(kind)
    }


def is_clip_retrieval(files: Files) -> bool:
    """Whether there are embeddings and the metadata of their rows."""
    names = [*files.names()]
    return any(map(METADATA.search, names)) and any(map(EMBEDDINGS.search, names))


def clip_retrieval(files: Files) -> Iterator[Record]:
    """A record a row of the metadata, with its `image_embedding` and `text_embedding`.

    Raises SourceError if there are more of the one than of the other.
    """
    arrays = {tuple(match.groups()): n for n in files.names() if (match := EMBEDDINGS.search(n))}
    for name in files.names():
        if not (metadata := METADATA.search(name)):
            continue
        with ExitStack() as stack:
            vectors: JsonObject = {}
            for kind, key in (("img", "image_embedding"), ("text", "text_embedding")):
                if file := arrays.get((kind, metadata[1])):
                    vectors[key] = _array(stack.enter_context(files.local(file)))
            number = -1
            for number, record in enumerate(of_file(files, name)):
                rows = {key: each[number : number + 1] for key, each in vectors.items()}
                record.values |= {key: row[0].tolist() for key, row in rows.items() if len(row)}
                yield record
        for key, array in vectors.items():
            if len(array) != number + 1:
                detail = f"{name}: {number + 1} rows, and {len(array)} of {key}"
                raise SourceError(f"{detail}: they come from different runs: get them again")


def _array(path: Path) -> Any:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SourceError(f"{path}: not a NumPy array ({error}): get it again") from None
    if array.ndim != 2 or array.dtype.kind != "f":
        raise SourceError(f"{path}: expected rows of floats, found {array.dtype} {array.shape}")
    return array


def is_lerobot(files: Files) -> bool:
    """Whether there is a `meta/info.json` with a version of LeRobot."""
    return files.there(INFO) and '"codebase_version"' in files.text(INFO)


def lerobot(files: Files) -> Iterator[Record]:
    """A record an episode of LeRobot's layouts v2 and v3: its videos, tasks, and what was measured.

    Pictures that each step has in the tables are a list. Raises SourceError for other versions.
    """
    try:
        yield from _episodes(files, json.loads(files.text(INFO)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{INFO}, or a file that it names, does not have LeRobot's form: {error!r}"
        ) from None


def _episodes(files: Files, info: JsonObject) -> Iterator[Record]:
    kinds = {name: each.get("dtype") for name, each in info["features"].items()}
    if not (version := str(info["codebase_version"])).startswith(("v2", "v3")):
        raise SourceError(f"{INFO}: LeRobot {version} is not supported; v2 and v3 are")
    listed = groupby(_listed(files), lambda said: _filled(info["data_path"], _at(said, info)))
    for name, episodes in listed:
        every = (record.values for record in of_file(files, name))
        steps = groupby(every, itemgetter("episode_index"))
        for episode, (index, of_one) in zip(episodes, steps, strict=True):
            if index != episode["episode_index"]:
                raise ValueError(f"{name}: episode {index}, listed is {episode}")
            yield _episode(name, episode, [*of_one], info, kinds)


def _listed(files: Files) -> Iterator[JsonObject]:
    """What is said of each episode: lines in v2, tables in v3."""
    for name in files.names():
        if name.startswith(("meta/episodes.jsonl", "meta/episodes/")):
            yield from (record.values for record in of_file(files, name))


def _at(episode: JsonObject, info: JsonObject, video: str = "") -> dict[str, int | str]:
    """What stands in the names of an episode's files."""
    number, of = int(episode["episode_index"]), f"videos/{video}" if video else "data"
    chunk = number // int(info.get("chunks_size") or 1000)
    at: dict[str, int | str] = {"episode_index": number, "episode_chunk": chunk, "video_key": video}
    places = {each: episode.get(f"{of}/{each}") for each in ("chunk_index", "file_index")}
    return at | {each: int(place) for each, place in places.items() if place is not None}


def _episode(
    name: str,
    episode: JsonObject,
    steps: list[Any],
    info: JsonObject,
    kinds: JsonObject,
) -> Record:
    values: JsonObject = {key: [s[key] for s in steps] for key in {*steps[0]} - COUNTERS}
    values = dict(sorted(values.items())) | {"tasks": episode.get("tasks"), "steps": len(steps)}
    values["id"] = f"episode_{int(episode['episode_index']):06d}"
    for view in (view for view, kind in kinds.items() if kind == "image"):
        values[view.rpartition(".")[2]] = values.pop(view)  # the places of the bytes
    for view in (view for view, kind in kinds.items() if kind == "video"):
        file = _filled(info["video_path"], _at(episode, info, view))
        if (start := episode.get(f"videos/{view}/from_timestamp")) is not None:  # of several
            file += f"#t={start:.6f},{episode[f'videos/{view}/to_timestamp']:.6f}"
        values[view.rpartition(".")[2]] = file
    return Record(f"{name}#{values['id']}", values)


def _filled(template: str, at: dict[str, int | str]) -> str:
    """A name out of `{key}` and `{key:03d}`, and nothing else that a format may say."""
    return PLACE.sub(lambda match: str(at[match[1]]).zfill(int(match[2] or 0)), template)


METADATA = re.compile(r"(?:^|/)metadata/metadata_(\d+)\.parquet$")
EMBEDDINGS = re.compile(r"(?:^|/)(?:img|text)_emb/(img|text)_emb_(\d+)\.npy$")
INFO = "meta/info.json"
PLACE = re.compile(r"\{(\w+)(?::0(\d)d)?\}")
COUNTERS = {"timestamp", "frame_index", "episode_index", "index", "task_index"}  # of each step
