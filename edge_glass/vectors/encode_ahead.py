"""Work that is done ahead in other processes, its results in order, so that a GPU never waits."""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

from edge_glass.core.errors import SpaceError
from edge_glass.pipeline.executor_local import die_with_parent, without_script

A = TypeVar("A")
B = TypeVar("B")


class Workers:
    """`jobs` processes; with one, this process does the work itself."""

    def __init__(self, jobs: int = 1) -> None:
        self._jobs = jobs
        # not forked: a fork of a process that has computed on threads can hang
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(jobs, context, _worker) if jobs > 1 else None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[A], B], items: Iterable[A], piece: int = 8) -> Iterator[B]:
        """`work` of every item, in order; at most three pieces a process are on the way.

        Raises SpaceError if a process is killed.
        """
        if self._pool is None:
            yield from map(work, items)
            return
        left, waiting = iter(items), deque[Future[list[B]]]()
        while True:
            while len(waiting) < 3 * self._jobs and (taken := list(islice(left, piece))):
                with without_script():
                    waiting.append(self._pool.submit(_each, work, taken))
            if not waiting:
                return
            try:
                yield from waiting.popleft().result()
            except BrokenProcessPool:
                raise SpaceError(
                    "a worker was killed. Short of memory? Try fewer --jobs, and run the same "
                    "command again to continue."
                ) from None


def _worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent says what is to be said
    die_with_parent()


def _each(work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    return [work(item) for item in items]
