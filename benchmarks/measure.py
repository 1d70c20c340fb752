"""What the benchmarks share: contenders side by side, their CPU seconds and memory, one table.

Every contender runs in a process of its own. The processes take turns of a fraction of a second
(stopped and continued from here) until all are done, so that whatever else the machine does at a
time falls on all of them alike; a contender that was lucky with its minute would decide the
comparison otherwise. Seconds are CPU seconds, user and system, of the process and its children,
without the start of Python and the imports.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

TURN = 0.2  # seconds


@dataclass(frozen=True)
class Taken:
    """What one run took."""

    seconds: float
    peak_mb: float


Runs = dict[str, list[Taken]]


def run_here(job: Callable[[], None]) -> None:
    """In the process of a contender: wait for the others, do the job, print what it took."""
    os.kill(os.getpid(), signal.SIGSTOP)
    before = _cpu_seconds()
    job()
    print(json.dumps([_cpu_seconds() - before, _peak_mb()]))


def arguments(about: str, **defaults: int) -> argparse.Namespace:
    """The command line: the numbers given here, and for contenders who they are."""
    parser = argparse.ArgumentParser(description=about)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    for name in ("--raw", "--out"):
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def side_by_side(contenders: list[list[str]], rounds: int, needed: int) -> Runs:
    """Run this script once more for each contender (name, then arguments), in turns.

    Each gets `--contender NAME --out FOLDER`; `needed` is the bytes that all of them write.
    """
    runs: Runs = {name: [] for name, *_ in contenders}
    for _ in range(rounds):
        with scratch(needed) as folder:
            for name, taken in _round(contenders, folder).items():
                runs[name].append(taken)
    return runs


def _round(contenders: list[list[str]], folder: Path) -> dict[str, Taken]:
    with ExitStack() as stack:
        waiting = {}
        for name, *arguments in contenders:
            out = folder / name
            out.mkdir()
            command = [sys.executable, sys.argv[0], *arguments, "--contender", name, "--out", out]
            child = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(child.kill)
            _, status = os.waitpid(child.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                sys.exit(f"{name} did not start")
            waiting[name] = child
        results = {}
        while waiting:
            for name, child in list(waiting.items()):
                child.send_signal(signal.SIGCONT)
                try:
                    code = child.wait(TURN)
                except subprocess.TimeoutExpired:
                    child.send_signal(signal.SIGSTOP)
                    continue
                if code or child.stdout is None:
                    sys.exit(f"{name} failed")
                results[name] = Taken(*json.loads(child.stdout.read()))
                del waiting[name]
        return results


def _cpu_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_mb() -> float:
    """The most memory that this program held; getrusage counts what its parent held, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) / 1000


@contextmanager
def scratch(needed: int) -> Iterator[Path]:
    """A folder for `needed` bytes, in memory if there is room: a disk's work is not our subject."""
    shm = Path("/dev/shm")
    roomy = shm.is_dir() and shutil.disk_usage(shm).free > 2 * needed
    with tempfile.TemporaryDirectory(dir=shm if roomy else None) as folder:
        yield Path(folder)


def compare(title: str, runs: Runs, bases: list[str]) -> None:
    """Print the medians over the rounds: seconds, times the seconds of each base, memory."""
    columns = ["contender", "CPU s", *(f"x {base}" for base in bases), "peak MB"]
    rows = []
    for name, taken in runs.items():
        cells = [name, f"{statistics.median(run.seconds for run in taken):.2f}"]
        for base in bases:
            pairs = zip(taken, runs[base], strict=True)
            cells.append(f"{statistics.median(a.seconds / b.seconds for a, b in pairs):.2f}")
        rows.append([*cells, f"{max(run.peak_mb for run in taken):.0f}"])
    show(title, columns, rows)


def show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table that a Markdown file can take as it is."""
    out = Table(*columns, box=MARKDOWN)
    for column in out.columns[1:]:
        column.justify = "right"
    for row in rows:
        out.add_row(*row)
    console = Console(width=120)
    console.print(f"\n{title}\n")
    console.print(out)
