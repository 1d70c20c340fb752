"""Names that a module passes on, imported when somebody asks for them.

They are what it imports under `if TYPE_CHECKING`: type checkers and editors see the same as who
runs it.
"""

import ast
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@cache
def origins(module: str) -> dict[str, tuple[str, str]]:
    """Name -> the module that it is from and its name there, of all that a module passes on."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    blocks = [node for node in ast.parse(Path(spec.origin).read_bytes()).body if for_types(node)]
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for block in blocks
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def load(module: str, name: str) -> Any:
    """What a module passes on under a name. Raises AttributeError if that is nothing."""
    if name not in origins(module):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    origin, name = origins(module)[name]
    if origin != module and hasattr(from_ := import_module(origin), name):
        return getattr(from_, name)
    return import_module(f"{origin}.{name}")


def for_types(node: ast.AST) -> bool:
    """Whether this is a block that type checkers read and nobody runs."""
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
