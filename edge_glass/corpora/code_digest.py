"""The code that decides the bytes of a build: its builder, the engine, and all that they import."""

import ast
import json
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from edge_glass.core import lazy_names
from edge_glass.core.errors import ConfigError

FACE = "edge_glass.builder"  # passes names on: who imports one of them imports where it is from
WORKER = "edge_glass.pipeline.worker"  # turns rows into shards
# the rooms below it count whole: next to all of their modules are imported anyway, and to hash a
# file takes a hundredth of the time of parsing it
WHOLE = ("edge_glass.core", "edge_glass.media", "edge_glass.sources", "edge_glass.corpora")


@cache
def digests(builder: str) -> dict[str, str]:
    """Module -> digest of its source: the builder's, the worker's, all that they import, the rooms.

    Imports in functions too, at any depth; of the engine and the builder's own package alone.
    """
    own = tuple(sorted({WORKER.partition(".")[0], builder.partition(".")[0]}))
    by_name = _rooms()
    left = [builder, WORKER]
    while left:
        if (name := left.pop()) in by_name:
            continue
        path = _path(name)
        by_name[name] = _digest(path)
        left += _imported(name, path, own)
        left += [parent] if (parent := name.rpartition(".")[0]) else []
        for file in path.parent.glob("data/*"):  # modules read these as they import others
            by_name[f"data/{file.name}"] = _digest(file)
    return dict(sorted(by_name.items()))


def _rooms() -> dict[str, str]:
    roots = {room: _path(room).parent for room in WHOLE}
    files = {
        ".".join([room, *path.relative_to(root).with_suffix("").parts]): path
        for room, root in roots.items()
        for path in root.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): _digest(path) for name, path in files.items()}


def of_json(value: dict[str, Any]) -> str:
    """A digest of what can be written as JSON."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:16]


def _path(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ConfigError(f"{module}: put an empty __init__.py into {module.replace('.', '/')}")
    return Path(spec.origin)


def _imported(name: str, path: Path, own: tuple[str, ...]) -> Iterator[str]:
    """The modules of `own` packages that a module imports, but for what only types speak of."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _running(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = resolve_name("." * node.level + (node.module or ""), package)
            origins = lazy_names.origins(FACE) if base == FACE else {}
            pairs = [origins.get(alias.name, (base, alias.name)) for alias in node.names]
            names = [each for origin, name in pairs for each in (origin, f"{origin}.{name}")]
        yield from (m for m in names if m.partition(".")[0] in own and _is_module(m))


def _running(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements, but for those under `if TYPE_CHECKING`."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    elif isinstance(node, ast.stmt | ast.excepthandler | ast.Module):
        for child in () if lazy_names.for_types(node) else ast.iter_child_nodes(node):
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
