"""Licences, as owners spell them: the identifier that each has, and what rows a use leaves."""

from pathlib import Path
from typing import get_args

import pytest

from edge_glass.core import licences

# as Freesound, Flickr, LAION, Openverse, Wikimedia, the Hub and licences themselves write them, and
# what looks like one; "-": nobody can tell
SPELLINGS = [
    line.rpartition("\t")[::2]
    for line in (Path(__file__).parent / "licences.tsv").read_text(encoding="utf-8").splitlines()
]
EVERY: tuple[licences.Use, ...] = get_args(licences.Use)


def test_precision_and_recall_over_planted_spellings() -> None:
    assert len(SPELLINGS) == len({text for text, _ in SPELLINGS}) >= 200
    wanted = {text: None if name == "-" else name for text, name in SPELLINGS}
    found = {text: licences.spdx(text) for text in wanted}
    right = {text for text, name in found.items() if name and name == wanted[text]}
    named = {text for text, name in found.items() if name}
    due = {text for text, name in wanted.items() if name}
    assert len(wanted) - len(due) >= 50
    # a licence that is not there is worse than one that is missed
    assert len(right) / len(named) == 1, sorted(named - right)
    assert len(right) / len(due) >= 0.98, sorted(due - right)


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("CC0", {*EVERY}),
        ("http://creativecommons.org/licenses/by/3.0/", {*EVERY}),
        ("Attribution License", {*EVERY}),
        ("CC BY-SA 4.0", {"commercial", "share-alike"}),
        ("GFDL 1.2", {"commercial", "share-alike"}),
        ("GFDL-1.2-no-invariants-or-later", {"commercial", "share-alike"}),
        ("AGPL-3.0-only", {"commercial", "share-alike"}),
        ("CC BY-ND 4.0", {"commercial"}),
        ("CC BY-NC-SA 3.0", {"share-alike"}),
        ("CC BY-NC-ND 4.0", set()),
        ("C-UDA-1.0", set()),  # SPDX knows it, we do not
        ("MIT OR Apache-2.0", set()),
        ("GPL-3.0-or-later AND CC-BY-NC-4.0", set()),
        ("ODbL-1.0 AND LicenseRef-Mine", set()),
        ("GFDL-1.3-invariants-or-later", set()),  # some of it must not be changed
        (f"CC BY 4.0{' ' * 300}NC", set()),
        ("?", set()),
        ("", set()),
        (None, set()),
    ],
)
def test_what_a_licence_allows(text: str | None, uses: set[licences.Use]) -> None:
    assert {use for use in EVERY if licences.allows(text, [use])} == uses
    assert licences.allows(text, ["commercial", "share-alike"]) == (
        {"commercial", "share-alike"} <= uses
    )
