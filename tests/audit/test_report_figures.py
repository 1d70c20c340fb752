"""What a report says of columns in figures; the page itself: test_report_page.py."""

import math
from pathlib import Path

import planted
import pytest
from datasets import Features, Value

from edge_glass.audit import report, report_stats
from edge_glass.core import manifest
from edge_glass.core.atomic_files import write_json
from edge_glass.core.errors import DataError
from edge_glass.core.names import HIDDEN
from edge_glass.release.export import export


def test_numbers_that_are_none_have_no_part_in_least_and_most(tmp_path: Path) -> None:
    scores = [1.5, math.nan, math.inf, -math.inf, None, -2.0]
    rows = [
        {"id": str(n), "caption": "ab" * n or None, "score": score, "tags": ["a"] * n}
        for n, score in enumerate(scores)
    ]
    text = Value("string")
    features = Features(id=text, caption=text, score=Value("float32"), tags=[text])
    folder = planted.corpus(tmp_path, "numbers", {"train": rows}, features=features)
    report.write(tmp_path)
    facts = report_stats.of(folder, manifest.read(folder), tmp_path / HIDDEN)
    found = {one["name"]: one for one in facts["columns"]}
    assert {key: found["score"][key] for key in ("nulls", "least", "most")} == {
        "nulls": 1, "least": -2, "most": 1.5,
    }  # fmt: skip
    assert [found["caption"][key] for key in ("nulls", "least", "most")] == [1, 2, 10]
    assert [found["tags"][key] for key in ("least", "most", "unit")] == [0, 5, "items"]


@pytest.mark.parametrize("column", ["caption", "more"])
def test_columns_that_are_not_those_of_the_manifest_are_one_error(
    column: str, tmp_path: Path
) -> None:
    features = Features(id=Value("string"), caption=Value("string"))
    rows = [{"id": "1", "caption": "a"}]
    folder = planted.corpus(tmp_path / "data", "wrong", {"train": rows}, features=features)
    said = manifest.read(folder).plain()
    said["features"][column] = {"dtype": "float32", "_type": "Value"}
    write_json(folder / manifest.FILE, said)
    for read in (report.write, lambda out: export(out / "wrong", tmp_path / "tars", "tsv")):
        with pytest.raises(DataError, match=r"train-00000-of-00001.*promised (is|are) .*verify"):
            read(tmp_path / "data")


def test_no_column_has_more_values_than_rows(tmp_path: Path) -> None:
    rows = [{"id": f"r{n}", "caption": f"2020-01-{n:02d}", "license": str(n)} for n in range(60)]
    folder = planted.corpus(tmp_path, "dates", {"train": rows})
    report.write(tmp_path)
    facts = report_stats.of(folder, manifest.read(folder), tmp_path / HIDDEN)
    assert max(one["distinct"] for one in facts["columns"]) <= 60
