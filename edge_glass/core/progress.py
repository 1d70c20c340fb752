"""What is going on, for someone who waits: rate, drops and time left."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text
from typing_extensions import override

from edge_glass.core import units
from edge_glass.core.visible import visible

LOG_EVERY = 10.0  # seconds, where there is no terminal to draw on
POLL_EVERY = 0.2
LOG = logging.getLogger("edge_glass")

S = TypeVar("S", bound=Sized)
T = TypeVar("T")
ByteTick = Callable[[str, int, int | None], None]  # file, bytes done, bytes in all if known
RowCount = Callable[[], tuple[int, int]]  # rows done, rows dropped


class Progress:
    """Where a long job says how far it is; here nobody is told."""

    @contextmanager
    def bytes(self, what: str) -> Iterator[ByteTick]:
        """For bytes that are fetched or unpacked; the tick may come from any thread."""
        yield lambda file, done, total: None

    @contextmanager
    def rows(self, what: str, total: int, count: RowCount) -> Iterator[None]:
        """For rows; `count` is asked now and then. A `total` of 0: nobody knows it yet."""
        yield

    def say(self, text: str) -> None:
        """Something that is no error, and that whoever waits should know."""


class Tally:
    """How many are done, for `Progress.rows` to ask."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> tuple[int, int]:
        """Rows done, none of them dropped."""
        return self.done, 0

    def add(self, count: int = 1) -> None:
        """Count rows that are done."""
        self.done += count

    def over(self, blocks: Iterable[tuple[S, T]]) -> Iterator[tuple[S, T]]:
        """The blocks, of which the rows are counted as they pass."""
        for rows, more in blocks:
            yield rows, more
            self.add(len(rows))


class Shown(Progress):
    """Bars on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @override
    def say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)
        LOG.info(visible(text))

    @override
    @contextmanager
    def bytes(self, what: str) -> Iterator[ByteTick]:
        columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with self._bars(*columns) as bars:
            tasks: dict[str, int] = {}
            said = time.monotonic()

            def tick(file: str, done: int, total: int | None) -> None:
                nonlocal said
                if file not in tasks:
                    tasks[file] = int(bars.add_task(file, total=total))
                bars.update(tasks[file], completed=done, total=total)  # type: ignore[arg-type]
                if done == total:
                    LOG.info(visible(f"{what}: {file}, {units.size(done)}"))
                if not self._console.is_terminal and time.monotonic() - said > LOG_EVERY:
                    said = time.monotonic()
                    self._console.print(Text(visible(f"{what}: {file} {_of(done, total)}")))

            yield tick

    @override
    @contextmanager
    def rows(self, what: str, total: int, count: RowCount) -> Iterator[None]:
        of = "/{task.total}" if total else ""
        numbers = TextColumn(f"{{task.completed}}{of} rows, {{task.fields[dropped]}} dropped")
        with self._bars(numbers, _Rate(), TimeRemainingColumn()) as bars:
            task = bars.add_task(what, total=total or None, dropped=0)
            stop, start = threading.Event(), time.monotonic()

            def poll() -> None:
                said = start
                while not stop.wait(POLL_EVERY):
                    done, dropped = count()
                    bars.update(task, completed=done, dropped=dropped)
                    now = time.monotonic()
                    if not self._console.is_terminal and now - said > LOG_EVERY:
                        said = now
                        self._console.print(_line(what, total, done, dropped, now - start))

            thread = threading.Thread(target=poll, daemon=True)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()
                done, dropped = count()
                took = time.monotonic() - start
                LOG.info(visible(f"{what}: {done} rows, {dropped} dropped, in {took:.1f} s"))

    def _bars(self, *columns: ProgressColumn) -> Bars:
        name = TextColumn("{task.description}")
        disable = not self._console.is_terminal
        return Bars(
            name, BarColumn(), *columns, console=self._console, transient=True, disable=disable
        )


class _Rate(ProgressColumn):
    """Rows a second; nobody knows of them at first."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.0f}/s")


def _line(what: str, total: int, done: int, dropped: int, seconds: float) -> str:
    left = f", about {(total - done) * seconds / done:.0f} s left" if done and total else ""
    rate, of = f"{done / seconds:.1f}/s", f" of {total}" if total else ""
    return f"{what}: {done}{of} rows, {dropped} dropped, {rate}{left}"


def _of(done: int, total: int | None) -> str:
    return units.size(done) + ("" if total is None else f" of {units.size(total)}")
