"""Each check of `verify` finds a wrong build that vouches for itself, and that no other finds."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit import HORSE, ROOT, build_clotho
from test_verify_papers import PAPERS, unpushed_manifest
from wrong_builds import MUTANTS, SHARD, TEST, manifest_of

from edge_glass.audit import verify as table
from edge_glass.audit.verify import Finding, verify
from edge_glass.corpora import catalog
from edge_glass.release import checks_papers

CHECKS = [
    *table.FILE_CHECKS,
    *table.ROW_CHECKS,
    *table.BUILD_CHECKS,
    *checks_papers.PAPER_CHECKS,
]


# Files


# Rows


# The ledger and the counts


# The config, and what upstream is known to hold


ROW = f"{SHARD}: train {HORSE}"
NEXT = f"{SHARD}: train train/Corner of a sheep field, summer.wav"
LEDGER = "ledger.parquet"
FOUND: dict[str, tuple[set[str], str]] = {  # where, and what was found and expected
    "stray_file": ({"notes.txt"}, ""),
    "damaged_file": ({SHARD}, "[0-9a-f]{64}.* [0-9a-f]{64}"),
    "other_count": ({LEDGER}, r"\d+ bytes.* \d+"),
    "other_columns": ({TEST}, "Hugging Face"),
    "other_sums": ({"test"}, r" 1 bytes.* \d{6}"),
    "empty_id": ({f"{SHARD}: train  "}, "no id"),
    "undecodable": ({ROW}, "audio .*truncated_media"),
    "no_files": ({f"{SHARD}: train egVid_Smp01_48.000_53.000"}, "image_jpegs"),
    "other_rate": ({ROW}, "8000 Hz.* 16000"),
    "other_channels": ({ROW}, "2 channels.* 1"),
    "other_duration": ({ROW}, "audio .*1.700 s.* duration .*9.000"),
    "other_pixels": ({f"{SHARD}: train 9900001"}, r"256x390 .*\(7, 390\)"),
    "blank_caption": ({ROW}, "captions"),
    "altered_text": ({ROW, NEXT}, "columns"),
    "altered_media": ({ROW}, "media .*source's"),
    "repeated_id": ({HORSE}, f"2 times: train in {SHARD}; test in {TEST}"),
    "moved_row": ({ROW, NEXT}, "one of train"),
    "unpaired_row": ({f"{SHARD}: train another", f"{LEDGER}: train train/Cash till.wav"}, "kept"),
    "missing_examples": ({f"{LEDGER}: train 42f841cfade466933e3e6332af6e06de"}, "2 of its 3"),
    "other_outcomes": ({LEDGER}, "train .*'blank_caption': 1, 'kept': 5.* {'kept': 5}"),
    "other_plan": ({LEDGER}, "train: 6 rows, 5 "),
    "other_kept": ({LEDGER}, "test: 3 rows .*4 rows"),
    "repeated_source_row": (
        {f"{LEDGER}: train", f"{LEDGER}: test"},
        r" Horse neigh.wav of .*development.csv stands there (twice$|and in train)",
    ),
    "claimed_leftover": ({f"{LEDGER}: test"}, "Horse neigh.wav is left .* row in train"),
    "other_warnings": ({LEDGER}, "train .*'start_end_samples is empty': 1.* {}"),
    "other_seconds": ({"test"}, "4.359 s.* 9.000"),
    "other_licences": ({"test"}, "by/3.0/': 2.* {'x': 3}"),
    "other_config": ({"clotho_sample"}, "seed .*7.* 0"),
    "other_features": ({"clotho_sample"}, "features"),
    "same_sound": ({HORSE}, "test/Cow moan.wav"),
    "same_bytes": ({"9900005"}, "9900006"),
}


@pytest.fixture(scope="module")
def variants(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds of whose promises the samples make none."""
    out = tmp_path_factory.mktemp("variants")
    raw = ROOT / "samples" / "clotho"
    build_clotho(raw, out, sample_rate=16000, channels=1, audio_format="flac")
    return out


def spoilt(config: str, built: Path, variants: Path, tmp_path: Path) -> Path:
    here = variants if (variants / config).is_dir() else built
    return Path(shutil.copytree(here / config, tmp_path / config))


def found_by(folder: Path, before: list[Finding]) -> list[Finding]:
    return [finding for finding in verify(folder) if finding not in before]


def test_every_check_has_its_mutant() -> None:
    papers = [spoil.__name__ for spoil in [*PAPERS, unpushed_manifest]]
    assert sorted(c.__name__ for c in CHECKS) == sorted([*MUTANTS, *UPSTREAM, *papers])


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_by_its_check_alone(
    name: str, built: Path, variants: Path, tmp_path: Path
) -> None:
    config, spoil = MUTANTS[name]
    folder = spoilt(config, built, variants, tmp_path)
    before = list(verify(folder))
    spoil(folder)
    found = found_by(folder, before)
    where, what = FOUND[name]
    assert {finding.where for finding in found} == where and {f.check for f in found} == {name}
    assert all(re.search(what, finding.what) for finding in found), found
    kind = "note" if name.startswith("same_") else "error"
    assert {(f.kind, f.config) for f in found} == {(kind, config)}


# What a corpus's YAML says of upstream: a full build that is all of it, and then is not


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = catalog.spec("clotho").model_copy(deep=True)
    monkeypatch.setattr(catalog, "spec", lambda name: spec)
    for source in spec.sources.values():
        source.rows = source.hours = None
    spec.expected.published, spec.expected.rows, spec.expected.values = {}, {}, {}
    return spec


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    folder = build_clotho(ROOT / "samples" / "clotho", out)
    manifest_of(folder, lambda made: [s.update(as_published=True) for s in made["sources"]])
    return folder


CSV = "clotho_captions_development.csv"
UPSTREAM: dict[str, Callable[[Any, int], None]] = {
    "other_source_rows": lambda spec, by: setattr(spec.sources[CSV], "rows", 5 + by),
    "other_published_rows": lambda spec, by: spec.expected.published.update(clotho=11 + by),
    "other_hours": lambda spec, by: setattr(spec.sources[CSV], "hours", 0.01 + by),
    "other_published_values": lambda spec, by: spec.expected.rows.update(train=5 + by),
}


@pytest.mark.parametrize("name", UPSTREAM)
def test_a_build_unlike_upstream_is_found_by_its_check_alone(
    name: str, spec: Any, whole: Path
) -> None:
    UPSTREAM[name](spec, 0)
    assert [f for f in verify(whole) if f.kind == "error"] == []
    UPSTREAM[name](spec, 1)
    assert {f.check for f in verify(whole)} == {name}


# What is said of builds beside them


# The table


def test_the_docs_list_every_check_and_what_it_finds() -> None:
    """Written by `python tests/audit/test_verify_checks.py`."""
    assert (ROOT / "docs" / "verify.md").read_text() == page()


def page() -> str:
    """docs/verify.md: the head that it has, and the table."""
    head = (ROOT / "docs" / "verify.md").read_text().partition("| check |")[0]
    rows = [f"| `{c.__name__}` | {(c.__doc__ or '').splitlines()[0]} |" for c in CHECKS]
    return head + "\n".join(["| check | what it finds |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "verify.md").write_text(page())
