"""`import edge_glass`: each verb as a function, quick to import, seen by completion and help."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import pytest

import edge_glass as eg
from edge_glass import api
from edge_glass.audit.audits import AuditResult
from edge_glass.core.manifest import Manifest, Score
from edge_glass.core.visible import Result
from edge_glass.pipeline.estimate import Plan
from edge_glass.release.certificate import Certificate
from edge_glass.release.diff import Difference
from edge_glass.release.history import Version
from edge_glass.release.publish import Release
from edge_glass.release.why import Origin

ROOT = Path(__file__).parents[1]


def test_each_name_is_there_and_says_what_it_is() -> None:
    assert set(eg.__all__) <= set(dir(eg))
    for name in eg.__all__:
        text = inspect.getdoc(getattr(eg, name)) or ""
        assert text, name
        if isinstance(getattr(eg, name), FunctionType) or name == "audit":
            assert "\nRaises:\n" in text and "\nExamples:\n" in text, name


@pytest.mark.parametrize("files", ["examples/*.py", "builders/*.py", "docs/**/*.md"])
def test_what_users_write_imports_what_is_public(files: str) -> None:
    """`domains` has what several corpora of one kind share."""
    lines = re.compile(r"(?:from|import) (edge_glass[\w.]*)")
    imported = {name for file in ROOT.glob(files) for name in lines.findall(file.read_text())}
    public = re.compile(r"edge_glass(\.(train|builder|domains|builders\.\w+))?")
    assert imported and not [name for name in imported if not public.fullmatch(name)]


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
    assert config == "clotho_sample" and "clotho_sample, 11 rows\n  silence: 0 rows" in repr(result)
    assert "<td>silence</td><td>0</td>" in result._repr_html_()
    assert (tmp_path / "audit" / "clotho_sample").is_dir()


def test_each_result_prints_as_lines_and_as_a_table() -> None:
    """Or it is a sentence, a path or plain JSON of itself."""
    kinds = [Plan, Manifest, Score, AuditResult, Difference, Release, Origin, Version, Certificate]
    results = {kind.__name__ for kind in [eg.Build, *kinds] if issubclass(kind, Result)}
    for name in eg.__all__:
        if isinstance(function := getattr(api, name, getattr(eg, name)), FunctionType):
            said = inspect.signature(function).return_annotation
            kind = re.findall(r"\w+", str(said))[-1]  # of a list or dict, what it holds
            assert kind in results | {"None", "Path", "Any", "Finding", "Alignment"}, name


def test_what_is_printed_of_a_result_steers_no_terminal_and_no_page() -> None:
    sent = Release("org/<x>", "v1\x1b[31m", ["a"], send=["f"] * 1200, commit="c")
    assert repr(sent).splitlines()[:2] == ["org/<x> v1\\x1b[31m", "  sent: 1200 files (0 bytes)"]
    assert "<b>org/&lt;x&gt; v1\\x1b[31m</b>" in sent._repr_html_()
    row = Origin("<i>", "c", "train", "kept", "", {"file": "<u>"}, {}, "", None, {}, {}, {})
    assert "<td>&lt;i&gt;</td>" in row._repr_html_() and "&lt;u&gt;" in row._repr_html_()
    assert "  id: <i>" in repr(row) and "served" not in repr(row)


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


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda at: eg.plan(""), "no config "),
        (lambda at: eg.build("clotho_sample", at, jobs=0), "jobs: expected 1 or more, found 0"),
        (lambda at: eg.build("clotho_sample", at, limit=-1), "limit: expected 1 or more, found -1"),
        (lambda at: eg.build("clotho_sample", at, obey=str(at)), "obey: expected a list"),
        (lambda at: eg.audit(at, checks="silence"), "checks: expected a list, found 'silence'"),
        (lambda at: eg.audit(at, against=at), "against: expected a list"),
        (lambda at: eg.push(at, "birds", repo="org/x", version="1.0.0"), "configs: expected a li"),
        (lambda at: eg.push(at, [], repo="org/x", version="1.0.0"), "at least one config"),
        (lambda at: eg.score(at, "n", of="image"), "of: expected a list"),
        (lambda at: eg.withdraw(at, ids="12"), "ids: expected a list, found '12'"),
        (lambda at: eg.load("clotho_sample", at, split="none"), 'Unknown split "none"'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_argument_is_one_clear_error(
    call: Callable[[Path], object], says: str, built: Path
) -> None:
    with pytest.raises(eg.ConfigError, match=says):
        call(built)


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
