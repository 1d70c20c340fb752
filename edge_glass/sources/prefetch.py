"""Rows with their media, in order; what comes from the network is fetched ahead, many at once."""

from collections import deque
from collections.abc import Generator, Iterable

from edge_glass.core.row import Row
from edge_glass.core.spec import CLIPS
from edge_glass.sources.raw import Raw
from edge_glass.sources.row_fetch import Awaited, Fetcher, Remote
from edge_glass.sources.row_media import Media

AHEAD = 2  # times a fetcher's `at_once`: the items that may be under way or done, and waiting
MAX_ROWS = 10_000  # rows without media that may wait behind an item

Waiting = tuple[Row, Awaited | None]


def fetcher(remote: Remote) -> Fetcher:
    """What fetches the items of a source. Raises EdgeGlassError if a library is missing for it."""
    if remote.want in CLIPS:
        from edge_glass.sources.clips import Clips

        return Clips(remote)
    from edge_glass.sources.urls import Urls

    return Urls(remote)


def media(shards: Iterable[Iterable[Row]], raw: Raw) -> Generator[tuple[Row, Media]]:
    """Each row of the shards with its media, in their order whatever arrives first.

    Memory holds a window of rows, of two shards at most, and of items what their fetcher keeps.
    """
    fetchers = {name: fetcher(remote) for name, remote in raw.remote.items()}
    limit = AHEAD * max((each.at_once for each in fetchers.values()), default=0)
    window: deque[Waiting] = deque()
    pending = 0
    try:
        for shard in shards:
            count = 0
            for row in shard:
                window.append((row, _begin(row, fetchers)))
                pending += window[-1][1] is not None
                count += 1
                while window and (
                    window[0][1] is None or pending > limit or len(window) > MAX_ROWS
                ):
                    pending -= window[0][1] is not None
                    yield _end(raw, *window.popleft())
            while len(window) > count:  # the one before is given before the next is begun
                pending -= window[0][1] is not None
                yield _end(raw, *window.popleft())
        while window:
            yield _end(raw, *window.popleft())
    finally:
        for each in fetchers.values():
            each.close()


def _begin(row: Row, fetchers: dict[str, Fetcher]) -> Awaited | None:
    if row.dropped or row.media is None or row.media[0] not in fetchers:
        return None
    return fetchers[row.media[0]].submit(row)


def _end(raw: Raw, row: Row, item: Awaited | None) -> tuple[Row, Media]:
    return row, Media(raw, row, None if item is None else item.result())
