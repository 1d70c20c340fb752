"""Every option of every command stands in a test or in a block of the docs."""

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import product

import typer
from kit import ROOT

from edge_glass.cli.main import app

COMMON = {"--help", "--quiet", "--verbose", "--log"}  # of all commands, tested once
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def options() -> set[tuple[str, str]]:
    """Command and option, by the option's first name."""
    group = typer.main.get_command(app)
    return {
        (verb, next(name for name in parameter.opts if name.startswith("--")))
        for verb, command in group.commands.items()
        for parameter in command.params
        if parameter.param_type_name == "option"
    }


def in_docs() -> Iterator[tuple[str, str]]:
    """Command and option of each line of shell in the docs."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                for start in [i for i, word in enumerate(words) if word == "edge-glass"]:
                    verb, *rest = [*words[start + 1 :], ""]
                    yield from ((verb, word.partition("=")[0].rstrip(";")) for word in rest)


def in_tests() -> Iterator[tuple[str, str]]:
    """The words of each function of the tests, and of the constants of its module."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text())
        functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
        shared = _words(ast.Module([n for n in tree.body if n not in functions], []))
        for function in functions:
            words = _words(function) | shared
            yield from product(words, [word for word in words if word.startswith("--")])


def _words(tree: ast.AST) -> set[str]:
    return {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200
        for word in node.value.split()
    }


def test_every_option_is_used() -> None:
    known = {(verb, option) for verb, option in options() if option not in COMMON}
    assert len(known) > 150
    assert sorted(known - {*in_docs(), *in_tests()}) == []
