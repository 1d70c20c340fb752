"""Every field of every table of every corpus may hold anything: the build ends and says what."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_glass.audit.any_type import rows_of_any_type
from edge_glass.core.ledger import Dropped
from edge_glass.media.features import Sequence, Value
from edge_glass.sources.fields import Columns, Fields, Malformed

CONFIGS = [
    "cc12m_cls_sample",
    "cc12m_cls_jsonl_sample",
    "clotho_sample",
    "imagenet_captions_metadata_sample",
    "laion400m_metadata_sample",
    "librispeech_mini_sample",
    "mm_imdb_sample",
    "musiccaps_sample",
    "pixmo_cap_sample",
    "slides_qa_sample",
    "valor_sample",
    "yfcc15m_cls_sample",
    "yfcc15m_cls_urls_sample",
]


@pytest.mark.parametrize("config", CONFIGS)
def test_rows_of_any_type(config: str, tmp_path: Path) -> None:
    assert rows_of_any_type(config, tmp_path) == []


SLOPPY = 'yield Row(record["name"], "birds.csv", f"line {line}", fields=record)'


@pytest.mark.parametrize("careful", [True, False])
def test_someone_elses_corpus(careful: bool, lab: Path, tmp_path: Path) -> None:
    builder = lab / "builders" / "birds.py"
    if careful:
        make = 'lambda bird: Row(bird["name"], "birds.csv", "", fields=bird)'
        text = builder.read_text() + "\nfrom edge_glass.builder import parsed\n"
        parsed = f'yield parsed(split, "birds.csv", line, record, {make})'
        builder.write_text(text.replace(SLOPPY, parsed))
    said = rows_of_any_type("birds_sample", tmp_path / "out")
    assert (said == []) == careful
    assert careful or any("name is absent" in problem and "parsed" in problem for problem in said)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Value("string"), ["", "a", None], [1, True, b"a", ["a"], {"a": 1}]),
        (Value("int32"), [0, -(2**31), np.int64(5), None], [2**31, 3e9, 1.0, True, "1"]),
        (Value("float64"), [1, 1.5, np.float32(1)], ["1", False, 10**400, [1.0]]),
        (Value("bool"), [True, None], [1, "True"]),
        (Sequence(Value("string")), [[], ["a", None], None], ["a", [1], [["a"]], {"a": "b"}]),
        ({"a": Value("int8")}, [{"a": 1}, {}, None], [{"a": 300}, [1], "a"]),
    ],
)
def test_what_fits_a_field(kind: Any, right: list[Any], wrong: list[Any]) -> None:
    fields = Fields({"x": kind})
    assert [fields.read({"x": value}) for value in right] == [{"x": value} for value in right]
    for value in wrong:
        found = fields.read({"x": value})
        assert isinstance(found, Malformed)
        assert found.reason.startswith("x: expected ")


def test_text_that_cannot_be_written_is_bad_encoding() -> None:
    columns = Columns({"x": Sequence(Value("string"))})
    columns.check({"x": ["é", "\U0001f600", None]})
    for text in ("\ud800", "a\0b"):
        with pytest.raises(Dropped) as drop:
            columns.check({"x": ["a", text]})
        assert drop.value.outcome == "bad_encoding"
        assert drop.value.detail.startswith("x: ")
