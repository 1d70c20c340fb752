"""The code that decides the bytes of a build: its builder, the engine, and all that they import."""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.util import find_spec, resolve_name
from pathlib import Path

WORKER = "edge_glass.pipeline.worker"  # turns rows into shards


@cache
def digests(builder: str) -> dict[str, str]:
    """Module -> digest of its source: the builder's, the worker's, and what those import.

    In functions too, at any depth; of the engine and the builder's own package alone.
    """
    own = tuple(sorted({WORKER.partition(".")[0], builder.partition(".")[0]}))
    found: dict[str, str] = {}
    left = [builder, WORKER]
    while left:
        if (name := left.pop()) in found:
            continue
        path = _path(name)
        found[name] = _digest(path)
        left += _imported(name, path, own)
        left += [parent] if (parent := name.rpartition(".")[0]) else []
        for file in path.parent.glob("data/*"):  # modules read these as they import others
            found[f"data/{file.name}"] = _digest(file)
    return dict(sorted(found.items()))


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:16]


def _path(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    return Path(spec.origin)


@cache
def _imported(name: str, path: Path, own: tuple[str, ...]) -> list[str]:
    """The modules of `own` packages that a module imports, but for what only types speak of."""
    package, modules = name if path.name == "__init__.py" else name.rpartition(".")[0], list[str]()
    for node in _running(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = resolve_name("." * node.level + (node.module or ""), package)
            origins = _passed_on(base) if base.partition(".")[0] in own else {}
            found = (origins.get(a.name, (base, f"{base}.{a.name}")) for a in node.names)
            names = [name for pair in found for name in pair]
        modules += (m for m in names if m.partition(".")[0] in own and _is_module(m))
    return modules


@cache
def _passed_on(module: str) -> dict[str, tuple[str, str]]:
    """Name -> where it is from, of a module that imports names for others to import."""
    body = ast.parse(_path(module).read_bytes()).body if _is_module(module) else []
    if not all(isinstance(node, ast.ImportFrom | ast.Expr | ast.Assign) for node in body):
        return {}
    imports = (node for node in body if isinstance(node, ast.ImportFrom) and node.module)
    return {
        alias.asname or alias.name: (str(node.module), f"{node.module}.{alias.name}")
        for node in imports
        for alias in node.names
    }


def _running(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements, but for those under `if TYPE_CHECKING`."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    elif isinstance(node, ast.stmt | ast.excepthandler | ast.Module):
        test = node.test if isinstance(node, ast.If) else None
        typing = isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
        for child in () if typing else ast.iter_child_nodes(node):
            yield from _running(child)


@cache
def _is_module(name: str) -> bool:
    """Whether there is such a module; none but packages are imported to find out."""
    parent = name.rpartition(".")[0]
    if parent and not (
        _is_module(parent) and (spec := find_spec(parent)) and spec.submodule_search_locations
    ):
        return False
    return find_spec(name) is not None
