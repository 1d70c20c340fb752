"""A corpus's YAML: every mistake at once, each with its line."""

from pathlib import Path

import pytest
from otherlab import BIRDS_YAML

from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.spec import read_spec
from edge_glass.corpora import catalog

GOOD = BIRDS_YAML.replace(
    '  birds.csv: {url: "https://example.org/birds.csv"}\n',
    """\
  birds.zip:
    url: https://example.org/birds.zip
    md5: 0123456789abcdef0123456789abcdef
""",
)


def problems(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(EdgeGlassError) as caught:
        read_spec(path, "birds")
    return list(caught.value.problems)


def test_reads_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "birds.yaml"
    path.write_text(GOOD)
    spec = read_spec(path, "birds")
    assert spec.sources["birds.zip"].checksum == ("md5", "0123456789abcdef0123456789abcdef")


def test_all_mistakes_of_a_file_are_shown_together_with_their_lines(tmp_path: Path) -> None:
    text = (
        GOOD.replace("1.0.0", "one")
        .replace("title: Birds\n", "")
        .replace("https://example.org/birds.zip", "not a url")
        .replace("md5: 0123", "md5: XYZ0123")
        .replace("licence: CC0", "licence: CC0\nlicense: CC0")
    )
    found = problems(tmp_path / "birds.yaml", text)
    assert [problem.split(": ")[0] for problem in found] == [
        "birds.yaml:1",  # title
        "birds.yaml:1",  # version
        "birds.yaml:4",  # license, a parameter that is none
        "birds.yaml:9",  # url
        "birds.yaml:10",  # md5
    ]
    assert any("title: Field required" in problem for problem in found)
    assert any("found 'one'" in problem for problem in found)


def test_names_of_configs_and_the_sample(tmp_path: Path) -> None:
    text = GOOD.replace("  birds_sample: {bundled: true}\n", "  crows: {}\n")
    found = problems(tmp_path / "birds.yaml", text)
    assert found[0] == "birds.yaml:11: configs: birds_sample is missing"
    assert found[1] == "birds.yaml:13: config 'crows': must be birds or birds_…, as its file"


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    found = problems(tmp_path / "birds.yaml", GOOD + "  birds: {subset: 5}\n")
    assert found == ["birds.yaml:14: 'birds' stands here a second time"]


def test_no_yaml_at_all(tmp_path: Path) -> None:
    assert "not YAML" in problems(tmp_path / "birds.yaml", "a: [")[0]
    assert "birds.yaml is empty" in problems(tmp_path / "birds.yaml", "")[0]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"sample_rate": 1}, "sample_rate: Input should be greater than or equal to 1000, found 1"),
        ({"sampel_rate": 1}, "no parameter sampel_rate; there are subset, splits, seed"),
        ({"caption_mode": "some"}, "found 'some'"),
        ({"subset": 0}, "found 0"),
        ({"subset": 1.5}, "found 1.5"),
        ({"splits": []}, "splits"),
        ({"audio_format": "source", "sample_rate": 16000}, "unset sample_rate"),
        ({"audio_format": "waveform", "channels": 2}, "waveform is mono"),
    ],
)
def test_wrong_parameters_name_config_and_value(overrides: dict, message: str) -> None:
    with pytest.raises(EdgeGlassError, match=r"^clotho_sample with ") as caught:
        catalog.variant("clotho_sample", overrides)
    assert message in str(caught.value)


def test_several_wrong_parameters_are_shown_together() -> None:
    with pytest.raises(EdgeGlassError) as caught:
        catalog.variant("clotho", {"sample_rate": "fast", "channels": 7})
    assert {p.split(": ")[1] for p in caught.value.problems} == {"sample_rate", "channels"}
