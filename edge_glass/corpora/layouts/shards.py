"""What other tools wrote: MDS shards, clip-retrieval's embeddings, LeRobot's episodes."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from edge_glass.core.errors import SourceError
from edge_glass.core.ledger import Outcome
from edge_glass.corpora.layouts.record import Files, Record
from edge_glass.corpora.layouts.tables import read, split_word
from edge_glass.sources import mds
from edge_glass.sources.obtain import store
from edge_glass.sources.packed_folder import UNPACKED


def mds_records(files: Files) -> Iterator[Record]:
    """The samples of all indexes, in the order of their folders."""
    for index in sorted(files.root.rglob(mds.INDEX)):
        for shard in mds.shards(index, store() / UNPACKED):
            name = shard.path.relative_to(files.root).as_posix()
            split = split_word(f"{PurePosixPath(name).parent}/x")
            for number in range(shard.samples):
                where = f"{name}/{number}"
                record = Record(where, {}, split)
                for column, data in shard.sample(number).items():
                    try:
                        is_file = shard.columns[column] in mds.FILES
                        value = f"{where}/{column}" if is_file else shard.decoded(column, data)
                        record.values[column] = value
                    except (ValueError, IndexError, RecursionError) as error:
                        record.dropped = (Outcome.MALFORMED_ROW, f"{column}: {error}")
                yield record


def is_clip_retrieval(files: Files) -> bool:
    """Whether there are embeddings and the metadata of their rows."""
    names = [*files.names()]
    return any(map(METADATA.search, names)) and any(map(EMBEDDINGS.search, names))


def clip_retrieval(files: Files) -> Iterator[Record]:
    """A record a row of the metadata, with its `image_embedding` and `text_embedding`.

    Raises SourceError if there are more of the one than of the other.
    """
    arrays = {tuple(found.groups()): n for n in files.names() if (found := EMBEDDINGS.search(n))}
    for name in files.names():
        if not (found := METADATA.search(name)):
            continue
        with ExitStack() as stack:
            vectors: dict[str, Any] = {}
            for kind, key in (("img", "image_embedding"), ("text", "text_embedding")):
                if file := arrays.get((kind, found[1])):
                    vectors[key] = _array(stack.enter_context(files.local(file)))
            number = -1
            for number, record in enumerate(read(stack.enter_context(files.local(name)), name)):
                rows = {key: each[number : number + 1] for key, each in vectors.items()}
                record.values |= {key: row[0].tolist() for key, row in rows.items() if len(row)}
                yield record
        for key, array in vectors.items():
            if len(array) != number + 1:
                detail = f"{name}: {number + 1} rows, and {len(array)} of {key}"
                raise SourceError(f"{detail}: they are not of one run: get them again")


def _array(path: Path) -> Any:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SourceError(f"{path}: no array of NumPy ({error}): get it again") from None
    if array.ndim != 2 or array.dtype.kind != "f":
        raise SourceError(f"{path}: expected rows of floats, found {array.dtype} {array.shape}")
    return array


def is_lerobot(files: Files) -> bool:
    """Whether there is a `meta/info.json` with a version of LeRobot."""
    return files.there(INFO) and '"codebase_version"' in files.text(INFO)


def lerobot(files: Files) -> Iterator[Record]:
    """A record an episode of LeRobot's layout v2: its videos, its task, and what was measured.

    Raises SourceError for other versions: those of v3 have several episodes in a video.
    """
    try:
        yield from _episodes(files, json.loads(files.text(INFO)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{INFO}, or a file that it names, is not LeRobot's: {error!r}") from None


def _episodes(files: Files, said: dict[str, Any]) -> Iterator[Record]:
    if not str(said["codebase_version"]).startswith("v2"):
        raise SourceError(f"{INFO}: LeRobot {said['codebase_version']} is not read, v2 is")
    views = [name for name, each in said["features"].items() if each.get("dtype") == "video"]
    for line in files.text("meta/episodes.jsonl").splitlines():
        episode = json.loads(line)
        number = int(episode["episode_index"])
        at: dict[str, int | str] = {"episode_index": number}
        at["episode_chunk"] = number // int(said["chunks_size"])
        name = _filled(said["data_path"], at)
        with files.local(name) as path:
            steps = [record.values for record in read(path, name)]
        measured = {key for step in steps[:1] for key in step} - COUNTERS
        values: dict[str, Any] = {key: [s[key] for s in steps] for key in sorted(measured)}
        values |= {"id": f"episode_{number:06d}", "tasks": episode.get("tasks")}
        values["steps"] = len(steps)
        for view in views:
            values[view.rpartition(".")[2]] = _filled(said["video_path"], at | {"video_key": view})
        yield Record(name, values)


def _filled(template: str, at: dict[str, int | str]) -> str:
    """A name out of `{key}` and `{key:03d}`, and nothing else that a format may say."""
    return PLACE.sub(lambda match: str(at[match[1]]).zfill(int(match[2] or 0)), template)


METADATA = re.compile(r"(?:^|/)metadata/metadata_(\d+)\.parquet$")
EMBEDDINGS = re.compile(r"(?:^|/)(?:img|text)_emb/(img|text)_emb_(\d+)\.npy$")
INFO = "meta/info.json"
PLACE = re.compile(r"\{(\w+)(?::0(\d)d)?\}")
COUNTERS = {"timestamp", "frame_index", "episode_index", "index", "task_index"}  # of each step
