"""What may come out otherwise another time, and how long to wait before the next try."""

from edge_glass.core.ledger import Outcome

TRIES = {Outcome.RATE_LIMITED: 3, Outcome.SERVER_ERROR: 2, Outcome.NETWORK_ERROR: 2}  # of a URL
HEALS = frozenset({*TRIES, Outcome.TIMED_OUT, Outcome.HOST_NOT_FOUND})  # in another run
WITH_OTHER_TOOL = frozenset({  # or with other cookies, or another proxy
    Outcome.PRIVATE, Outcome.AGE_GATE, Outcome.GEO_BLOCKED, Outcome.WRONG_DURATION,
    Outcome.NO_AUDIO, Outcome.EMPTY_MEDIA, Outcome.TRUNCATED_MEDIA, Outcome.UNDECODABLE_MEDIA,
    Outcome.OVERSIZED_MEDIA,
})  # fmt: skip
STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})  # of HTTP, in the same run
LONGEST = 120.0  # seconds before a try


def pause(tried: int, tries: int, first: float, after: float = 0) -> float | None:
    """Seconds to wait before the next try, 120 at most; None if there is none.

    `tried` of at most `tries` came to nothing so far. `first` is the pause before the second try,
    each further one is twice the one before; `after` is what the server asks for.
    """
    if tried >= tries:
        return None
    return min(max(after, first * 2.0 ** max(tried - 1, 0)), LONGEST)
