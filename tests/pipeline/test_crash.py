"""Builds that are killed: what comes out in the end is what an undisturbed build makes."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import psutil
import pytest
from filelock import FileLock
from rawclotho import command, contents, write_raw

from edge_glass.core.errors import EdgeGlassError
from edge_glass.corpora.catalog import variant
from edge_glass.pipeline import shard_plan
from edge_glass.pipeline.build import Options
from edge_glass.release import write_card
from edge_glass.release.write_card import build

SHARD_BYTES = 250_000
CONFIG = "clotho_16k"
MARK = "EDGE_GLASS_TEST_RUN"
READY = "import edge_glass.pipeline.build; print('ready', flush=True)\n"


@dataclass
class Site:
    """A raw folder, and what an undisturbed build with one job makes of it."""

    raw: Path
    whole: dict[str, str]
    seconds: float  # that a build of two jobs takes once it is loaded


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    base = tmp_path_factory.mktemp("site")
    site = Site(write_raw(base / "raw", clips=36, seconds=4.0), {}, 0)
    Run(site, base / "undisturbed" / "out").finish()
    site.whole = contents(base / "undisturbed" / "out")
    assert sum("-of-" in name for name in site.whole) > 9
    run = Run(site, base / "timed" / "out")
    with run.start() as process:
        start = time.monotonic()
        assert process.wait(600) == 0, run.log()
        site.seconds = time.monotonic() - start
    run.check()
    return site


@dataclass
class Run:
    """One output folder, and the processes that were started to fill it."""

    site: Site
    out: Path
    shards: dict[str, tuple[int, int]] = field(default_factory=dict)  # whole ones: inode and time
    marks: list[str] = field(default_factory=list)
    # not below pytest's folders: the name of a socket in it may have 100 characters and no more
    temp: TemporaryDirectory[str] = field(default_factory=lambda: TemporaryDirectory(prefix="eg"))

    def finish(self) -> None:
        """Build in this process with one job, undisturbed."""
        with mock.patch.object(shard_plan, "SHARD_BYTES", SHARD_BYTES):
            build(variant(CONFIG), self.out, Options(self.site.raw, unverified=True))
        write_card.write_report(self.out)

    def start(self) -> subprocess.Popen[str]:
        """A build that has loaded its code and is about to do something."""
        flags = ("--unverified", "--jobs", "2", "--json")
        arguments = ("build", CONFIG, "--raw", self.site.raw, "--out", self.out, *flags)
        code = command(*arguments, shard_bytes=SHARD_BYTES)
        code[2] = READY + code[2]
        self.marks.append(uuid.uuid4().hex)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, MARK: self.marks[-1], "TMPDIR": self.temp.name}
        log = (self.out.parent / "log").open("a+")
        process = subprocess.Popen(
            code,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        assert process.stdout and process.stdout.readline() == "ready\n"
        return process

    def log(self) -> str:
        return (self.out.parent / "log").read_text()

    def look(self) -> None:
        """Shards that were whole before are the same files still."""
        work = self.out / ".edge_glass" / "work" / CONFIG
        files = {
            p.name: p for folder in (work, self.out / CONFIG) for p in folder.glob("*.parquet")
        }
        for name, identity in self.shards.items():
            assert _identity(files[name]) == identity, f"{name} was built again"
        for record in work.glob("*.done.json"):
            name = json.loads(record.read_text())["shard"]["file"]
            self.shards[name] = _identity(work / name)

    def check(self) -> None:
        """It ended well: the bytes are right, nothing is left over, nobody lives on."""
        self.look()
        assert contents(self.out) == self.site.whole, self.log()
        assert not list(self.out.rglob("*.tmp"))
        assert not list((self.out / ".edge_glass" / "work").iterdir())
        assert not [path for path in Path(self.temp.name).rglob("*") if path.is_file()]
        for mark in self.marks:
            assert_gone(mark)


def _identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                yield process


def assert_gone(mark: str) -> None:
    left = list(marked(mark))
    _, alive = psutil.wait_procs(left, timeout=60)
    assert not alive, [process.cmdline() for process in alive]


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that make shards: children of the one that multiprocessing forks from."""
    try:
        everyone = psutil.Process(process.pid).children(recursive=True)
        return [one for one in everyone if one.ppid() != process.pid]
    except psutil.Error:
        return []


def helpers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The workers, and the process that they are forked from."""
    found = workers(process)
    with suppress(psutil.Error):
        found += {one.parent() for one in found} - {None}
    return found


def wait(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether the process ended before that time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def disturb(run: Run, chance: random.Random) -> tuple[int, bool]:
    """Start a build, kill a helper of it or not, then itself; how many died, whether it ended."""
    kills = 0
    with run.start() as process:
        if chance.random() < 0.5 and not wait(process, chance.uniform(0, 0.7 * run.site.seconds)):
            for helper in chance.sample(found := helpers(process), min(1, len(found))):
                with suppress(psutil.NoSuchProcess):
                    alive = helper.status() != psutil.STATUS_ZOMBIE
                    helper.kill()
                    kills += alive
        if not wait(process, chance.uniform(0, 0.7 * run.site.seconds)):
            process.kill()
            if process.wait() == -signal.SIGKILL:  # it may have ended in between
                return kills + 1, False
        assert process.returncode == 0, run.log()
    return kills, True


def kill_again_and_again(site: Site, folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    done, number, ended = 0, 0, True
    while done < kills or not ended:
        if ended:
            number += 1
            run = Run(site, folder / str(number) / "out")
        if done < kills:
            died, ended = disturb(run, chance)
            done += died
        else:
            run.finish()
            ended = True
        run.check() if ended else run.look()


def test_killed_at_six_moments(site: Site, tmp_path: Path) -> None:
    kill_again_and_again(site, tmp_path, kills=6, seed=20240607)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_fifty_moments(site: Site, tmp_path: Path, seed: int) -> None:
    kill_again_and_again(site, tmp_path, kills=50, seed=seed)


def test_a_worker_killed_over_a_shard(site: Site, tmp_path: Path) -> None:
    """The build itself goes on, and the half shard does not get among the whole ones."""
    run = Run(site, tmp_path / "out")
    work = run.out / ".edge_glass" / "work" / CONFIG
    with run.start() as process:
        while not (half := list(work.glob("*-of-*.parquet.*.tmp"))):
            assert not wait(process, 0.005)
        worker = int(half[0].suffixes[-2].removeprefix("."))
        assert worker in [one.pid for one in workers(process)]
        os.kill(worker, signal.SIGKILL)
        assert process.wait(600) == 0, run.log()
    run.check()


def test_workers_that_are_killed_again_and_again(site: Site, tmp_path: Path) -> None:
    run = Run(site, tmp_path / "out")
    with run.start() as process:
        while not wait(process, 0.005):
            for worker in workers(process):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
    assert process.returncode == 1
    assert "workers were killed 3 times" in run.log() and "--jobs" in run.log()
    # multiprocessing's own server may moan of a start that was broken off; we do not
    assert not re.search(r'File ".*edge_glass', run.log())
    run.look()
    run.finish()
    run.check()


@pytest.mark.parametrize(
    "sign", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_stopped_by_a_signal(site: Site, tmp_path: Path, sign: signal.Signals) -> None:
    """Ctrl-C reaches every process of a terminal."""
    for attempt in range(10):  # on a busy machine a build may end before the signal comes
        run = Run(site, tmp_path / str(attempt) / "out")
        with run.start() as process:
            while not list(run.out.rglob("*.done.json")):
                assert not wait(process, 0.005)
            os.killpg(process.pid, sign)
            if process.wait(600) != 0:
                break
    assert process.returncode != 0
    assert "Traceback" not in run.log()
    assert ("run the same command again" in run.log()) == (sign == signal.SIGINT)
    assert_gone(run.marks[0])
    run.look()
    run.finish()
    run.check()


STEPS = """
import os, shutil, sys
from pathlib import Path
from edge_glass.corpora import catalog
from edge_glass.pipeline.build import Options
from edge_glass.release.write_card import build

base, stride = Path(sys.argv[1]), int(sys.argv[2])
sys.path.insert(0, sys.argv[3])
from rawclotho import contents

WRITES = os.O_WRONLY | os.O_RDWR
variant = catalog.variant("clotho_sample", {"splits": ["test"]}, "sample")


def make(out, dies_at, **options):
    '''Build in a process of its own, which dies before it changes the disk once more.'''
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = dies_at

    def hook(event, args):
        nonlocal left
        change = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
        change |= event == "open" and isinstance(args[2], int) and bool(args[2] & WRITES)
        if left is not None and change and str(out) in str(args[0]):
            left -= 1
            if left < 0:
                os._exit(9)

    sys.addaudithook(hook)
    try:
        build(variant, out, Options(**options))
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


assert make(base / "whole" / "out", None) == 0
assert make(base / "old" / "out", None, limit=1) == 0
step = int(sys.argv[4])
while True:
    out = base / f"at{step}" / "out"
    shutil.copytree(base / "old", out.parent)
    code = make(out, step)
    assert code in (0, 9), f"step {step}: {code}"
    assert make(out, None) == 0, f"after step {step}"
    assert contents(out) == contents(base / "whole" / "out"), f"after step {step}"
    assert not list(out.rglob("*.tmp")), f"after step {step}"
    assert not list((out / ".edge_glass" / "work").iterdir()), f"after step {step}"
    shutil.rmtree(out.parent)
    if code == 0:
        break
    step += stride
print(step)
"""


def every_step(folder: Path, stride: int) -> int:
    """Die before every `stride`th change of the disk while a build replaces an older one."""
    here = str(Path(__file__).parents[1] / "support")
    start = random.Random(0).randrange(stride)
    script = [sys.executable, "-c", STEPS, folder, str(stride), here, str(start)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_killed_before_some_steps(tmp_path: Path) -> None:
    assert every_step(tmp_path, stride=5) > 30


@pytest.mark.slow
def test_killed_before_every_step(tmp_path: Path) -> None:
    assert every_step(tmp_path, stride=1) > 30


def test_a_second_build_into_the_same_folder_is_refused(site: Site, tmp_path: Path) -> None:
    run = Run(site, tmp_path / "out")
    (run.out / ".edge_glass").mkdir(parents=True)
    with (
        FileLock(run.out / ".edge_glass" / f"{CONFIG}.lock"),
        pytest.raises(EdgeGlassError, match=f"{CONFIG}: another build of it is running"),
    ):
        run.finish()
    run.finish()
    assert contents(run.out) == site.whole
