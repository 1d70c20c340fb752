"""What a user can mend."""

from collections.abc import Iterable


class EdgeGlassError(Exception):
    """One or more problems that a user can mend; the command line prints no traceback for it.

    Each problem names the corpus, the file or row, what was expected, what was found, and what to
    do.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def raise_all(problems: Iterable[str]) -> None:
    """Raise all problems together; do nothing if there are none."""
    if found := list(problems):
        raise EdgeGlassError(*found)
