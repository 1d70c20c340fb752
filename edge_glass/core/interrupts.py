"""Ctrl-C at a moment when it can be obeyed."""

import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class _Deferred(threading.local):
    """`with deferred:` an interrupt comes at the block's end, if `guarded` is around it.

    Raised in a decoder's callback it would be swallowed, and what was decoded there be wrong.
    """

    _inside = _pressed = False

    def __enter__(self) -> None:
        self._inside = True

    def __exit__(self, *_: object) -> None:
        self._inside = False
        if self._pressed:
            self._pressed = False
            signal.raise_signal(signal.SIGINT)

    def remembers(self) -> bool:
        """Whether an interrupt has to wait."""
        self._pressed = self._inside
        return self._inside


deferred = _Deferred()


@contextmanager
def guarded() -> Iterator[None]:
    """Around many rows: setting a signal's handler for each of them would take its time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def obey(number: int, _: Any) -> None:
        if not deferred.remembers():
            signal.signal(number, before)
            signal.raise_signal(number)
            signal.signal(number, obey)

    before = signal.getsignal(signal.SIGINT) or signal.SIG_DFL
    signal.signal(signal.SIGINT, obey)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, whose loop may sleep on through a Ctrl-C if other threads are busy.

    Raises KeyboardInterrupt when the work has ended after the first; a second one ends it at once.
    """
    import asyncio

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return asyncio.run(work)

    pressed = False

    async def heard() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def obey() -> None:
            nonlocal pressed
            pressed = task.cancel()
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, obey)  # told by a socket, which wakes the loop
        try:
            return await task
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    try:
        return asyncio.run(heard())
    except asyncio.CancelledError:
        if not pressed:
            raise
        raise KeyboardInterrupt from None
