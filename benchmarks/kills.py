"""Killed again and again, at random moments: is anything lost, there twice, or half?

    python benchmarks/kills.py [--kills 1000] [--seed 0]

Each job is done in a process of its own, forked from this one (which has loaded the code), that is
killed with SIGKILL up to four times in a row, at moments drawn over the time that the job takes;
then it goes on undisturbed. After each kill all builds that have a manifest must be whole, and a
version that has a tag must be all there; in the end every file is what an undisturbed run makes, to
the byte, the user's own file beside is there, no leftover, and nothing was uploaded twice.
Exits 1 if anything is otherwise.
"""

import argparse
import io
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from unittest import mock

SHM = Path("/dev/shm")  # a disk's work is not our subject
TEMP = tempfile.TemporaryDirectory(prefix="kills-", dir=SHM if SHM.is_dir() else None)
BASE = Path(TEMP.name)
os.environ |= {"HF_HOME": str(BASE / "hf"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # before imports
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import searchkit  # noqa: E402
from hub import Hub  # noqa: E402
from hub_store import Store  # noqa: E402
from measure import show  # noqa: E402
from PIL import Image  # noqa: E402
from rawclotho import contents  # noqa: E402
from wildsite import Site, page  # noqa: E402

from edge_glass.audit import audits, drop  # noqa: E402
from edge_glass.core import manifest, records  # noqa: E402
from edge_glass.core.errors import EdgeGlassError  # noqa: E402
from edge_glass.core.names import HIDDEN  # noqa: E402
from edge_glass.core.progress import Progress  # noqa: E402
from edge_glass.corpora import catalog  # noqa: E402
from edge_glass.pipeline import shard_plan  # noqa: E402
from edge_glass.pipeline.build import Options  # noqa: E402
from edge_glass.release import amend, append, publish, withdraw, write_card  # noqa: E402
from edge_glass.sources.row_fetch import Limits, Network  # noqa: E402
from edge_glass.vectors import index_build, vector_index  # noqa: E402

MOST = 4  # kills in a row
REPO, VERSION = "org/kills", "1.0.0"
NOTES = "notes.txt"  # a file of the user's, where results go
State = dict[str, str]


@dataclass(frozen=True)
class Job:
    """What is killed: it works in a folder, which is a copy of `start` at first."""

    name: str
    start: Path
    work: Callable[[Path], object]
    state: Callable[[Path], State] = contents
    look: Callable[[Path], list[str]] = lambda _: []  # what is wrong after a kill


def forked(work: Callable[[Path], object], place: Path) -> int:
    """Do it in a process of its own; its id."""
    if child := os.fork():
        return child
    code = 1
    try:
        with (BASE / "log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        work(place)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """How a process ended: its code, or minus the signal."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        print((BASE / "log").read_text(), flush=True)
    return code


def whole(out: Path) -> list[str]:
    """What is wrong with builds under `out` that have a manifest."""
    made = [(path.parent, manifest.read(path.parent)) for path in out.glob(f"*/{manifest.FILE}")]
    files = [(folder / each.file, each) for folder, build in made for each in build.files()]
    found = [(path, records.fault(path, each.bytes, each.sha256)) for path, each in files]
    return [f"{path.name} {fault}" for path, fault in found if fault]


@dataclass
class Count:
    """What was seen of a job."""

    kills: int = 0
    folders: int = 0
    wrong: int = 0
    seconds: float = 0  # that it takes undisturbed, as of late: other work comes and goes


def trial(job: Job, wanted: State, count: Count, chance: random.Random) -> list[str]:
    """One folder, some kills and an end; what is wrong."""
    place = BASE / "place" / "out"
    shutil.rmtree(place.parent, ignore_errors=True)
    shutil.copytree(job.start, place)
    wrong: list[str] = []
    for _ in range(chance.randint(1, MOST)):
        code = killed(forked(job.work, place), chance.uniform(0, count.seconds))
        count.kills += code == -signal.SIGKILL
        wrong += [f"exit code {code}"] if code not in (0, -signal.SIGKILL) else []
        wrong += job.look(place)
        if code != -signal.SIGKILL:
            break
    began = time.monotonic()
    if code := ended(forked(job.work, place)):
        wrong.append(f"the last run ended with {code}")
    count.seconds = (2 * count.seconds + time.monotonic() - began) / 3
    found = job.state(place)
    wrong += [f"{n} is not as it should be" for n in {k for k, _ in found.items() ^ wanted.items()}]
    wrong += [f"{path.name} is left over" for path in place.rglob("*.tmp")]
    wrong += [f"{p.name} is left over" for p in (place / HIDDEN / "work").glob("*")]
    count.folders, count.wrong = count.folders + 1, count.wrong + bool(wrong)
    return wrong


def killed(child: int, after: float) -> int:
    """Kill a process after some seconds, if it is at work then; how it ended."""
    watch = os.pidfd_open(child)
    try:
        if not select.select([watch], [], [], after)[0]:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(watch)
    return ended(child)


# The jobs


def builds(site: Site) -> Iterator[Job]:
    sounds = catalog.variant("clotho_sample")
    empty, old = BASE / "empty", BASE / "old"
    for folder in (empty, old):
        folder.mkdir()
        (folder / NOTES).write_text("mine")
    yield Job("build", empty, lambda out: write_card.build(sounds, out), look=whole)
    ended(forked(lambda out: write_card.build(sounds, out, Options(limit=2)), old))
    yield Job("build over another", old, lambda out: write_card.build(sounds, out), look=whole)
    begun = BASE / "begun"

    def begin(out: Path) -> None:
        stop = mock.patch.object(manifest.Manifest, "check_balance", side_effect=EdgeGlassError(""))
        with stop, suppress(EdgeGlassError):
            write_card.build(sounds, out)

    ended(forked(begin, begun))
    yield Job("resume", begun, lambda out: write_card.build(sounds, out), look=whole)

    raw, images = listed(site), catalog.variant("pixmo_cap")
    options = Options(raw, unverified=True, network=Network(web=Limits(intranet=True)))
    before = BASE / "before"
    ended(forked(lambda out: write_card.build(images, out, options), before))
    site.pages |= {"/1.jpg": page(jpeg(101)), "/2.jpg": page(b"", 410)}
    yield Job("build from URLs", empty, lambda out: write_card.build(images, out, options))
    refresh = Options(**{**vars(options), "refresh": before})
    yield Job("--refresh", empty, lambda out: write_card.build(images, out, refresh), look=whole)

    def place(out: Path) -> None:
        again = Options(**{**vars(options), "refresh": out})
        write_card.build(images, out, again)

    yield Job("--refresh in its place", before, place, look=whole)


def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40 + number % 7), (number, 90, 200)).save(out, "JPEG")
    return out.getvalue()


def listed(site: Site) -> Path:
    """A raw folder with a list of the site's URLs."""
    path = BASE / "raw" / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    urls = [f"{site.url}{name}" for name in site.pages]
    table = {"image_url": urls, "caption": [f"Picture {n}." for n in range(len(urls))]}
    pq.write_table(pa.table(table | {"transcripts": [["so"]] * len(urls)}), path)
    return BASE / "raw"


def audited() -> Iterator[Job]:
    data = BASE / "audited"
    ended(forked(lambda out: write_card.build(catalog.variant("clotho_sample"), out), data))
    folder = data / "clotho_sample"

    def work(out: Path) -> None:
        audits.audit(folder, out, audits.Options(("signals", "captions")))
        drop.drop(folder, out, "clean", ["signals", "captions"])

    yield Job("audit --drop-flagged", BASE / "empty", work, look=whole)


def changed() -> Iterator[Job]:
    """A build of two splits, of which rows go, get other texts, or are joined by a third split."""
    data, more, edits = BASE / "changed", BASE / "more", BASE / "edits.parquet"
    for folder, splits in ((data, ["train", "test"]), (more, ["validation"])):
        variant = catalog.variant("clotho_sample", {"splits": splits}, "sample")
        ended(forked(lambda out, v=variant: write_card.build(v, out), folder))
    (id,) = pq.read_table(next(data.rglob("train-*")), columns=["id"])["id"][:1].to_pylist()
    edit = {"id": id, "column": "manufacturer", "value": "Another", "who": "w", "why": "y"}
    pq.write_table(pa.Table.from_pylist([edit]), edits)
    works: dict[str, Callable[[Path], object]] = {
        "append": lambda out: append.append(str(out), str(more)),
        "withdraw": lambda out: withdraw.withdraw(str(out), withdraw.Request(frozenset([id]))),
        "amend": lambda out: amend.amend(str(out), edits),
    }
    for name, work in works.items():
        yield Job(name, data, work, look=whole)


def indexed() -> Iterator[Job]:
    vectors, folder = searchkit.clustered(3000, dim=8), BASE / "vectors"
    searchkit.write(folder, {"caption": vectors})

    def work(out: Path) -> None:
        index_build.build(searchkit.only(out / "data"), [], 10**9, Progress())

    def state(out: Path) -> State:
        place = vector_index.place(searchkit.only(out / "data"))
        vector_index.read(place)  # a fault if a file is not what its description says
        files = contents(place)
        files.pop(index_build.MEASURED)  # seconds
        return files

    yield Job("index", folder, work, state)


def pushed(hub: Hub) -> Iterator[Job]:
    start = BASE / "release"
    ended(forked(lambda out: write_card.build(catalog.variant("clotho_sample"), out), start))
    ended(forked(write_card.write_report, start))

    def work(out: Path) -> None:
        try:
            publish.push(out, ["clotho_sample"], REPO, VERSION, endpoint=hub.url, token=hub.token)
        except EdgeGlassError as error:  # it was killed after its end
            if "exists and is never overwritten" not in str(error):
                raise

    def tagged() -> State:
        repo = hub.store.repos.get(REPO)
        if repo is None or f"refs/tags/v{VERSION}" not in repo.refs:
            return {}
        files = {path: blob.sha256 for path, blob in hub.files(REPO, f"v{VERSION}").items()}
        return files | {"the tag": repo.tag_messages[f"v{VERSION}"]}

    def state(_: Path) -> State:
        twice = Counter(r.path for r in hub.seen("PUT", "/lfs/") if r.status == 200)
        found = tagged() | {path: "sent twice" for path, count in twice.items() if count > 1}
        (store := hub.fresh("store")).mkdir()
        hub.store = Store(store)
        hub.reset_log()
        return found

    def look(out: Path) -> list[str]:
        there = tagged()
        files = [path for path in contents(out) if path.startswith("clotho_sample/")]
        return [f"{path} is not in the version" for path in files if there and path not in there]

    yield Job("push", start, work, state, look)


@contextmanager
def jobs() -> Iterator[list[Job]]:
    pages = {f"/{n}.jpg": page(jpeg(n)) for n in range(12)}
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(shard_plan, "SHARD_BYTES", 250_000))
        stack.enter_context(mock.patch.object(publish, "COMMIT_FILES", 2))
        stack.enter_context(mock.patch.object(index_build, "EXACT", 0))
        for corpus in ("clotho", "pixmo_cap"):
            catalog.corpus(corpus).code()  # cached from now on
        site, hub = stack.enter_context(Site(pages)), stack.enter_context(Hub())
        yield [*builds(site), *audited(), *changed(), *indexed(), *pushed(hub)]


def undisturbed(job: Job) -> tuple[State, Count]:
    """What a job makes, and the seconds that it takes."""
    place = BASE / "whole" / "out"
    for _ in range(2):  # before the second this process has what the first had to import
        shutil.rmtree(place.parent, ignore_errors=True)
        shutil.copytree(job.start, place)
        began = time.monotonic()
        assert ended(forked(loaded(job.work), place)) == 0, job.name
        seconds = time.monotonic() - began
        found = job.state(place)
        for name in (BASE / "modules").read_text().split():
            with suppress(ImportError):
                import_module(name)
    return found, Count(seconds=seconds)


def loaded(work: Callable[[Path], object]) -> Callable[[Path], object]:
    """That, and which modules were imported meanwhile."""

    def noting(place: Path) -> None:
        before = set(sys.modules)
        work(place)
        (BASE / "modules").write_text(" ".join(sorted(sys.modules.keys() - before)))

    return noting


def main() -> None:
    parser = argparse.ArgumentParser(description="Is anything lost, there twice, or half?")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, rows, faults = random.Random(options.seed), [], 0
    with jobs() as all_:
        for number, job in enumerate(all_, 1):
            wanted, count = undisturbed(job)
            goal = options.kills * number // len(all_) - sum(int(row[1]) for row in rows)
            while count.kills < goal:
                if wrong := trial(job, wanted, count, chance):
                    print(f"{job.name}: {'; '.join(wrong)}", flush=True)
            rows.append([job.name, str(count.kills), str(count.folders), str(count.wrong)])
            print(*rows[-1], sep="\t", flush=True)
            faults += count.wrong
    head = ["job", "kills", "folders", "wrong"]
    show(f"{sum(int(row[1]) for row in rows):,} kills, seed {options.seed}", head, rows)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
