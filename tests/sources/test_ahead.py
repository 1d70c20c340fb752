"""Media that are fetched before their row is worked on, in the order of the rows."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from edge_glass.core.ledger import Dropped, Outcome
from edge_glass.core.row import Row
from edge_glass.sources import prefetch
from edge_glass.sources.prefetch import media
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import Fetched, Remote


class Slow:
    """A fetcher that gives a row's item when it is told to."""

    at_once = 2

    def __init__(self) -> None:
        self.begun: dict[str, Future[Fetched]] = {}
        self.closed = False

    def submit(self, row: Row) -> Future[Fetched]:
        self.begun[row.id] = Future()
        return self.begun[row.id]

    def close(self) -> None:
        self.closed = True


def test_order_is_that_of_the_rows_and_the_window_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow()
    monkeypatch.setattr(prefetch, "fetcher", lambda remote: slow)
    asked: list[str] = []

    def rows() -> Iterator[Row]:
        for number in range(1000):
            asked.append(str(number))
            yield Row(
                str(number),
                "x",
                str(number),
                ("clips", str(number)),
                fetch_request={"id": str(number)},
            )

    found = media([rows()], Raw("x", {}, remote={"clips": Remote("", "audio", 1, Path())}))
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(next(found)))
    thread.start()
    time.sleep(0.2)
    assert len(asked) == 5 and thread.is_alive()  # the last to arrive is the first in line
    for id in ("3", "2", "1", "0"):
        slow.begun[id].set_result(Fetched(f"https://{id}", id, id.encode()))
    thread.join()
    row, item = result[0]
    assert (row.id, item.read(), item.url) == ("0", b"0", "https://0")
    assert [next(found)[0].id for _ in range(3)] == ["1", "2", "3"]
    slow.begun["4"].set_result(Fetched("u", dropped=(Outcome.PRIVATE, "no"), status=403))
    item = next(found)[1]
    with pytest.raises(Dropped, match="no"):
        item.read()
    assert item.fetched and item.fetched.status == 403
    found.close()  # type: ignore[attr-defined]
    assert slow.closed
