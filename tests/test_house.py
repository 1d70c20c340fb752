"""The house: a name for each module, and a corpus's name in its own rooms alone."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from edge_glass.corpora import catalog
from edge_glass.corpora.layouts.registry import LAYOUTS

ROOT = Path(__file__).parents[1]
ENGINE = sorted((ROOT / "edge_glass").rglob("*.py"))
OURS = [
    name
    for name, package in catalog.corpora().items()
    if package == "edge_glass" and name not in LAYOUTS  # which others have, too
]


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.name for path in ENGINE if path.name != "__init__.py")
    assert not [name for name, count in names.items() if count > 1]


def test_no_file_has_more_than_400_lines() -> None:
    files = [*(ROOT / "edge_glass").rglob("*.*"), *(ROOT / "tests").rglob("*.py")]
    written = [f for f in files if f.suffix in (".py", ".js", ".css", ".jinja")]
    lines = {f.name: len(f.read_text("utf-8").splitlines()) for f in written}
    assert not {name: count for name, count in lines.items() if count > 400}


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.name)
def test_names_say_what_a_thing_is_and_not_what_happened_to_it(path: Path) -> None:
    words = {"found", "made", "told", "held", "drawn", "shown"}
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    kinds = {ast.arg: "arg", ast.FunctionDef: "name", ast.AsyncFunctionDef: "name"}
    names = [getattr(node, kinds.get(type(node), "id"), "") for node in tree]
    assert not {name.strip("_") for name in names} & words


def told_apart(tree: ast.AST) -> set[int]:
    """Strings that are prose: docstrings, and examples in the help of a command."""
    prose = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg == "help":
            prose |= {id(part) for part in ast.walk(node.value)}
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "verb":
            prose |= {id(part) for part in node.args}
    return prose


@pytest.mark.parametrize(
    "path", [path for path in ENGINE if "domains" not in path.parts], ids=lambda path: path.name
)
def test_a_corpus_is_named_in_its_rooms_alone(path: Path) -> None:
    """In code, that is: what a rule or a folder of `domains` is called is its own name."""
    tree = ast.parse(path.read_text("utf-8"))
    prose = told_apart(tree)
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found = [name for name in OURS if name in names or name in texts]
    found += [name for name in OURS for text in texts if re.search(rf"\b{name}_\w", text)]
    assert not found


def test_contributing_names_the_rooms_and_modules_that_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)/` \| .* \| ([`\w ]*) \|$", text, re.MULTILINE)
    there = [path.parent.name for path in (ROOT / "edge_glass").glob("*/__init__.py")]
    assert sorted(room for room, _ in rows) == sorted(there)
    named = [f"{room}/{name.strip('`')}" for room, names in rows for name in names.split()]
    paths = [ROOT / "edge_glass" / name for name in named]
    assert not [path for path in paths if not (path.is_dir() or path.with_suffix(".py").is_file())]


def test_the_plan_has_no_arrow_up_and_no_circle() -> None:
    pytest.importorskip("grimp")  # with the tools of `make lint`
    import rooms

    modules = rooms.imports()
    assert len(modules) > 200 and not rooms.faults(modules, rooms.rooms())
    modules["edge_glass.core.units"] |= {"edge_glass.media.audio"}
    assert len(rooms.faults(modules, rooms.rooms())) == 2  # up, and round through media


def test_no_two_files_of_tests_have_one_name() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []  # pytest stops at the second
