"""Ctrl-C while a row is worked on: the row is whole, then the build ends. And in event loops."""

import asyncio
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from edge_glass.core import interrupts
from edge_glass.core.ledger import Dropped, Outcome

WAITS = Path(f"/proc/self/task/{threading.main_thread().native_id}/wchan")


def swallow(done: list[str]) -> None:
    """As a decoder's callback does."""
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    done.append("decoded")


def test_an_interrupt_waits_for_the_row_and_is_not_lost() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), interrupts.guarded(), interrupts.deferred:
        swallow(done)
        done.append("to the end")
    assert done == ["decoded", "to the end"]


def test_an_interrupt_is_not_lost_in_a_row_that_is_dropped() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.guarded(), interrupts.deferred:
        swallow([])
        raise Dropped(Outcome.EMPTY_MEDIA, "0 bytes")


def test_the_handler_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts.guarded(), interrupts.deferred:
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


async def waiting(done: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        done.append("told")
        raise


def test_a_loop_hears_an_interrupt_that_another_thread_gets() -> None:
    """Nothing else wakes it."""
    done: list[str] = []
    ended = threading.Event()

    def press() -> None:
        for _ in range(100_000):  # not every system tells where a thread waits
            if not WAITS.exists() or "poll" in WAITS.read_text():
                break
            os.sched_yield()
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not ended.wait(30):
            done.append("asleep")
            os.kill(os.getpid(), signal.SIGINT)

    async def work() -> None:
        asyncio.get_running_loop().call_soon(threading.Thread(target=press).start)
        try:
            await waiting(done)
        finally:
            ended.set()

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work())
    assert done == ["told"] and signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_waits_for_nothing() -> None:
    done: list[str] = []

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        with suppress(asyncio.CancelledError):
            await waiting(done)
        signal.raise_signal(signal.SIGINT)
        await waiting(done)

    with pytest.raises(KeyboardInterrupt):
        interrupts.run(work())
    assert done[0] == "told"


def test_what_was_not_interrupted_ends_as_it_does() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def answer() -> int:
        return 7

    with pytest.raises(asyncio.CancelledError):
        interrupts.run(cancelled())
    assert interrupts.run(answer()) == 7
    apart: list[int] = []
    thread = threading.Thread(target=lambda: apart.append(interrupts.run(answer())))
    thread.start()
    thread.join()
    assert apart == [7]
