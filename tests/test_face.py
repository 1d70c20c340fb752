"""`import edge_glass`: each verb as a function, quick to import, seen by completion and help."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import edge_glass as eg


def test_each_name_is_there_and_says_what_it_is() -> None:
    assert set(eg.__all__) <= set(dir(eg))
    for name in eg.__all__:
        assert inspect.getdoc(getattr(eg, name)), name


def test_importing_it_brings_nothing_heavy() -> None:
    heavy = {"datasets", "pyarrow", "numpy", "pydantic", "torch", "duckdb", "rich"}
    code = f"import sys, edge_glass; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_from_sources_to_rows(tmp_path: Path) -> None:
    planned = eg.plan("clotho_sample")
    made = eg.build("clotho_sample", tmp_path, progress=False, splits=["test"], name="mine")
    assert made.folder == tmp_path / "mine"
    assert planned.config == "clotho_sample"
    assert "test: 3 rows" in repr(planned) and "Plan(" not in repr(planned)
    assert made.ledger().num_rows == made.manifest.splits["test"].total
    assert "test" in str(made)
    assert f"<td>{made.manifest.rows}</td>" in made._repr_html_()
    assert not [f for f in eg.verify(tmp_path, progress=False) if f.kind == "error"]
    assert len(made.load("test")) == made.manifest.rows
    (difference,) = eg.diff(tmp_path, str(tmp_path))
    assert difference.identical
    assert "mine: identical" in difference._repr_html_()
    assert repr(made) == str(made) and "sha256" not in repr(made)


def test_the_audit_is_a_function_and_a_room(tmp_path: Path) -> None:
    eg.build("clotho_sample", tmp_path, progress=False)
    [(config, result)] = eg.audit(tmp_path, checks=["silence"], progress=False).items()
    assert config == "clotho_sample" and repr(result).startswith("clotho_sample, 11 rows: ")
    assert "<td>silence</td><td>0</td>" in result._repr_html_()
    assert (tmp_path / "audit" / "clotho_sample").is_dir()


def test_a_wrong_name_is_one_clear_error() -> None:
    with pytest.raises(eg.EdgeGlassError, match="clotho_16"):
        eg.plan("clotho_16")
    with pytest.raises(AttributeError):
        eg.nothing  # noqa: B018


def test_each_kind_of_error_can_be_caught(tmp_path: Path) -> None:
    with pytest.raises(eg.ConfigError, match="no parameter pitch"):
        eg.plan("clotho_sample", pitch=1)
    (raw := tmp_path / "raw").mkdir()
    with pytest.raises(eg.SourceError, match="lacks"):
        eg.build("clotho", tmp_path / "data", raw=raw, progress=False)
    with pytest.raises(eg.DataError, match="nothing is built here"):
        eg.verify(tmp_path, progress=False)
    with pytest.raises(eg.NetworkError, match="network there"):
        eg.verify("http://127.0.0.1:9/data", progress=False)
    kinds = [eg.ConfigError, eg.SourceError, eg.DataError, eg.NetworkError, eg.HubError]
    assert all(issubclass(kind, eg.EdgeGlassError) for kind in [*kinds, eg.SpaceError])


UNGUARDED = """
import sys
import edge_glass as eg
from edge_glass.pipeline import shard_plan

print("the script runs", flush=True)
shard_plan.SHARD_BYTES = 250_000
print(eg.build("clotho_sample", sys.argv[1], jobs=2, progress=False).folder)
"""


def test_a_script_without_a_guard_builds_with_several_processes(
    tmp_path: Path, in_pieces: Path
) -> None:
    script, out = tmp_path / "build.py", tmp_path / "out"
    script.write_text(UNGUARDED)
    line = [sys.executable, script, out]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["the script runs", str(out / "clotho_sample")]
    names = {path.name for path in (in_pieces / "clotho_sample").glob("*.parquet")}
    assert len(names) > 2
    for name in names:  # the same bytes as one process makes
        ours, theirs = out / "clotho_sample" / name, in_pieces / "clotho_sample" / name
        assert ours.read_bytes() == theirs.read_bytes()
