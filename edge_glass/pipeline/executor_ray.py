"""Tasks on a Ray cluster, whose nodes share the storage of the output and of the raw files."""

import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, TypeVar

from edge_glass.core import row_counts
from edge_glass.core.errors import ConfigError, NetworkError, SpaceError
from edge_glass.core.extras import needs
from edge_glass.core.libraries import ray

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2  # tasks waiting for each processor, so that none is idle
SECONDS = 10  # for a cluster to answer
TRIES = 10  # of a task whose node or process is lost
SAME = ("edge-glass", "ahocorasick_rs", "duckdb", "numpy", "pillow", "pyarrow", "soundfile", "soxr")


@contextmanager
def connected(address: str) -> Iterator["Cluster"]:
    """The cluster at an address. Raises EdgeGlassError if none answers."""
    needs("--ray", "ray", "ray")
    if ray.is_initialized():  # by the program that calls us, which goes on with it
        yield Cluster()
        return
    try:
        _reach(address)
        ray.init(address, log_to_driver=False, logging_level="error")
    except (OSError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise NetworkError(
            f"--ray {address}: no cluster answers ({said}). Start one with `ray start --head`, or "
            "leave --ray out to work here."
        ) from None
    try:
        yield Cluster()
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise OSError at once where nobody listens: Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), SECONDS).close()


class Cluster:
    """The cluster that this process is connected to. Each task takes one processor."""

    def __init__(self) -> None:
        self._done = self._dropped = 0

    def rows_done(self) -> tuple[int, int]:
        """Rows done, and dropped among them, of the tasks that have ended."""
        return self._done, self._dropped

    def workers(self, jobs: int) -> int:
        """The processors of all nodes; `jobs` is for one machine."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def run(
        self, work: Callable[[Task], Result], tasks: list[Task], jobs: int
    ) -> Iterator[tuple[Task, Result]]:
        """Do all tasks, as many at once as there are processors, and give each back as it ends.

        What a lost node was at is done again by another. Raises what a task raises, and
        EdgeGlassError if it cannot be done anywhere.
        """
        remote = ray.remote(num_cpus=1, max_retries=TRIES)(_do)
        rest, waiting = deque(tasks), dict[Any, Task]()
        try:
            while rest or waiting:
                most = AHEAD * self.workers(jobs)
                while rest and len(waiting) < most:
                    task = rest.popleft()
                    waiting[remote.remote(work, task, _versions())] = task
                [ended], _ = ray.wait(list(waiting), num_returns=1)
                yield waiting.pop(ended), self._result(ended)
        finally:
            for left in waiting:
                ray.cancel(left, force=True)

    def _result(self, ended: Any) -> Any:
        try:
            result, (done, dropped) = ray.get(ended)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise SpaceError(
                f"Ray lost a task {TRIES} times: {' '.join(str(error).split())[:300]}. Short of "
                "memory? Run the same command again to continue."
            ) from None
        self._done, self._dropped = self._done + done, self._dropped + dropped
        return result


def _do(
    work: Callable[[Task], Result], task: Task, versions: dict[str, str]
) -> tuple[Result, tuple[int, int]]:
    """What a node does: a task, if it has the same libraries as the one that asked."""
    here = _versions()
    different = [
        f"{name} {here.get(name)} (here {wanted})"
        for name, wanted in versions.items()
        if here.get(name) != wanted
    ]
    if different:
        raise ConfigError(
            f"a node of the cluster has {', '.join(different)}: the bytes would differ. Install "
            "the same versions on all nodes."
        )
    with row_counts.tally() as rows:
        result = work(task)
    return result, (rows[0], rows[1])


def _versions() -> dict[str, str]:
    return {name: version(name) for name in SAME}
