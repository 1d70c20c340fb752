"""What a change of a published dataset costs: rows withdrawn, appended, captions amended.

    python benchmarks/versions.py --rows 100000 --shards 10 --media 2000

The rows are random bytes with a caption; the Hub is the one for tests, which counts what it gets.
Chunks are those that the Hub's storage cuts, about 64 kB each, by pyfastcdc if that is installed.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from measure import arguments, scratch, show

import edge_glass as eg
from edge_glass.core import ledger, ledger_tables, manifest
from edge_glass.core.atomic_files import write_json
from edge_glass.core.key_digests import second_rank
from edge_glass.core.ledger import Entry, Outcome
from edge_glass.core.row_digests import RowDigests
from edge_glass.core.shard_files import write_shard, write_table
from edge_glass.media.features import arrow_schema
from edge_glass.pipeline import shard_plan

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
REPO, CONFIG = "org/edge-glass", "sounds"
WORDS = ["quiet", "bell", "far", "old", "engine", "over", "hill", "rings", "rain", "falls", "roofs"]
FEATURES = datasets.Features(
    {"id": datasets.Value("string"), "audio": datasets.Audio(), "caption": datasets.Value("string")}
)


def build(out: Path, first: int, rows: int, shards: int, media: int) -> Path:
    """A build of rows from the number `first` on."""
    folder, schema = out / CONFIG, arrow_schema(FEATURES)
    folder.mkdir(parents=True)
    digests, files, entries = RowDigests(schema), [], []
    for shard in range(shards):
        numbers = range(first + rows * shard // shards, first + rows * (shard + 1) // shards)
        examples = [example(number, media) for number in numbers]
        name = f"train-{shard:05d}-of-{shards:05d}.parquet"
        files.append(asdict(write_shard(folder / name, examples, schema)))
        for number, one in zip(numbers, examples, strict=True):
            entry = Entry("list", str(number), one["id"], "train", Outcome.KEPT)
            entry.sha256 = sha256(one["audio"]["bytes"]).hexdigest()
            entry.url = f"https://example.com/{one['id']}"
            entry.text_digests, entry.media_digests = digests.of_all([one], entry.sha256)
            entries.append(entry)
    groups = ledger_tables.regrouped(ledger.to_table(entries).to_batches())
    words = ledger_tables.WORDS
    written = write_table(folder / ledger.FILE, groups, ledger.schema(), words)
    split = {
        "rows": rows, "bytes": sum(file["bytes"] for file in files), "shards": files,
        "outcomes": {"kept": rows}, "warnings": {}, "figures": {},
    }  # fmt: skip
    told = {
        "manifest_version": 1, "config": CONFIG, "corpus": "clotho", "version": "1.0.0",
        "parameters": {}, "limit": None, "builder": "", "made_with": {}, "sources": [],
        "features": FEATURES.to_dict(), "splits": {"train": split},
        "ledger": asdict(written),
    }  # fmt: skip
    write_json(folder / manifest.FILE, told)
    return folder


def example(number: int, media: int) -> dict[str, object]:
    draw = random.Random(number)
    caption = f"{' '.join(draw.choices(WORDS, k=12))}, number {number}"
    audio = {"bytes": draw.randbytes(media), "path": None}
    return {"id": f"sound/{number:08d}", "audio": audio, "caption": caption}


def chunks(folder: Path) -> dict[bytes, int]:
    """Chunk -> its bytes, of all files of a build; nothing without pyfastcdc."""
    if not find_spec("pyfastcdc"):
        return {}
    from pyfastcdc import FastCDC

    cutter = FastCDC(65536, min_size=8192, max_size=131072)
    return {
        sha256(chunk.data).digest(): chunk.length
        for path in sorted(folder.iterdir())
        for chunk in cutter.cut_buf(path.read_bytes())
    }


def shards_of(ids: list[int], shard_rows: int, by_ids: bool) -> set[tuple[int, ...]]:
    """The rows of each shard, cut as builds are, or by size alone, as up to 0.1.0."""
    shards: dict[int, list[int]] = {}
    with patch.object(shard_plan, "SHARD_BYTES", shard_rows * 1000), ExitStack() as earlier:
        if not by_ids:
            earlier.enter_context(patch.object(shard_plan, "_chance", lambda size, weight: False))
            earlier.enter_context(patch.object(shard_plan, "SHARD_BYTES", shard_rows * 500))
        shard = shard_plan._Shard()
        for id in ids:
            weight = 500 + random.Random(id).randrange(1000)
            shards.setdefault(shard.put(weight, partial(second_rank, 0, f"{id}")), []).append(id)
    return {(*rows,) for rows in shards.values()}


def shared_shards(rows: int, shards: int) -> None:
    """How many shards two builds share, of a list and of one from which rows are gone."""
    whole, draw, lines = range(rows), random.Random(5), list[list[object]]()
    third = rows // 3
    changes: list[tuple[str, Iterable[int]]] = [
        ("the first row", [0]),
        ("one row in the middle", [rows // 2]),
        ("1 % in one stretch", range(third, third + rows // 100)),
        ("10 % in one stretch", range(third, third + rows // 10)),
        ("0.1 % all over", draw.sample(whole, rows // 1000)),
        ("1 % all over", draw.sample(whole, rows // 100)),
        ("10 % all over", draw.sample(whole, rows // 10)),
    ]
    for what, gone in changes:
        left, told = sorted({*whole} - {*gone}), list[object]()
        for by_ids in (False, True):
            before, after = (shards_of(r, rows // shards, by_ids) for r in ([*whole], left))
            told.append(f"{len(before & after)} of {len(after)}")
        lines.append([what, *told])
    columns = ["gone", "shared, cut by size", "shared, cut by ids"]
    show(f"{rows:,} rows in about {shards} shards", columns, lines)


def use(url: str, work: Path) -> None:
    """Clients in this process talk to the Hub there."""
    from huggingface_hub import constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    constants.HUGGINGFACE_CO_URL_TEMPLATE, constants.ENDPOINT = template, url
    constants.HF_HUB_CACHE = str(work / "cache")


def main() -> None:
    options = arguments(str(__doc__), rows=100_000, shards=10, media=2_000)
    from hub import Hub
    from releases import push, sent

    for shards in (options.shards, 40 * options.shards):
        shared_shards(options.rows, shards)
    lines: list[list[object]] = []
    with scratch(4 * options.rows * options.media) as work, Hub() as hub:
        use(hub.url, work)
        folder = build(work / "data", 0, options.rows, options.shards, options.media)
        os.environ["HF_TOKEN"] = hub.token

        def step(what: str, action: Callable[[], object]) -> None:
            here = what.endswith("here")
            before = {shard.sha256 for shard in manifest.read(folder).shards()}
            known = chunks(folder) if here else {}
            hub.reset_log()
            start, cpu = time.monotonic(), time.process_time()
            action()
            taken, cpu = time.monotonic() - start, time.process_time() - cpu
            shards = manifest.read(folder).shards()
            new = sum(shard.sha256 not in before for shard in shards)
            told = f"{new} of {len(shards)}" if here else ""
            fresh = sum(n for one, n in chunks(folder).items() if one not in known) / 1e6
            read = sum(request.sent for request in hub.seen("GET", "/resolve/"))
            row = [what, told, fresh if known else "", sent(hub) / 1e6, read / 1e6, cpu, taken]
            lines.append([f"{one:.2f}" if isinstance(one, float) else one for one in row])

        step("publish", lambda: push(hub, work / "data", "1.0.0", CONFIG))
        draw = random.Random(17)
        ids = [f"sound/{number:08d}" for number in draw.sample(range(options.rows // 5), 10)]
        step("withdraw 10 rows, here", lambda: eg.withdraw(work / "data", ids=ids))
        papers = {"certificate": work / "c", "version": "1.1.0"}
        step("withdraw 10 rows, on the Hub", lambda: eg.withdraw(REPO, ids=ids, **papers))
        more = build(work / "more", options.rows, options.rows // 100, 1, options.media)
        size = sum(shard.bytes for shard in manifest.read(more).shards())
        step("append 1 %, here", lambda: eg.append(work / "data", work / "more"))
        step("append 1 %, on the Hub", lambda: eg.append(REPO, work / "more", version="1.2.0"))
        appended = sum(request.received for request in hub.seen("PUT", "/lfs/"))
        stay = sorted({f"sound/{n:08d}" for n in range(options.rows)} - {*ids})
        edits = pa.Table.from_pylist([
            {"id": id, "column": "caption", "value": f"amended {id}", "who": "me", "why": "a slip"}
            for id in draw.sample(stay, min(1000, len(stay)))
        ])  # fmt: skip
        pq.write_table(edits, work / "edits.parquet")
        step("amend 1,000 captions, here", lambda: eg.amend(work / "data", work / "edits.parquet"))
        step("amend 1,000 captions, on the Hub",
             lambda: eg.amend(REPO, work / "edits.parquet", version="1.3.0"))  # fmt: skip
        step("why, here", lambda: eg.why(work / "data", stay[-1]))
        step("why, on the Hub", lambda: eg.why(f"{REPO}@1.3.0", stay[-1]))
        columns = ["what", "shards anew", "MB in new chunks", "MB sent", "MB read"]
        columns += ["CPU s", "wall s"]
        show(f"{options.rows:,} rows of {options.media} bytes", columns, lines)
        book = manifest.read(folder).ledger.bytes
        print(
            f"appended: {size / 1e6:.2f} MB of rows, {appended / 1e6:.2f} MB sent; the ledger of "
            f"all rows is {book / 1e6:.2f}"
        )


if __name__ == "__main__":
    main()
