"""What `help()` says: of what is public the arguments, what is given back and what is raised.

Public is what `edge_glass`, `edge_glass.train` and `edge_glass.builder` export; of the classes and
modules of the last one, what a builder defines or calls. See CONTRIBUTING.md.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import edge_glass
import edge_glass.builder
import edge_glass.train
from edge_glass.audit.any_type import rows_of_any_type
from edge_glass.core import errors, lazy_names
from edge_glass.core.ledger import Dropped
from edge_glass.domains import mm_imdb

ROOT = Path(__file__).parents[1]
ENGINE = sorted((ROOT / "edge_glass").rglob("*.py"))
KINDS = {name for name, kind in vars(errors).items() if isinstance(kind, type)} | {
    Dropped.__name__,
    "ValueError",
}


NAMED = (rows_of_any_type, mm_imdb.dataset)  # by CONTRIBUTING.md and the site


def used_by_builders() -> set[str]:
    """Functions that builders define or call, and those that CONTRIBUTING.md names."""
    names = set(re.findall(r"\.(\w+)|(\w+)\(", (ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    used = {name for pair in names for name in pair}
    for path in (ROOT / "builders").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.FunctionDef):
                used.add(node.name)
    return used


def functions(name: str, value: Any) -> Iterator[tuple[str, FunctionType]]:
    """A function; or of a class or module, its own of public names."""
    if isinstance(value, FunctionType):
        yield name, inspect.unwrap(value)
    elif isinstance(value, type | ModuleType):
        for each, member in vars(value).items():
            function = getattr(member, "__func__", member)  # of a class method
            if not isinstance(function, FunctionType) or each[0] == "_":
                continue
            if not isinstance(value, ModuleType) or function.__module__ == value.__name__:
                yield f"{name}.{each}", inspect.unwrap(function)


def public() -> dict[str, FunctionType]:
    used = used_by_builders()
    every: dict[str, Any] = {f"{one.__module__}.{one.__name__}": one for one in NAMED}
    for module in (edge_glass, edge_glass.train, edge_glass.builder):
        for exported in module.__all__:
            value = getattr(module, exported)
            if isinstance(value, ModuleType) and module is edge_glass:
                continue  # these modules themselves
            for name, function in functions(f"{module.__name__}.{exported}", value):
                if module is not edge_glass.builder or name.rpartition(".")[2] in used:
                    every[name] = function
    return every


PUBLIC = public()


def raised(body: Sequence[ast.AST]) -> set[str]:
    """The classes that a function raises itself, and does not catch."""
    kinds = set[str]()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            kinds.add(ast.unparse(node.exc.func))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "raise_all":
            kinds.add(ast.unparse(node.args[1]))
        if isinstance(node, ast.Try):
            caught = " ".join(ast.unparse(each.type) for each in node.handlers if each.type)
            kinds |= raised(node.body).difference(re.findall(r"\w+", caught))
            kinds |= raised([*node.handlers, *node.orelse, *node.finalbody])
        else:
            kinds |= raised([*ast.iter_child_nodes(node)])
    return kinds & KINDS


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_says_its_arguments_and_what_it_gives_and_raises(name: str) -> None:
    text, signature = inspect.getdoc(PUBLIC[name]) or "", inspect.signature(PUBLIC[name])
    arguments = [each for each in signature.parameters if each not in ("self", "cls")]
    assert not [each for each in arguments if not re.search(rf"^ +{each}: ", text, re.M)]
    gives = signature.return_annotation not in (None, "None")
    assert not (arguments and gives) or "\nReturns:\n" in text
    [function] = ast.parse(textwrap.dedent(inspect.getsource(PUBLIC[name]))).body
    assert isinstance(function, ast.FunctionDef)
    section = text.partition("\nRaises:\n")[2]
    assert not [kind for kind in raised(function.body) if f"{kind}: " not in section]


def test_much_is_public() -> None:
    assert len(PUBLIC) > 110 and "edge_glass.builder.Raw.csv" in PUBLIC
    assert "edge_glass.train.Loader.torch" in PUBLIC and "edge_glass.Build.load" in PUBLIC


def silent(node: ast.AST) -> Iterator[str]:
    """Functions that raise and do not say so, of those that are no override of another."""
    for each in ast.iter_child_nodes(node):
        if (getattr(each, "name", None) or "").startswith("_"):
            continue
        if not isinstance(each, ast.FunctionDef):
            yield from silent(each)
            continue
        overrides = any(ast.unparse(it).endswith("override") for it in each.decorator_list)
        says_so = re.search("[Rr]aise", ast.get_docstring(each) or "")
        if raised(each.body) and not overrides and not says_so:
            yield each.name


def test_what_raises_says_so() -> None:
    """Also inside; a command says it to its user."""
    inside = [path for path in ENGINE if path.parent.name != "cli"]
    faults = {path: [*silent(ast.parse(path.read_text("utf-8")))] for path in inside}
    assert not {path: names for path, names in faults.items() if names}


def test_a_file_begins_with_what_it_holds() -> None:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in ENGINE}
    assert not [path for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)]


def test_each_name_that_builders_import_says_what_it_is() -> None:
    for name in lazy_names.origins("edge_glass.builder"):
        value = getattr(edge_glass.builder, name)
        if isinstance(value, type | FunctionType | ModuleType):
            assert inspect.getdoc(value), name
