"""Where tasks are done: what an executor is, and which one it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from edge_glass.core.errors import ConfigError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Pool(Protocol):
    """Does tasks somewhere, and counts the rows that are worked on there."""

    def rows_done(self) -> tuple[int, int]:
        """Rows done, and dropped among them."""

    def workers(self, jobs: int) -> int:
        """How many tasks are done at once."""

    def run(
        self, work: Callable[[Task], Result], tasks: list[Task], jobs: int
    ) -> Iterator[tuple[Task, Result]]:
        """Do all tasks and give each back with its result as it ends."""


def elsewhere(task: object, folder: Path) -> ConfigError:
    """What is said where a node of a cluster made something in a folder of its own."""
    return ConfigError(
        f"{task}: a node of the cluster made it, and it is not in {folder}: give --out a folder "
        "that all nodes share"
    )


@contextmanager
def started(ray: str | None) -> Iterator[Pool]:
    """Processes here, or the Ray cluster at an address."""
    if ray is None:
        from edge_glass.pipeline.executor_local import Counters

        yield Counters()
        return
    from edge_glass.pipeline.executor_ray import connected

    with connected(ray) as cluster:
        yield cluster
