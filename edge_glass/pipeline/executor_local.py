"""Tasks in this process, or in processes beside it."""

import errno
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeVar

from edge_glass.core import row_counts
from edge_glass.core.errors import ConfigError, SpaceError

Task = TypeVar("Task")
Result = TypeVar("Result")

DEATHS = 3  # of workers in a row without a finished task between them
# None: multiprocessing's own "handle is closed"
CLOSED = (errno.EBADF, errno.EPIPE, errno.ECONNREFUSED, errno.ECONNRESET, None)
SETTLED = 0.2  # seconds in which a killed process is gone
_script = threading.Lock()
FORKS = "forkserver" in multiprocessing.get_all_start_methods()  # not on Windows


class Counters:
    """Rows done and dropped, added up over processes.

    Each process counts in a slot of its own: a worker that is killed cannot leave a lock behind.
    """

    def __init__(self) -> None:
        self._values = _context().RawArray("q", 2 * row_counts.SLOTS)
        row_counts.start(self._values)

    def rows_done(self) -> tuple[int, int]:
        """Rows done, and dropped among them, in all processes."""
        return sum(self._values[0::2]), sum(self._values[1::2])

    def workers(self, jobs: int) -> int:
        """As many processes as are wanted."""
        return jobs

    def run(
        self, work: Callable[[Task], Result], tasks: list[Task], jobs: int
    ) -> Iterator[tuple[Task, Result]]:
        """Do all tasks, at most `jobs` at once, and give each back with its result as it ends.

        Raises what a task raises, and EdgeGlassError if workers are killed again and again.
        """
        if jobs < 1:
            raise ConfigError(f"jobs: expected 1 or more, found {jobs}")
        if jobs == 1 or len(tasks) <= 1:
            yield from ((task, work(task)) for task in tasks)
            return
        left, deaths = list(tasks), 0
        while left:
            try:
                for task, result in self._once(work, left, jobs):
                    left.remove(task)
                    deaths = 0
                    yield task, result
            except BrokenProcessPool:
                deaths += 1
                if deaths == DEATHS:
                    raise SpaceError(
                        f"workers were killed {DEATHS} times, the last one over one of "
                        f"{', '.join(map(str, left[:jobs]))}. Short of memory? Try fewer --jobs, "
                        "and run the same command again to continue from the last whole shard."
                    ) from None

    def _once(
        self, work: Callable[[Task], Result], tasks: list[Task], jobs: int
    ) -> Iterator[tuple[Task, Result]]:
        _start_server()
        with ProcessPoolExecutor(
            min(jobs, len(tasks)), _context(), initializer=_worker, initargs=(self._values,)
        ) as pool:
            waiting: dict[Future[Result], Task] = {}
            rest = iter(tasks)
            try:
                while True:
                    # a few ahead of the workers, not all: the queue of a large build stays small
                    while len(waiting) < 2 * jobs and (task := next(rest, None)) is not None:
                        waiting[_submit(pool, work, task)] = task
                    if not waiting:
                        return
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        yield waiting.pop(future), future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _submit(
    pool: ProcessPoolExecutor, work: Callable[[Task], Result], task: Task
) -> Future[Result]:
    try:
        with without_script():
            return pool.submit(work, task)
    except (OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno not in CLOSED:
            raise
        time.sleep(SETTLED)  # else the next start finds the dying process that workers come from
        raise BrokenProcessPool("a worker died while another was started") from error


@contextmanager
def without_script() -> Iterator[None]:
    """Processes that start meanwhile do not run the script that called us once more.

    None of our tasks needs it, and it may call us outside of `if __name__ == "__main__"`.
    """
    with _script:
        script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = script


def _context() -> Any:
    if not FORKS:  # Windows
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["edge_glass.pipeline.build"])
    return context


def _start_server() -> None:
    """Start the process that workers are forked from, deaf to Ctrl-C: it would moan of it."""
    if not FORKS or threading.current_thread() is not threading.main_thread():
        return  # the first worker starts it
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    unsafe = "PYTHONSAFEPATH" not in os.environ
    os.environ.setdefault("PYTHONSAFEPATH", "1")  # or sources in this folder come first
    try:
        _context()
        from multiprocessing.forkserver import ensure_running

        ensure_running()
    finally:
        if unsafe:
            del os.environ["PYTHONSAFEPATH"]
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _worker(values: Any) -> None:
    row_counts.start(values)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C: the parent says what is to be said
    die_with_parent()


def die_with_parent() -> None:
    """Called in a worker, which else would outlive a killed build and write beside its heir."""
    threading.Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
