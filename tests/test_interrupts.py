"""Ctrl-C while a row is worked on: the row is whole, then the build ends."""

import signal
from contextlib import suppress

import pytest

from edge_glass import interrupts
from edge_glass.ledger import Dropped, Outcome


def swallow(done: list[str]) -> None:
    """As a decoder's callback does."""
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    done.append("decoded")


def test_an_interrupt_waits_for_the_row_and_is_not_lost() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), interrupts.guarded(), interrupts.held:
        swallow(done)
        done.append("to the end")
    assert done == ["decoded", "to the end"]


def test_an_interrupt_is_not_lost_in_a_row_that_is_dropped() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.guarded(), interrupts.held:
        swallow([])
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")


def test_the_handler_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts.guarded(), interrupts.held:
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
