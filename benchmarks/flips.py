"""One bit is flipped in a file that Edge Glass wrote: does it notice, whichever file it is?

    python benchmarks/flips.py [--flips 2000] [--seed 0]

Files, bytes and bits are drawn at random; after each flip what was flipped is used as a user would
use it, and all is put back. A flip is

- *refused*: `verify`, or who reads the file, says that it is not what was written;
- *mended*: the same command again makes the file, or what comes out of it, as it was;
- *harmless*: what is read out of the file is what it was;
- *missed*: other data come out, and nothing is said. Exits 1 if there is one.
"""

import argparse
import contextlib
import random
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from measure import show

from edge_glass.audit import audits
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.corpora import catalog
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import build
from edge_glass.release import write_card
from edge_glass.release.checks_papers import verify
from edge_glass.sources import archives, tars
from edge_glass.vectors import index_build, vector_index

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import searchkit  # noqa: E402

VARIANT = catalog.variant("clotho_sample", {"splits": ["test"]}, "sample")
SHARD_BYTES = 250_000
OUTCOMES = ("refused", "mended", "harmless", "missed")


def files(folder: Path) -> dict[Path, bytes]:
    """All files below a folder; locks are empty and say nothing."""
    return {
        p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size
    }


def put_back(folder: Path, before: dict[Path, bytes]) -> None:
    """Make a folder what it was; files that did not change are left alone."""
    now = files(folder)
    for path in now.keys() - before.keys():
        path.unlink()
    for path, data in before.items():
        if now.get(path) != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@dataclass(frozen=True)
class Site:
    """Files of one kind, and what becomes of a flip in one of them."""

    name: str
    root: Path  # of all that may change
    files: list[Path]
    judge: Callable[[Path], str]  # the outcome of a flip in that file
    share: int  # of all flips, beside the other sites'

    def tried(self, chance: random.Random) -> tuple[str, str]:
        """Flip one bit; which, and its outcome."""
        before, path = files(self.root), chance.choice(self.files)
        data = bytearray(before[path])
        at, bit = chance.randrange(len(data)), chance.randrange(8)
        data[at] ^= 1 << bit
        path.write_bytes(data)
        where = f"{path}: byte {at}, bit {bit}"
        try:
            became = self.judge(path)
        except Exception as error:
            where, became = f"{where}: {error!r}", "missed"
        if became == "mended" and path.is_file() and path.read_bytes() == data:
            became = "harmless"
        put_back(self.root, before)
        return where, became


# What was built


def a_build(temp: Path) -> Iterator[Site]:
    out = temp / "build" / "out"
    folder = out / VARIANT.name

    def once_more() -> None:
        build(VARIANT, out)
        write_card.write_report(out)

    once_more()
    made = files(folder) | {out / "README.md": (out / "README.md").read_bytes()}

    def judge(path: Path) -> str:
        if refused(lambda: any(True for _ in verify(out))):  # notes, too
            return "refused"
        with contextlib.suppress(EdgeGlassError):
            once_more()
        return "mended" if all(p.read_bytes() == data for p, data in made.items()) else "missed"

    kinds = {
        "shards": (list(folder.glob("*-of-*.parquet")), 5),
        "ledger": ([folder / "ledger.parquet"], 2),
        "manifest": ([folder / manifest.FILE], 3),
        "README": ([out / "README.md"], 2),
        "records of builds": (list((out / HIDDEN).rglob("*.json")), 1),
    }
    for name, (paths, share) in kinds.items():
        yield Site(name, out.parent, paths, judge, share)


def work_under_way(temp: Path) -> Iterator[Site]:
    """A build that stopped before its last step; the next one goes on with it."""
    whole, out = temp / "whole", temp / "stopped" / "out"
    with mock.patch.object(shard_plan, "SHARD_BYTES", SHARD_BYTES):
        build(VARIANT, whole)
        stop = mock.patch.object(manifest.Manifest, "check_balance", side_effect=EdgeGlassError(""))
        with stop, contextlib.suppress(EdgeGlassError):
            build(VARIANT, out)
    wanted = contents(whole / VARIANT.name)

    def judge(_: Path) -> str:
        with mock.patch.object(shard_plan, "SHARD_BYTES", SHARD_BYTES):
            return outcome(lambda: build(VARIANT, out) and contents(out / VARIANT.name), wanted)

    paths = list(files(out / HIDDEN / "work"))
    for name, wanted_suffix in (("shards under way", True), ("records under way", False)):
        chosen = [path for path in paths if (path.suffix == ".parquet") == wanted_suffix]
        yield Site(name, out.parent, chosen, judge, 1)


# What is kept of sources


def members() -> dict[str, bytes]:
    return {
        f"d/{p.name}": p.read_bytes()[:20_000] for p in (ROOT / "samples/clotho").rglob("*.wav")
    }


def unpacked(temp: Path) -> Iterator[Site]:
    store, archive = temp / "store", temp / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members().items():
            file.writestr(name, data)

    def read() -> dict[str, bytes]:
        archives.unpack(archive, store / "unpacked", lambda *_: None)
        return contents(store / "unpacked")

    wanted = read()
    yield Site("unpacked archives", store, list(files(store)), lambda _: outcome(read, wanted), 2)


def indexed(temp: Path) -> Iterator[Site]:
    index, archive = temp / "tar" / "index", temp / "a.tar.gz"
    folder = temp / "members"
    for name, data in members().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder / "d", "d")

    def read() -> dict[str, bytes]:
        tars.index(archive, index, lambda *_: None)
        tar = tars.Tar(archive, index)
        return {name: tar.read(name) for name in tar.names()}

    wanted = read()
    yield Site("indexes of tars", index, list(files(index)), lambda _: outcome(read, wanted), 2)


# What is made of builds


def profiles(temp: Path) -> Iterator[Site]:
    """What an audit keeps of shards that it read, and what it found."""
    build(VARIANT, temp / "audited")
    out, how = temp / "audit", audits.Options(("signals", "captions"))

    def again() -> object:
        return audits.audit(temp / "audited" / VARIANT.name, out, how), contents(out / "audit")

    wanted = again()
    kept = [path for path in files(out) if path.suffix in (".parquet", ".json")]

    def judge(path: Path) -> str:
        if HIDDEN in path.parts:  # profiles are read where there are no findings yet
            shutil.rmtree(out / "audit")
        return outcome(again, wanted)

    yield Site("profiles and findings of audits", out, kept, judge, 1)


def search_index(temp: Path) -> Iterator[Site]:
    vectors = searchkit.clustered(300, dim=8)
    folder = searchkit.write(temp / "search", {"caption": vectors})
    stored = searchkit.only(folder)
    index_build.build(stored, [], 10**9, Progress())
    place = vector_index.place(stored)

    def found() -> object:
        index = vector_index.opened(stored)
        rows, scores = index.search(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 300)
        return rows.tolist(), scores.tolist(), index_build.facts(place)

    wanted = found()
    yield Site("indexes to search", place, list(files(place)), lambda _: outcome(found, wanted), 2)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): data for path, data in files(folder).items()}


def refused(check: Callable[[], object]) -> bool:
    try:
        return bool(check())
    except EdgeGlassError:
        return True


def outcome(use: Callable[[], object], wanted: object) -> str:
    """Whether what comes out is what came out before the flip."""
    try:
        return "mended" if use() == wanted else "missed"
    except EdgeGlassError:
        return "refused"


def sites(temp: Path) -> Iterable[Site]:
    for maker in (a_build, work_under_way, unpacked, indexed, profiles, search_index):
        yield from maker(temp)


def main() -> None:
    parser = argparse.ArgumentParser(description="Is a flipped bit noticed, whichever file it is?")
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, counts = random.Random(options.seed), dict[str, Counter[str]]()
    with tempfile.TemporaryDirectory() as temp:
        all_ = list(sites(Path(temp)))
        for site in chance.choices(all_, [site.share for site in all_], k=options.flips):
            where, became = site.tried(chance)
            counts.setdefault(site.name, Counter())[became] += 1
            if became == "missed":
                print(where.replace(temp, ""), flush=True)
    rows = [
        [site.name, *(str(counts.get(site.name, {}).get(o, 0)) for o in OUTCOMES)] for site in all_
    ]
    totals = sum(counts.values(), Counter[str]())
    rows.append(["all", *(str(totals[o]) for o in OUTCOMES)])
    show(f"{options.flips:,} single flips, seed {options.seed}", ["one bit of", *OUTCOMES], rows)
    sys.exit(bool(totals["missed"]))


if __name__ == "__main__":
    main()
