"""Configs that take only rows whose licence allows a use: what nobody can tell is left out."""

from collections import Counter
from pathlib import Path

import pytest
from kit import Cli

from edge_glass.core import ledger, manifest
from edge_glass.core.licences import allows
from edge_glass.corpora import catalog
from edge_glass.release.write_card import build


def outcomes(config: str, out: Path, uses: list[str]) -> Counter[tuple[str, str]]:
    build(catalog.variant(config, {"licences": uses}, "chosen"), out)
    rows = ledger.read(out / "chosen" / ledger.FILE)
    found = ("kept", "licence")
    return Counter((r["outcome"], r["detail"]) for r in rows if r["outcome"] in found)


@pytest.mark.parametrize(
    ("config", "uses", "kept", "left_out"),
    [
        ("clotho_sample", ["commercial"], 11, {}),
        ("laion400m_sample", ["permissive"], 1, {"?": 3, "not stated": 1}),  # of each row
        ("laion400m_metadata_sample", ["permissive"], 1, {"?": 3, "not stated": 1}),  # in batches
        ("librispeech_sample", ["commercial", "share-alike"], 7, {}),  # CC BY 4.0, the corpus's own
    ],
)
def test_rows_whose_licence_allows_it(
    config: str, uses: list[str], kept: int, left_out: dict[str, int], tmp_path: Path
) -> None:
    found = outcomes(config, tmp_path, uses)
    assert sum(n for (outcome, _), n in found.items() if outcome == "kept") == kept
    assert {d: n for (outcome, d), n in found.items() if outcome == "licence"} == left_out
    made = manifest.read(tmp_path / "chosen")
    assert made.parameters["licences"] == uses
    assert all(allows(text, uses) for text in made.licences())  # type: ignore[arg-type]


def test_the_licence_of_a_list_does_not_cover_what_it_names() -> None:
    """PixMo-Cap's captions are ODC-By; the images belong to whoever put them on the web."""
    corpus = catalog.variant("pixmo_cap_sample", {"licences": ["commercial"]}).builder()
    assert corpus.spec().licence_tag == "odc-by"
    assert corpus.unlicensed({"caption": "A red door."}) == ("licence", "not stated")


def test_the_command_line_says_uses(tmp_path: Path, cli: Cli) -> None:
    words = ("--licences", "commercial,share-alike", "--out", tmp_path, "--json")
    (told,) = cli("plan", "clotho_sample", *words).json
    assert told["parameters"]["licences"] == ["commercial", "share-alike"]
    assert "permissive" in cli("plan", "clotho_sample", "--licences", "any").err


def test_a_config_without_it_says_nothing_of_it() -> None:
    assert "licences" not in catalog.variant("clotho_sample").builder().parameters()
