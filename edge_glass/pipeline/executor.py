"""Where tasks are done: what an executor is, and which one it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Pool(Protocol):
    """Does tasks somewhere, and counts the rows that are worked on there."""

    def read(self) -> tuple[int, int]:
        """Rows done, and dropped among them."""

    def workers(self, jobs: int) -> int:
        """How many tasks are done at once."""

    def run(
        self, work: Callable[[Task], Result], tasks: list[Task], jobs: int
    ) -> Iterator[tuple[Task, Result]]:
        """Do all tasks and give each back with its result as it ends."""


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
