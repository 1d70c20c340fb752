"""The table of docs/formats.md: every line names a test that is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = [
    line
    for line in (ROOT / "docs" / "formats.md").read_text("utf-8").splitlines()
    if line.startswith("|") and not re.match(r"\|(---|\s*container or layout)", line)
]


def test_the_table_has_lines() -> None:
    assert LINES


@pytest.mark.parametrize("line", LINES)
def test_each_line_names_a_test_that_is_there(line: str) -> None:
    *_, name = (cell.strip() for cell in line.strip().strip("|").split("|"))
    named = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", name)
    assert named, f"the last column is not `tests/file.py::test`: {name}"
    tree = ast.parse((ROOT / named[1]).read_text("utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert named[2] in functions
