"""Rows done and dropped, counted where they are worked on: in any process, on any node."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SLOTS = 1024
_counters: Any = None
_slot = 0


def start(values: Any) -> None:
    """Count in `values` from here on, an array of two numbers for each of the slots."""
    global _counters, _slot
    _counters, _slot = values, 2 * (os.getpid() % SLOTS)


def count(done: int, dropped: int) -> None:
    """Add to what this process has done."""
    if _counters is not None:
        _counters[_slot] += done
        _counters[_slot + 1] += dropped


@contextmanager
def tally() -> Iterator[list[int]]:
    """Rows done and dropped in this process meanwhile, once the block has ended."""
    values, total = [0] * (2 * SLOTS), [0, 0]
    start(values)  # one task at a time
    try:
        yield total
    finally:
        total[:] = [sum(values[0::2]), sum(values[1::2])]
