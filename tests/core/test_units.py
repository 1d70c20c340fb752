"""Sizes and lengths as a person reads them."""

import pytest

from edge_glass.core import units


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (3138, "3.1 kB"), (5_100_000, "5.1 MB"),
     (61_357_943_031, "61.4 GB"), (143_408_400_000, "143 GB")],
)  # fmt: skip
def test_sizes(count: int, said: str) -> None:
    assert units.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (5.54, "5.5 s"), (9, "9 s"), (90, "1.5 min"), (3_535_200, "982 h")],
)
def test_lengths(seconds: float, said: str) -> None:
    assert units.length(seconds) == said
